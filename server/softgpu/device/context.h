// A context: the streams, modules and memory of one program on one device.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/error_state.h"
#include "server/softgpu/device/event.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/operation.h"
#include "server/softgpu/device/stream.h"

namespace outboard::softgpu {

class Device;
class GreenContext;
class KernelEnvironment;
class Module;
class Platform;

class Context : public Object, public std::enable_shared_from_this<Context> {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kContext;

  // A primary context exists as long as the platform and is active while it is retained.
  static std::shared_ptr<Context> create(Platform& platform, Device& device, unsigned flags, bool primary);
  ~Context() override;

  Platform& platform() const { return platform_; }
  Device& device() const { return device_; }
  bool primary() const { return primary_; }
  uint64_t id() const { return id_; }
  unsigned flags() const { return flags_.load(); }
  void set_flags(unsigned flags) { flags_.store(flags); }
  bool active() const { return active_.load(std::memory_order_acquire); }
  ErrorState& errors() { return *errors_; }

  // Opens the context for work (a primary one anew after a reset).
  void open();
  // Waits for everything, frees everything that belongs to the context and closes it.
  void close();

  // 0 and CU_STREAM_LEGACY are the null stream, CU_STREAM_PER_THREAD this thread's own; null if the
  // handle names no living stream.
  std::shared_ptr<Stream> stream(CUstream handle);
  const std::shared_ptr<Stream>& null_stream() const { return null_stream_; }
  std::shared_ptr<Stream> create_stream(unsigned flags, int priority,
                                        std::shared_ptr<GreenContext> green = nullptr);
  // In no list: a default stream.
  std::shared_ptr<Stream> make_stream(unsigned flags, int priority, std::shared_ptr<GreenContext> green);
  bool is_null_stream(const Stream& stream) const;
  void forget_stream(const std::shared_ptr<Stream>& stream);

  // Queues the operation, or adds it to the capture that the stream takes part in. Legacy stream
  // semantics are applied here.
  CUresult submit(const std::shared_ptr<Stream>& stream, Operation operation);
  // Queues work that no capture may contain; returns the point where it is done.
  Point enqueue(const std::shared_ptr<Stream>& stream, std::unique_ptr<Work> work,
                std::vector<Point> after = {});
  // Runs the operation in stream order and returns when it is done: on this thread if the stream
  // has nothing to wait for. CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED while the stream captures.
  CUresult submit_and_wait(const std::shared_ptr<Stream>& stream, Operation operation);
  // CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, and the capture is spoilt, if the stream is the null stream and
  // one that it is ordered with captures.
  CUresult check_implicit_capture(const Stream& stream);
  // Nothing stands before work that would be queued in the stream now.
  bool can_run_at_once(const Stream& stream) { return stream.idle() && legacy_order(stream).empty(); }
  CUresult record_event(const std::shared_ptr<Event>& event, const std::shared_ptr<Stream>& stream);
  CUresult wait_event(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Event>& event);

  // The stream goes on when the recording is reached.
  void wait_record(const std::shared_ptr<Stream>& stream, const EventRecord& record);

  // Waits for all streams, prints what kernels printed, and returns the context's error.
  CUresult synchronize();
  CUresult synchronize(const std::shared_ptr<Stream>& stream);
  // What follows every wait for the device.
  CUresult waited();
  // Where all streams stand now.
  std::vector<Point> all_tails();

  CUresult fail(CUresult code, const std::string& message);

  void add_green(std::shared_ptr<GreenContext> green);
  // What is queued in its streams is done first.
  void remove_green(const std::shared_ptr<GreenContext>& green);
  // The work of a green context's streams.
  std::vector<Point> tails_of(const GreenContext& green);

  void add_module(std::shared_ptr<Module> module);
  std::shared_ptr<Module> remove_module(const Module* module);

  KernelEnvironment& environment() { return *environment_; }

  CUresult get_limit(CUlimit limit, size_t* value) const;
  CUresult set_limit(CUlimit limit, size_t value);
  std::atomic<int> cache_config{0};
  std::atomic<int> shared_config{0};

  // Devices whose memory kernels of this context may touch, besides its own.
  bool peer_enabled(int device) const { return (peers_.load() >> device & 1) != 0; }
  void set_peer(int device, bool enabled);

 private:
  Context(Platform& platform, Device& device, unsigned flags, bool primary);
  std::vector<Point> legacy_order(const Stream& stream);
  std::vector<std::shared_ptr<Stream>> all_streams();
  std::shared_ptr<Stream> null_stream_of(const Stream& stream) const;
  void remove_arrays();
  void free_memory();

  Platform& platform_;
  Device& device_;
  const bool primary_;
  const uint64_t id_;
  std::atomic<unsigned> flags_;
  std::atomic<bool> active_{false};
  std::atomic<uint32_t> peers_{0};
  std::shared_ptr<ErrorState> errors_;
  std::shared_ptr<Stream> null_stream_;
  std::unique_ptr<KernelEnvironment> environment_;

  mutable std::shared_mutex mutex_;               // guards what follows
  std::vector<std::shared_ptr<Stream>> streams_;  // created by the application
  std::map<std::thread::id, std::shared_ptr<Stream>> thread_streams_;
  std::vector<std::shared_ptr<Module>> modules_;
  std::vector<std::shared_ptr<GreenContext>> greens_;
  std::map<int, size_t> limits_;
};

}  // namespace outboard::softgpu
