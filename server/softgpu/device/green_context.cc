#include "server/softgpu/device/green_context.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/environment.h"
#include "server/softgpu/device/executor.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/stream.h"

namespace outboard::softgpu {
namespace {

// What lies in the bytes of a CUdevResource that are the driver's own.
struct Inside {
  uint32_t mark = 0;
  int32_t device = 0;
  uint32_t split[2] = {};
  uint8_t members[MultiprocessorSet::kMax / 8] = {};
};
constexpr uint32_t kMark = 0x6f627264;
static_assert(sizeof(Inside) <= sizeof(CUdevResource::_internal_padding));

}  // namespace

// A context's device, but for the threads that kernels run on.
class PartitionEnvironment final : public exec::Device {
 public:
  PartitionEnvironment(Context& context, std::vector<uint32_t> multiprocessors)
      : whole_(context.environment()), pool_(std::move(multiprocessors)) {}

  bool find_range(uint64_t address, exec::MemoryRange& range) override {
    return whole_.find_range(address, range);
  }
  uint64_t memory_generation() const override { return whole_.memory_generation(); }
  void print(std::string_view text) override { whole_.print(text); }
  uint64_t heap_allocate(uint64_t bytes) override { return whole_.heap_allocate(bytes); }
  void heap_free(uint64_t address) override { whole_.heap_free(address); }
  uint64_t clock_cycles() const override { return whole_.clock_cycles(); }
  uint64_t global_timer_ns() const override { return whole_.global_timer_ns(); }
  exec::ThreadPool& pool() override { return pool_; }
  uint32_t multiprocessors() const override { return whole_.multiprocessors(); }
  std::shared_ptr<const exec::TextureView> texture(uint64_t handle) const override {
    return whole_.texture(handle);
  }
  bool interrupted() const override { return whole_.interrupted(); }

 private:
  exec::Device& whole_;
  exec::ThreadPool pool_;
};

MultiprocessorSet MultiprocessorSet::whole(const Device& device) {
  MultiprocessorSet set;
  set.device = device.ordinal();
  for (size_t i = 0; i < std::min<size_t>(device.multiprocessors(), kMax); ++i) set.members.set(i);
  return set;
}

bool MultiprocessorSet::read(const CUdevResource& resource, MultiprocessorSet* set) {
  Inside inside;
  std::memcpy(&inside, resource._internal_padding, sizeof inside);
  if (resource.type != CU_DEV_RESOURCE_TYPE_SM || inside.mark != kMark) return false;
  set->device = inside.device;
  set->split = uint64_t{inside.split[1]} << 32 | inside.split[0];
  for (size_t i = 0; i < kMax; ++i) set->members.set(i, (inside.members[i / 8] >> i % 8 & 1) != 0);
  return set->members.count() == resource.sm.smCount;
}

CUdevResource MultiprocessorSet::resource() const {
  CUdevResource resource{};
  if (members.none()) return resource;  // of the invalid type
  Inside inside;
  inside.mark = kMark;
  inside.device = device;
  inside.split[0] = static_cast<uint32_t>(split);
  inside.split[1] = static_cast<uint32_t>(split >> 32);
  for (size_t i = 0; i < kMax; ++i) {
    if (members[i]) inside.members[i / 8] = static_cast<uint8_t>(inside.members[i / 8] | 1u << i % 8);
  }
  std::memcpy(resource._internal_padding, &inside, sizeof inside);
  resource.type = CU_DEV_RESOURCE_TYPE_SM;
  resource.sm.smCount = static_cast<unsigned>(members.count());
  resource.sm.minSmPartitionSize = 1;
  resource.sm.smCoscheduledAlignment = 1;
  return resource;
}

MultiprocessorSet MultiprocessorSet::take(size_t count, uint64_t split_id) {
  MultiprocessorSet taken;
  taken.device = device;
  taken.split = split_id;
  for (size_t i = 0; i < kMax && taken.members.count() < count; ++i) {
    if (!members[i]) continue;
    taken.members.set(i);
    members.reset(i);
  }
  return taken;
}

GreenContext::GreenContext(std::shared_ptr<Context> primary, MultiprocessorSet set)
    : primary_(std::move(primary)), set_(std::move(set)), id_(primary_->platform().next_id()) {
  std::vector<uint32_t> multiprocessors;
  for (uint32_t i = 0; i < MultiprocessorSet::kMax; ++i) {
    if (set_.members[i]) multiprocessors.push_back(i);
  }
  const SignalsBlocked blocked;
  environment_ = std::make_unique<PartitionEnvironment>(*primary_, std::move(multiprocessors));
}

GreenContext::~GreenContext() = default;

exec::Device& GreenContext::environment() { return *environment_; }

std::shared_ptr<GreenContext> GreenContext::create(std::shared_ptr<Context> primary, MultiprocessorSet set) {
  std::shared_ptr<GreenContext> green(new GreenContext(std::move(primary), std::move(set)));
  HandleTable& handles = green->primary_->platform().handles();
  handles.add(green);
  green->view_ = handles.add(std::make_shared<ContextView>(green));
  green->null_stream_ = green->primary_->make_stream(0, 0, green);
  green->primary_->add_green(green);
  return green;
}

std::shared_ptr<Stream> GreenContext::null_stream() const {
  std::lock_guard lock(mutex_);
  return null_stream_;
}

void GreenContext::detach() {
  if (!attached_.exchange(false)) return;
  HandleTable& handles = primary_->platform().handles();
  handles.remove<ContextView>(view_);
  handles.remove<GreenContext>(handle());
  std::lock_guard lock(mutex_);
  null_stream_.reset();
}

}  // namespace outboard::softgpu
