#include "server/softgpu/device/device.h"

#include <algorithm>
#include <cstdio>

#include "server/softgpu/device/attributes.h"
#include "server/softgpu/device/executor.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// More address space than memory, so that fragmentation is rarely a reason to fail.
uint64_t arena_bytes(uint64_t memory_bytes) {
  return std::min(kArenaStride / 2, round_up(memory_bytes * 4, kGranuleBytes));
}

}  // namespace

Device::Device(const DeviceConfig& config, uint32_t ordinal, uint32_t physical, AllocationTable& table)
    : ordinal_(static_cast<int>(ordinal)),
      physical_(physical),
      uuid_(device_uuid(config.host_identity, physical)),
      total_bytes_(config.memory_bytes),
      cores_(config.cores),
      compute_capability_(config.compute_capability),
      launch_timeout_(config.launch_timeout_s != 0),
      table_(table) {}

Result<std::unique_ptr<Device>> Device::create(const DeviceConfig& config, uint32_t ordinal,
                                               uint32_t physical, AllocationTable& table) {
  std::unique_ptr<Device> device(new Device(config, ordinal, physical, table));
  auto arena = Arena::reserve(kArenaBase + physical * kArenaStride, arena_bytes(config.memory_bytes));
  if (!arena) return fail(arena);
  device->arena_ = std::move(*arena);
  device->state_ = SharedState::open(config.state_folder, physical);
  if (!device->state_->attach()) {
    return fail(ErrorKind::kOverloaded, "More than " + std::to_string(SharedState::kMaxProcesses) +
                                            " processes use software device " + std::to_string(physical) +
                                            ".");
  }
  const SignalsBlocked blocked;
  device->pool_ = std::make_unique<exec::ThreadPool>(config.cores);
  return device;
}

uint64_t Device::free_bytes() const {
  const uint64_t used = state_->used_bytes();
  return used >= total_bytes_ ? 0 : total_bytes_ - used;
}

std::string Device::pci_bus_id() const {
  char text[32];
  std::snprintf(text, sizeof(text), "0000:%02x:00.0", static_cast<unsigned>(kFirstPciBus + physical_));
  return text;
}

CUresult Device::attribute(int id, int* value) const {
  return device_attribute({static_cast<int>(physical_), cores_, compute_capability_, launch_timeout_}, id,
                          value)
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_VALUE;
}

bool Device::reserve_bytes(uint64_t bytes) {
  if (state_->reserve(bytes, total_bytes_)) return true;
  if (!on_shortage) return false;
  on_shortage();
  return state_->reserve(bytes, total_bytes_);
}

CUresult Device::allocate(const MemoryRequest& request, uint64_t* address) {
  if (request.bytes == 0 || request.bytes > total_bytes_) {
    return request.bytes == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_OUT_OF_MEMORY;
  }
  // The application writes to managed memory whenever it likes, also while pages are exchanged; and who
  // keeps a copy of it elsewhere works by pages.
  const uint64_t align = request.kind == MemoryKind::kManaged ? kPageBytes : kAllocationAlign;
  const uint64_t taken = round_up(request.bytes, align);
  if (!reserve_bytes(taken)) return CUDA_ERROR_OUT_OF_MEMORY;
  const uint64_t at = arena_->allocate(taken, std::max(align, request.align));
  if (at == 0) {
    state_->release(taken);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  Allocation entry;
  entry.begin = at;
  entry.bytes = request.bytes;
  entry.valid_bytes = taken;
  entry.kind = request.kind;
  entry.device = ordinal_;
  entry.context = request.context;
  entry.pool = request.pool;
  entry.flags = request.flags;
  entry.graph_owned = request.graph_owned;
  if (!table_.insert(entry)) {
    arena_->release(at, taken);
    state_->release(taken);
    return CUDA_ERROR_UNKNOWN;
  }
  *address = at;
  return CUDA_SUCCESS;
}

CUresult Device::free(uint64_t address) {
  if (!arena_->contains(address)) return CUDA_ERROR_INVALID_VALUE;
  const auto removed = table_.remove(address);
  if (!removed) return CUDA_ERROR_INVALID_VALUE;
  release(*removed);
  return CUDA_SUCCESS;
}

CUresult Device::share(const Allocation& allocation, SharedName* name) {
  // Waits for what is running, not for what is queued.
  std::unique_lock lock(table_.pages());
  if (!arena_->share(allocation.begin, allocation.bytes, name)) return CUDA_ERROR_OUT_OF_MEMORY;
  name->device = physical_;
  return CUDA_SUCCESS;
}

void Device::release(const Allocation& allocation) {
  arena_->release(allocation.begin, allocation.valid_bytes);
  state_->release(allocation.valid_bytes);
}

}  // namespace outboard::softgpu
