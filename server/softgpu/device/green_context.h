// Green contexts: some of a device's multiprocessors with streams of their own. All else is the primary
// context's.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"

namespace outboard::softgpu {

class Context;
class Device;
class PartitionEnvironment;
class Stream;

namespace exec {
class Device;
}

// A set of multiprocessors, as a CUdevResource holds it between calls. One of them is the smallest
// part: here they share nothing that would have to stay together.
struct MultiprocessorSet {
  static constexpr size_t kMax = 512;  // what has room in a CUdevResource; a device's others stay whole

  int32_t device = 0;
  uint64_t split = 0;  // the split that it came from; 0 if it was not split
  std::bitset<kMax> members;

  static MultiprocessorSet whole(const Device& device);
  // False if the resource is none of ours.
  static bool read(const CUdevResource& resource, MultiprocessorSet* set);
  CUdevResource resource() const;
  // The first `count` of them, which are taken out.
  MultiprocessorSet take(size_t count, uint64_t split_id);
};

// What cuDevResourceGenerateDesc makes.
struct ResourceDescription : Object {
  static constexpr ObjectKind kKind = ObjectKind::kResourceDescription;
  explicit ResourceDescription(MultiprocessorSet wanted) : multiprocessors(std::move(wanted)) {}
  const MultiprocessorSet multiprocessors;
};

class GreenContext : public Object, public std::enable_shared_from_this<GreenContext> {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kGreenContext;

  // Of an active primary context, which the caller has retained for it.
  static std::shared_ptr<GreenContext> create(std::shared_ptr<Context> primary, MultiprocessorSet set);
  ~GreenContext() override;

  const std::shared_ptr<Context>& primary() const { return primary_; }
  const MultiprocessorSet& multiprocessors() const { return set_; }
  uint64_t id() const { return id_; }
  // The device as kernels see it that run on this part of it.
  exec::Device& environment();

  // Its default stream; null once it is detached.
  std::shared_ptr<Stream> null_stream() const;
  // Its streams exist on, and are good for nothing.
  void detach();
  bool attached() const { return attached_.load(std::memory_order_acquire); }

  // The handle of the context that it can be made current as; see ContextView.
  uint64_t view() const { return view_; }

 private:
  GreenContext(std::shared_ptr<Context> primary, MultiprocessorSet set);

  const std::shared_ptr<Context> primary_;
  const MultiprocessorSet set_;
  const uint64_t id_;
  std::unique_ptr<PartitionEnvironment> environment_;
  uint64_t view_ = 0;
  std::atomic<bool> attached_{true};
  mutable std::mutex mutex_;
  std::shared_ptr<Stream> null_stream_;
};

// What a CUcontext of a green context names: its primary context, with the green one's streams.
struct ContextView : Object {
  static constexpr ObjectKind kKind = ObjectKind::kContextView;
  explicit ContextView(std::weak_ptr<GreenContext> of) : green(std::move(of)) {}
  const std::weak_ptr<GreenContext> green;
};

}  // namespace outboard::softgpu
