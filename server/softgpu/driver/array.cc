// Arrays.
#include "server/softgpu/device/array.h"

#include <algorithm>

#include "server/softgpu/driver/copy.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_array(CUarray handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto array = find<Array>(platform, handle);
    return array == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(*array);
  });
}

template <typename F>
CUresult with_mipmap(CUmipmappedArray handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto mipmap = find<MipmappedArray>(platform, handle);
    return mipmap == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(*mipmap);
  });
}

// One-dimensional copies to and from arrays count bytes from the array's start, in its first row.
struct LinearSide {
  CUmemorytype type;
  CUarray array;
  size_t offset;
  const void* host;
  CUdeviceptr device;
};

CUresult copy_row(const LinearSide& to, const LinearSide& from, size_t bytes, const CopyOrder& order) {
  CUDA_MEMCPY3D box{};
  box.srcMemoryType = from.type;
  box.srcArray = from.array;
  box.srcXInBytes = from.offset;
  box.srcHost = from.host;
  box.srcDevice = from.device;
  box.dstMemoryType = to.type;
  box.dstArray = to.array;
  box.dstXInBytes = to.offset;
  box.dstHost = const_cast<void*>(to.host);
  box.dstDevice = to.device;
  box.WidthInBytes = bytes;
  box.Height = box.Depth = 1;
  return copy_box(box, order);
}

LinearSide array_side(CUarray array, size_t offset) {
  return {CU_MEMORYTYPE_ARRAY, array, offset, nullptr, 0};
}
LinearSide host_side(const void* host) { return {CU_MEMORYTYPE_HOST, nullptr, 0, host, 0}; }
LinearSide device_side(CUdeviceptr device) { return {CU_MEMORYTYPE_DEVICE, nullptr, 0, nullptr, device}; }

const CopyOrder kLegacy{nullptr, CU_STREAM_LEGACY, true};
const CopyOrder kPerThread{nullptr, CU_STREAM_PER_THREAD, true};
CopyOrder queued(CUstream stream) { return {stream, CU_STREAM_LEGACY, false}; }

size_t half(size_t extent) { return extent <= 1 ? extent : extent / 2; }

}  // namespace

extern "C" {

CUresult cuArray3DCreate_v2(CUarray* handle, const CUDA_ARRAY3D_DESCRIPTOR* descriptor) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<Array> array;
    const CUresult result = Array::create(context, *descriptor, &array);
    if (result == CUDA_SUCCESS)
      *handle = reinterpret_cast<CUarray>(context.platform().handles().add(std::move(array)));
    return result;
  });
}

CUresult cuArrayCreate_v2(CUarray* handle, const CUDA_ARRAY_DESCRIPTOR* descriptor) {
  if (descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_ARRAY3D_DESCRIPTOR full{descriptor->Width,  descriptor->Height,      0,
                                     descriptor->Format, descriptor->NumChannels, 0};
  return cuArray3DCreate_v2(handle, &full);
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* descriptor, CUarray handle) {
  return with_array(handle, [&](Array& array) -> CUresult {
    if (descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *descriptor = array.descriptor();
    return CUDA_SUCCESS;
  });
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* descriptor, CUarray handle) {
  return with_array(handle, [&](Array& array) -> CUresult {
    if (descriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto& d = array.descriptor();
    *descriptor = {d.Width, d.Height, d.Format, d.NumChannels};
    return CUDA_SUCCESS;
  });
}

CUresult cuArrayDestroy(CUarray handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (find<Array>(platform, handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    wait_for_work(platform);
    platform.handles().remove<Array>(reinterpret_cast<uint64_t>(handle));
    return CUDA_SUCCESS;
  });
}

CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* requirements, CUarray handle,
                                      CUdevice) {
  return with_array(handle, [&](Array& array) -> CUresult {
    if (requirements == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *requirements = {};
    requirements->size = array.bytes();
    requirements->alignment = 512;
    return CUDA_SUCCESS;
  });
}

CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS* requirements,
                                               CUmipmappedArray handle, CUdevice) {
  return with_mipmap(handle, [&](MipmappedArray& mipmap) -> CUresult {
    if (requirements == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *requirements = {};
    for (const auto& level : mipmap.levels) requirements->size += level->bytes();
    requirements->alignment = 512;
    return CUDA_SUCCESS;
  });
}

// No array here is sparse or has planes.
CUresult cuArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES*, CUarray handle) {
  return with_array(handle, [](Array&) { return CUDA_ERROR_INVALID_VALUE; });
}
CUresult cuMipmappedArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES*, CUmipmappedArray handle) {
  return with_mipmap(handle, [](MipmappedArray&) { return CUDA_ERROR_INVALID_VALUE; });
}
CUresult cuArrayGetPlane(CUarray*, CUarray handle, unsigned int) {
  return with_array(handle, [](Array&) { return CUDA_ERROR_INVALID_VALUE; });
}

CUresult cuMipmappedArrayCreate(CUmipmappedArray* handle, const CUDA_ARRAY3D_DESCRIPTOR* descriptor,
                                unsigned int levels) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || descriptor == nullptr || levels == 0) return CUDA_ERROR_INVALID_VALUE;
    auto mipmap = std::make_shared<MipmappedArray>();
    mipmap->descriptor = *descriptor;
    CUDA_ARRAY3D_DESCRIPTOR level = *descriptor;
    for (unsigned i = 0; i < levels; ++i) {
      std::shared_ptr<Array> array;
      if (const CUresult result = Array::create(context, level, &array); result != CUDA_SUCCESS)
        return result;
      mipmap->levels.push_back(std::move(array));
      if (level.Width <= 1 && level.Height <= 1 && level.Depth <= 1) break;
      level.Width = half(level.Width);
      level.Height = half(level.Height);
      // The third extent of a layered array counts layers, which all levels have.
      if ((level.Flags & CUDA_ARRAY3D_LAYERED) == 0) level.Depth = half(level.Depth);
    }
    HandleTable& handles = context.platform().handles();
    for (const auto& array : mipmap->levels) handles.add(array);
    *handle = reinterpret_cast<CUmipmappedArray>(handles.add(std::move(mipmap)));
    return CUDA_SUCCESS;
  });
}

