#include "server/softgpu/exec/device_launch.h"

#include <algorithm>
#include <cstring>

#include "server/softgpu/exec/constants.h"

namespace outboard::softgpu::exec {
namespace {

constexpr uint64_t kTailLaunchStream = 3;

const ptx::Kernel* kernel_at(const LoadedModule& module, uint64_t address) {
  uint32_t index = 0;
  if (!function_index(address, index)) return nullptr;
  for (const ptx::Kernel& kernel : module.program().kernels()) {
    if (kernel.function == index) return &kernel;
  }
  return nullptr;
}

}  // namespace

uint64_t ChildLaunches::prepare(const LaunchRequest& parent, Device& device, uint64_t function,
                                const Dim3& grid, const Dim3& block, uint32_t dynamic_shared_bytes) {
  const ptx::Kernel* kernel = kernel_at(*parent.module, function);
  if (kernel == nullptr || parent.depth == kMaxLaunchDepth) return 0;
  std::lock_guard lock(mutex_);
  if (prepared_.size() + children_.size() + tails_.size() >= kMaxPendingChildren) return 0;
  const uint64_t address = device.heap_allocate(std::max<uint64_t>(kernel->param_bytes, 1));
  if (address == 0) return 0;
  LaunchRequest& child = prepared_[address];
  child.module = parent.module;
  child.kernel = kernel;
  child.grid = grid;
  child.block = block;
  child.dynamic_shared_bytes = dynamic_shared_bytes;
  child.depth = parent.depth + 1;
  return address;
}

bool ChildLaunches::enqueue(Device& device, uint64_t parameters, uint64_t stream) {
  std::lock_guard lock(mutex_);
  const auto found = prepared_.find(parameters);
  if (found == prepared_.end()) return false;
  LaunchRequest child = std::move(found->second);
  prepared_.erase(found);
  child.params.resize(child.kernel->param_bytes);
  // A device address is a host address.
  std::memcpy(child.params.data(), reinterpret_cast<const void*>(parameters), child.params.size());
  device.heap_free(parameters);
  (stream == kTailLaunchStream ? tails_ : children_).push_back(std::move(child));
  return true;
}

void ChildLaunches::set_error(uint64_t thread, uint32_t error) {
  std::lock_guard lock(mutex_);
  errors_[thread] = error;
}

uint32_t ChildLaunches::take_error(uint64_t thread) {
  std::lock_guard lock(mutex_);
  const auto found = errors_.find(thread);
  if (found == errors_.end()) return 0;
  const uint32_t error = found->second;
  errors_.erase(found);
  return error;
}

}  // namespace outboard::softgpu::exec
