// Memory that host code and the device both use, on two machines: managed memory, and pinned host memory
// once the device uses it. docs/adr/0006 has the why.
//
// Each range lies at the same address on both sides. Before device work the pages that host code has
// written are sent, and the pages of the range are closed to host code; a page that is touched then is
// fetched. While the device may be at work (DeviceWork), pages that host code opened are taken to be in
// use by both: what was written in them is sent byte by byte, and they are fetched anew again and again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "client-lib/session/followed_memory.h"
#include "client-lib/session/mirror_file.h"
#include "client-lib/session/page_faults.h"
#include "client-lib/state/device_work.h"
#include "client-lib/state/page_states.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/log.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

// Threads: all members from any thread.
class Mirrors {
 public:
  // Fetched when the program has waited for the device, touched or not: system calls do not fault but
  // fail on a page that is closed, and a small range costs less than a fault.
  static constexpr uint64_t kEagerBytes = 4 << 20;
  // Pages that are fetched or opened together, at first and at most; the number doubles while host code
  // goes through memory in order.
  static constexpr size_t kFirstWindow = 16;
  static constexpr size_t kLastWindow = 2048;
  static constexpr std::chrono::milliseconds kFirstRefresh{1};
  static constexpr std::chrono::milliseconds kLastRefresh{256};

  // The device's copy. Neither may touch memory of a mirror but what it is given.
  using Device = FollowedMemory::Device;

  Mirrors(Device device, Logger log);
  ~Mirrors();
  Mirrors(const Mirrors&) = delete;
  Mirrors& operator=(const Mirrors&) = delete;

  // Whether there are any: the others need not be called if there are none.
  bool any() const { return count_.load(std::memory_order_relaxed) != 0; }

  // Maps a range of the device's, whole pages, at the same address here. CUDA_ERROR_ALREADY_MAPPED when
  // something of this process lies there. `first`: who has the content now.
  CUresult add(uint64_t base, uint64_t bytes, wire::Handle context, PageState first);
  // Anonymous memory of ours becomes a mirror where it lies, content and all.
  CUresult adopt(uint64_t base, uint64_t bytes, wire::Handle context);
  // Also unmaps it. False if none starts there.
  bool remove(uint64_t base);
  bool covers(uint64_t address) const;
  // Content moves in another context from now on.
  void move(wire::Handle from_context, wire::Handle to_context);
  // cuStreamAttachMemAsync. False if `address` is not in a mirror.
  bool attach(uint64_t address, unsigned flags, wire::Handle stream);

  // Registered memory of the program, with its copy at another address of the device; see FollowedMemory.
  void follow(uint64_t base, uint64_t bytes, uint64_t device_address, wire::Handle context);
  // The copy's address; 0 if there is none.
  uint64_t unfollow(uint64_t base);
  // Where the device has perhaps newer content of registered memory than the host; 0 if nowhere.
  uint64_t newer_at(uint64_t address) const;

  // Before work is sent that may use everything that the stream may.
  CUresult hand_over(wire::Handle stream);
  // Before work is sent that uses this range only; nothing happens where it is no mirror.
  CUresult hand_over(uint64_t address, uint64_t bytes, bool device_writes, wire::Handle stream);

  // In the middle of device work: what host code has written is sent, what it reads next is fetched.
  void meet();

  // What the program waits for, see DeviceWork.
  uint64_t mark() const;
  void event_recorded(wire::Handle event, wire::Handle stream);
  void stream_waited(wire::Handle stream, uint64_t mark);
  void event_waited(wire::Handle event);
  void all_waited(uint64_t mark);

 private:
  struct Mirror {
    uint64_t base = 0;
    MirrorFile::Part part;
    wire::Handle context;
    PageStates pages;
    unsigned attached = CU_MEM_ATTACH_GLOBAL;
    wire::Handle stream;  // if attached to a single one
    size_t next_read = 0;
    size_t read_window = kFirstWindow;
    size_t next_write = 0;
    size_t write_window = 1;
    // Pages that are written while the device may write them too, as they were before.
    std::unordered_map<size_t, std::unique_ptr<std::byte[]>> twins;
  };
  using Ranges = std::map<uint64_t, std::unique_ptr<Mirror>>;

  Mirror* find(uint64_t address) const;
  bool usable_from(const Mirror& mirror, wire::Handle stream) const;
  void insert(uint64_t base, MirrorFile::Part part, wire::Handle context, PageState first);
  bool protect(const Mirror& mirror, size_t first, size_t last, int protection) const;
  CUresult give(Mirror& mirror, size_t first, size_t last, bool device_writes);
  CUresult send(Mirror& mirror, size_t first, size_t last);
  CUresult send_stretch(Mirror& mirror, uint64_t first, uint64_t last);
  CUresult send_changes(Mirror& mirror, size_t page, const std::byte* twin);
  CUresult fetch(Mirror& mirror, size_t first, size_t last);
  CUresult fetch_bytes(Mirror& mirror, size_t first, size_t last);
  CUresult open_for_writing(Mirror& mirror, size_t page);
  CUresult open_whole(Mirror& mirror);
  void count_locked() { count_.store(ranges_.size() + followed_.count()); }
  void after_wait();
  bool resolve(uint64_t address, bool write);
  CUresult fetch_around(Mirror& mirror, size_t page);
  CUresult refresh();
  std::chrono::milliseconds refresh_after();

  const Device device_;
  const Logger log_;
  const uint64_t page_bytes_;
  std::atomic<size_t> count_{0};
  mutable std::mutex mutex_;
  MirrorFile file_;
  Ranges ranges_;
  uint64_t total_bytes_ = 0;
  FollowedMemory followed_{device_};
  DeviceWork work_;
  bool fetch_due_ = false;  // device work was sent and nothing was fetched since
  std::chrono::milliseconds refresh_{kFirstRefresh};
  PageFaults faults_;  // the last: its thread uses the rest
};

}  // namespace outboard::client
