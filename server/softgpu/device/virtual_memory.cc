#include "server/softgpu/device/virtual_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

void* as_pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

// Without access: takes the place of what was there before.
bool cover(uint64_t address, uint64_t bytes) {
  return mmap(as_pointer(address), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
              -1, 0) != MAP_FAILED;
}

}  // namespace

CUresult PhysicalMemory::create(Device& device, uint64_t bytes, const CUmemAllocationProp& properties,
                                std::shared_ptr<PhysicalMemory>* memory) {
  if (!device.reserve_bytes(bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
  int file = -1;
  if (properties.requestedHandleTypes != CU_MEM_HANDLE_TYPE_NONE) {
    ShareableRecord record;
    record.device = device.physical();
    record.bytes = bytes;
    record.properties = properties;
    file = create_shareable(&record);
  } else {
    file = memfd_create("outboard-softgpu", MFD_CLOEXEC);
    if (file >= 0 && ftruncate(file, static_cast<off_t>(bytes)) != 0) {
      close(file);
      file = -1;
    }
  }
  if (file < 0) {
    device.release_bytes(bytes);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *memory = std::make_shared<PhysicalMemory>(device, bytes, properties, file, true);
  return CUDA_SUCCESS;
}

std::shared_ptr<PhysicalMemory> PhysicalMemory::import(Device& device, int file,
                                                       const ShareableRecord& record) {
  CUmemAllocationProp properties = record.properties;
  properties.location.id = device.ordinal();
  return std::make_shared<PhysicalMemory>(device, record.bytes, properties, file, false);
}

PhysicalMemory::~PhysicalMemory() {
  close(file_);
  if (counted_) device_.release_bytes(bytes_);
}

VirtualMemory::~VirtualMemory() {
  for (const auto& [address, bytes] : reservations_) munmap(as_pointer(address), bytes);
}

CUresult VirtualMemory::reserve(uint64_t bytes, uint64_t align, uint64_t wanted, uint64_t* address) {
  align = std::max(align, kGranuleBytes);
  if (bytes == 0 || bytes % kGranuleBytes != 0 || (align & (align - 1)) != 0 || bytes + align < bytes)
    return CUDA_ERROR_INVALID_VALUE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint64_t at = 0;
  if (wanted != 0 && wanted % align == 0) {
    void* exact = mmap(as_pointer(wanted), bytes, PROT_NONE, kFlags | MAP_FIXED_NOREPLACE, -1, 0);
    if (exact != MAP_FAILED) at = reinterpret_cast<uint64_t>(exact);
    // An old kernel takes the address for a hint.
    if (at != 0 && at != wanted) {
      munmap(exact, bytes);
      at = 0;
    }
  }
  if (at == 0) {
    void* any = mmap(nullptr, bytes + align, PROT_NONE, kFlags, -1, 0);
    if (any == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    const auto start = reinterpret_cast<uint64_t>(any);
    at = (start + align - 1) & ~(align - 1);
    if (at != start) munmap(any, at - start);
    if (start + align != at) munmap(as_pointer(at + bytes), start + align - at);
  }
  madvise(as_pointer(at), bytes, MADV_DONTFORK);
  std::lock_guard lock(mutex_);
  reservations_.emplace(at, bytes);
  *address = at;
  return CUDA_SUCCESS;
}

CUresult VirtualMemory::release(uint64_t address, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  const auto it = reservations_.find(address);
  if (it == reservations_.end() || it->second != bytes) return CUDA_ERROR_INVALID_VALUE;
  const auto inside = mappings_.lower_bound(address);
  if (inside != mappings_.end() && inside->first < address + bytes) return CUDA_ERROR_INVALID_VALUE;
  munmap(as_pointer(address), bytes);
  reservations_.erase(it);
  return CUDA_SUCCESS;
}

bool VirtualMemory::reserved_locked(uint64_t address, uint64_t bytes) const {
  auto it = reservations_.upper_bound(address);
  if (it == reservations_.begin()) return false;
  --it;
  return address - it->first < it->second && bytes <= it->second - (address - it->first);
}

CUresult VirtualMemory::map(uint64_t address, uint64_t bytes, uint64_t offset,
                            std::shared_ptr<PhysicalMemory> memory) {
  if (bytes == 0 || address % kGranuleBytes != 0 || bytes % kGranuleBytes != 0 || offset % kGranuleBytes != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (offset > memory->bytes() || bytes > memory->bytes() - offset) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex_);
  if (!reserved_locked(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
  Allocation entry;
  entry.begin = address;
  entry.bytes = entry.valid_bytes = bytes;
  entry.kind = MemoryKind::kVirtual;
  entry.device = memory->device().ordinal();
  entry.readable = entry.writable = false;
  if (!table_.insert(entry)) return CUDA_ERROR_INVALID_VALUE;
  void* at = mmap(as_pointer(address), bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, memory->file(),
                  static_cast<off_t>(offset));
  if (at == MAP_FAILED) {
    (void)table_.remove(address);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  madvise(at, bytes, MADV_DONTFORK);
  mappings_.emplace(address, Mapping{bytes, std::move(memory), CU_MEM_ACCESS_FLAGS_PROT_NONE});
  return CUDA_SUCCESS;
}

std::optional<std::pair<VirtualMemory::Mappings::iterator, VirtualMemory::Mappings::iterator>>
VirtualMemory::exact_locked(uint64_t address, uint64_t bytes) {
  const auto first = mappings_.find(address);
  auto it = first;
  uint64_t reached = address;
  while (it != mappings_.end() && it->first == reached && reached < address + bytes) {
    reached += it->second.bytes;
    ++it;
  }
  if (bytes == 0 || reached != address + bytes) return std::nullopt;
  return std::make_pair(first, it);
}

CUresult VirtualMemory::unmap(uint64_t address, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  const auto range = exact_locked(address, bytes);
  if (!range) return CUDA_ERROR_INVALID_VALUE;
  for (auto it = range->first; it != range->second; ++it) {
    (void)table_.remove(it->first);
    if (!cover(it->first, it->second.bytes)) return CUDA_ERROR_UNKNOWN;
  }
  madvise(as_pointer(address), bytes, MADV_DONTFORK);
  mappings_.erase(range->first, range->second);
  return CUDA_SUCCESS;
}

CUresult VirtualMemory::set_access(uint64_t address, uint64_t bytes, CUmemAccess_flags access) {
  std::lock_guard lock(mutex_);
  const auto range = exact_locked(address, bytes);
  if (!range) return CUDA_ERROR_INVALID_VALUE;
  const bool readable = access != CU_MEM_ACCESS_FLAGS_PROT_NONE;
  const bool writable = access == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  const int protection = (readable ? PROT_READ : PROT_NONE) | (writable ? PROT_WRITE : PROT_NONE);
  for (auto it = range->first; it != range->second; ++it) {
    if (mprotect(as_pointer(it->first), it->second.bytes, protection) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
    it->second.access = access;
    table_.update(it->first, [&](Allocation& entry) {
      entry.readable = readable;
      entry.writable = writable;
    });
  }
  return CUDA_SUCCESS;
}

VirtualMemory::Mappings::const_iterator VirtualMemory::holder_locked(uint64_t address) const {
  auto it = mappings_.upper_bound(address);
  if (it == mappings_.begin()) return mappings_.end();
  --it;
  return address - it->first < it->second.bytes ? it : mappings_.end();
}

CUresult VirtualMemory::get_access(uint64_t address, CUmemAccess_flags* access) const {
  std::lock_guard lock(mutex_);
  const auto it = holder_locked(address);
  if (it == mappings_.end()) return CUDA_ERROR_INVALID_VALUE;
  *access = it->second.access;
  return CUDA_SUCCESS;
}

std::shared_ptr<PhysicalMemory> VirtualMemory::memory_at(uint64_t address) const {
  std::lock_guard lock(mutex_);
  const auto it = holder_locked(address);
  return it == mappings_.end() ? nullptr : it->second.memory;
}

}  // namespace outboard::softgpu
