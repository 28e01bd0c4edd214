// Host memory that the device may use: at its own address.
#include <sys/mman.h>

#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

constexpr size_t kPageBytes = 4096;
constexpr unsigned kHostAllocFlags =
    CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr unsigned kRegisterFlags = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                                    CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;

size_t round_to_pages(size_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

bool add_host_range(Context& context, const void* at, size_t bytes, size_t valid_bytes, MemoryKind kind,
                    unsigned flags) {
  Allocation entry;
  entry.begin = reinterpret_cast<uint64_t>(at);
  entry.bytes = bytes;
  entry.valid_bytes = valid_bytes;
  entry.kind = kind;
  entry.device = context.device().ordinal();
  entry.context = context.handle();
  entry.flags = flags;
  entry.writable = kind != MemoryKind::kRegistered || (flags & CU_MEMHOSTREGISTER_READ_ONLY) == 0;
  return context.platform().memory().insert(entry);
}

}  // namespace

extern "C" {

CUresult cuMemHostAlloc(void** pointer, size_t bytes, unsigned int flags) {
  return outside_captures([&](Context& context) -> CUresult {
    if (pointer == nullptr || bytes == 0 || (flags & ~kHostAllocFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    const size_t mapped = round_to_pages(bytes);
    if (mapped < bytes) return CUDA_ERROR_OUT_OF_MEMORY;
    void* at = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    if (!add_host_range(context, at, bytes, mapped, MemoryKind::kPinned, flags | CU_MEMHOSTALLOC_DEVICEMAP)) {
      munmap(at, mapped);
      return CUDA_ERROR_UNKNOWN;
    }
    *pointer = at;
    return CUDA_SUCCESS;
  });
}

CUresult cuMemAllocHost_v2(void** pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }

CUresult cuMemFreeHost(void* pointer) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (pointer == nullptr) return CUDA_SUCCESS;
    const auto found = platform.memory().find_exact(reinterpret_cast<uint64_t>(pointer));
    if (!found || found->kind != MemoryKind::kPinned) return CUDA_ERROR_INVALID_VALUE;
    if (const auto context = platform.handles().find<Context>(found->context)) {
      for (const Point& point : context->all_tails()) point.wait();
    }
    if (!platform.memory().remove(found->begin)) return CUDA_ERROR_INVALID_VALUE;
    munmap(pointer, found->valid_bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned int flags) {
  return outside_captures([&](Context& context) -> CUresult {
    if (pointer == nullptr || bytes == 0 || (flags & ~kRegisterFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (add_host_range(context, pointer, bytes, bytes, MemoryKind::kRegistered, flags)) return CUDA_SUCCESS;
    return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  });
}
CUresult cuMemHostRegister(void* pointer, size_t bytes, unsigned int flags) {
  return cuMemHostRegister_v2(pointer, bytes, flags);
}

CUresult cuMemHostUnregister(void* pointer) {
  return with_any_context([&](Context& context) -> CUresult {
    const auto found = context.platform().memory().find_exact(reinterpret_cast<uint64_t>(pointer));
    if (!found || found->kind != MemoryKind::kRegistered) return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    for (const Point& point : context.all_tails()) point.wait();
    (void)context.platform().memory().remove(found->begin);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* device, void* pointer, unsigned int flags) {
  return with_context([&](Context& context) -> CUresult {
    if (device == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    const auto found = context.platform().memory().find(reinterpret_cast<uint64_t>(pointer));
    if (!found || !found->is_host()) return CUDA_ERROR_INVALID_VALUE;
    *device = reinterpret_cast<CUdeviceptr>(pointer);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostGetFlags(unsigned int* flags, void* pointer) {
  return with_context([&](Context& context) -> CUresult {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = context.platform().memory().find(reinterpret_cast<uint64_t>(pointer));
    if (!found || found->kind != MemoryKind::kPinned) return CUDA_ERROR_INVALID_VALUE;
    *flags = found->flags;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