CUresult cuMipmappedArrayGetLevel(CUarray* array, CUmipmappedArray handle, unsigned int level) {
  return with_mipmap(handle, [&](MipmappedArray& mipmap) -> CUresult {
    if (array == nullptr || level >= mipmap.levels.size()) return CUDA_ERROR_INVALID_VALUE;
    *array = to_handle<CUarray>(*mipmap.levels[level]);
    return CUDA_SUCCESS;
  });
}

CUresult cuMipmappedArrayDestroy(CUmipmappedArray handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto mipmap = platform.handles().remove<MipmappedArray>(reinterpret_cast<uint64_t>(handle));
    if (mipmap == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    for (const auto& level : mipmap->levels) platform.handles().remove<Array>(level->handle());
    return CUDA_SUCCESS;
  });
}

CUresult cuMemcpyHtoA_v2(CUarray to, size_t offset, const void* from, size_t bytes) {
  return copy_row(array_side(to, offset), host_side(from), bytes, kLegacy);
}
CUresult cuMemcpyHtoA_v2_ptds(CUarray to, size_t offset, const void* from, size_t bytes) {
  return copy_row(array_side(to, offset), host_side(from), bytes, kPerThread);
}
CUresult cuMemcpyHtoAAsync_v2(CUarray to, size_t offset, const void* from, size_t bytes, CUstream stream) {
  return copy_row(array_side(to, offset), host_side(from), bytes, queued(stream));
}
CUresult cuMemcpyAtoH_v2(void* to, CUarray from, size_t offset, size_t bytes) {
  return copy_row(host_side(to), array_side(from, offset), bytes, kLegacy);
}
CUresult cuMemcpyAtoH_v2_ptds(void* to, CUarray from, size_t offset, size_t bytes) {
  return copy_row(host_side(to), array_side(from, offset), bytes, kPerThread);
}
CUresult cuMemcpyAtoHAsync_v2(void* to, CUarray from, size_t offset, size_t bytes, CUstream stream) {
  return copy_row(host_side(to), array_side(from, offset), bytes, queued(stream));
}
CUresult cuMemcpyDtoA_v2(CUarray to, size_t offset, CUdeviceptr from, size_t bytes) {
  return copy_row(array_side(to, offset), device_side(from), bytes, kLegacy);
}
CUresult cuMemcpyDtoA_v2_ptds(CUarray to, size_t offset, CUdeviceptr from, size_t bytes) {
  return copy_row(array_side(to, offset), device_side(from), bytes, kPerThread);
}
CUresult cuMemcpyAtoD_v2(CUdeviceptr to, CUarray from, size_t offset, size_t bytes) {
  return copy_row(device_side(to), array_side(from, offset), bytes, kLegacy);
}
CUresult cuMemcpyAtoD_v2_ptds(CUdeviceptr to, CUarray from, size_t offset, size_t bytes) {
  return copy_row(device_side(to), array_side(from, offset), bytes, kPerThread);
}
CUresult cuMemcpyAtoA_v2(CUarray to, size_t to_offset, CUarray from, size_t from_offset, size_t bytes) {
  return copy_row(array_side(to, to_offset), array_side(from, from_offset), bytes, kLegacy);
}
CUresult cuMemcpyAtoA_v2_ptds(CUarray to, size_t to_offset, CUarray from, size_t from_offset, size_t bytes) {
  return copy_row(array_side(to, to_offset), array_side(from, from_offset), bytes, kPerThread);
}

}  // extern "C"
