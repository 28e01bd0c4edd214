#include "server/softgpu/driver/copy.h"

#include <cstring>

#include "server/softgpu/device/array.h"
#include "server/softgpu/device/limits.h"
#include "server/softgpu/driver/driver.h"

namespace outboard::softgpu {
namespace {

// Pageable memory up to this size is copied when an asynchronous copy is queued; larger ones make
// the caller wait, as CUDA allows.
constexpr uint64_t kSnapshotBytes = uint64_t{1} << 20;

// First and one past the last byte that one side touches.
uint64_t extent_bytes(const CopyOperation& copy, const CopySide& side) {
  return (copy.depth - 1) * side.slice_pitch + (copy.height - 1) * side.row_pitch + copy.width_bytes;
}

bool in_arena(uint64_t address) {
  return address >= kArenaBase && address < kArenaBase + kArenaStride * kMaxDevices;
}

CUresult check_side(Platform& platform, uint64_t address, Side side, uint64_t bytes) {
  if (side == Side::kHost && !in_arena(address))
    return address == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (platform.memory().covers(address, bytes)) return CUDA_SUCCESS;
  // Not of this driver: ordinary host memory, unless a device address was promised.
  const bool known = platform.memory().find(address).has_value();
  if (side == Side::kAny && !known && !in_arena(address) && address != 0) return CUDA_SUCCESS;
  return CUDA_ERROR_INVALID_VALUE;
}

bool pageable(Platform& platform, uint64_t address) { return !platform.memory().find(address).has_value(); }

// Copies the source rows now, packed.
void take_snapshot(CopyOperation& copy) {
  auto bytes = std::make_shared<std::vector<std::byte>>(copy.width_bytes * copy.height * copy.depth);
  CopyOperation pack = copy;
  pack.to = {reinterpret_cast<uint64_t>(bytes->data()), copy.width_bytes, copy.width_bytes * copy.height};
  copy_rows(pack);
  copy.from = pack.to;
  copy.snapshot = std::move(bytes);
}

CUresult submit_copy(CopyOperation copy, const CopyOrder& order) noexcept {
  return with_stream(
      order.stream,
      [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
        if (copy.width_bytes == 0 || copy.height == 0 || copy.depth == 0) return CUDA_SUCCESS;
        Platform& platform = context.platform();
        if (order.wait) return context.submit_and_wait(stream, std::move(copy));
        if (!stream->capturing()) {
          const uint64_t bytes = copy.width_bytes * copy.height * copy.depth;
          const bool from_pageable = pageable(platform, copy.from.address);
          if (pageable(platform, copy.to.address) || (from_pageable && bytes > kSnapshotBytes)) {
            return context.submit_and_wait(stream, std::move(copy));
          }
          if (from_pageable) take_snapshot(copy);
        }
        return context.submit(stream, std::move(copy));
      },
      order.null_stream);
}

struct GivenSide {
  size_t x, y, z, pitch, height;
  CUmemorytype type;
  const void* host;
  CUdeviceptr device;
  CUarray array;
};

CUresult resolve_side(Platform& platform, const GivenSide& given, const CopyOperation& copy, CopySide* side) {
  if (given.type == CU_MEMORYTYPE_ARRAY) {
    const auto array = find<Array>(platform, given.array);
    if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (given.x + copy.width_bytes > array->descriptor().Width * array->element_bytes() ||
        given.y + copy.height > array->rows() || given.z + copy.depth > array->slices()) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    side->row_pitch = array->row_pitch();
    side->slice_pitch = array->slice_pitch();
    side->address = array->address() + given.z * side->slice_pitch + given.y * side->row_pitch + given.x;
    return CUDA_SUCCESS;
  }
  // A pitch of zero means rows without gaps; it must hold a row otherwise.
  side->row_pitch = given.pitch != 0 ? given.pitch : given.x + copy.width_bytes;
  if (copy.height > 1 && side->row_pitch < given.x + copy.width_bytes) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t rows = given.height != 0 ? given.height : given.y + copy.height;
  if (copy.depth > 1 && rows < given.y + copy.height) return CUDA_ERROR_INVALID_VALUE;
  side->slice_pitch = side->row_pitch * rows;
  const bool host = given.type == CU_MEMORYTYPE_HOST;
  if (!host && given.type != CU_MEMORYTYPE_DEVICE && given.type != CU_MEMORYTYPE_UNIFIED)
    return CUDA_ERROR_INVALID_VALUE;
  const uint64_t base = host ? reinterpret_cast<uint64_t>(given.host) : given.device;
  side->address = base + given.z * side->slice_pitch + given.y * side->row_pitch + given.x;
  const Side kind = host ? Side::kHost : given.type == CU_MEMORYTYPE_DEVICE ? Side::kDevice : Side::kAny;
  return check_side(platform, side->address, kind, extent_bytes(copy, *side));
}

}  // namespace

CUresult resolve_box(Platform& platform, const CUDA_MEMCPY3D& given, CopyOperation* copy) {
  copy->width_bytes = given.WidthInBytes;
  copy->height = given.Height;
  copy->depth = given.Depth;
  copy->as_given = given;
  if (copy->width_bytes == 0 || copy->height == 0 || copy->depth == 0) {
    copy->width_bytes = 0;
    return CUDA_SUCCESS;
  }
  if (given.srcLOD != 0 || given.dstLOD != 0) return CUDA_ERROR_INVALID_VALUE;
  const GivenSide from{given.srcXInBytes,   given.srcY,    given.srcZ,      given.srcPitch, given.srcHeight,
                       given.srcMemoryType, given.srcHost, given.srcDevice, given.srcArray};
  const GivenSide to{given.dstXInBytes,   given.dstY,    given.dstZ,      given.dstPitch, given.dstHeight,
                     given.dstMemoryType, given.dstHost, given.dstDevice, given.dstArray};
  if (const CUresult result = resolve_side(platform, from, *copy, &copy->from); result != CUDA_SUCCESS)
    return result;
  return resolve_side(platform, to, *copy, &copy->to);
}

CUresult copy_linear(uint64_t to, Side to_side, uint64_t from, Side from_side, uint64_t bytes,
                     const CopyOrder& order) noexcept {
  if (bytes == 0) return with_context([](Context&) { return CUDA_SUCCESS; });
  CopyOperation copy;
  copy.from = {from, bytes, bytes};
  copy.to = {to, bytes, bytes};
  copy.width_bytes = bytes;
  const CUresult checked = with_context([&](Context& context) -> CUresult {
    const CUresult result = check_side(context.platform(), from, from_side, bytes);
    if (result != CUDA_SUCCESS) return result;
    CUDA_MEMCPY3D& given = copy.as_given;
    given.srcMemoryType = given.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
    given.srcDevice = from;
    given.dstDevice = to;
    given.WidthInBytes = bytes;
    given.Height = given.Depth = 1;
    return check_side(context.platform(), to, to_side, bytes);
  });
  return checked == CUDA_SUCCESS ? submit_copy(std::move(copy), order) : checked;
}

CUresult copy_box(const CUDA_MEMCPY3D& given, const CopyOrder& order) noexcept {
  CopyOperation copy;
  const CUresult resolved =
      with_context([&](Context& context) { return resolve_box(context.platform(), given, &copy); });
  return resolved == CUDA_SUCCESS ? submit_copy(std::move(copy), order) : resolved;
}

CUresult copy_rectangle(const CUDA_MEMCPY2D& given, const CopyOrder& order) noexcept {
  CUDA_MEMCPY3D box{};
  box.srcXInBytes = given.srcXInBytes;
  box.srcY = given.srcY;
  box.srcMemoryType = given.srcMemoryType;
  box.srcHost = given.srcHost;
  box.srcDevice = given.srcDevice;
  box.srcArray = given.srcArray;
  box.srcPitch = given.srcPitch;
  box.dstXInBytes = given.dstXInBytes;
  box.dstY = given.dstY;
  box.dstMemoryType = given.dstMemoryType;
  box.dstHost = given.dstHost;
  box.dstDevice = given.dstDevice;
  box.dstArray = given.dstArray;
  box.dstPitch = given.dstPitch;
  box.WidthInBytes = given.WidthInBytes;
  box.Height = given.Height;
  box.Depth = 1;
  return copy_box(box, order);
}

CUresult check_fill(Platform& platform, const MemsetOperation& operation) {
  const uint64_t row_bytes = operation.width * operation.element_bytes;
  if (operation.address % operation.element_bytes != 0) return CUDA_ERROR_INVALID_VALUE;
  if (operation.height > 1 && operation.row_pitch < row_bytes) return CUDA_ERROR_INVALID_VALUE;
  if (row_bytes == 0 || operation.height == 0) return CUDA_SUCCESS;
  return check_side(platform, operation.address, Side::kDevice,
                    (operation.height - 1) * operation.row_pitch + row_bytes);
}

CUresult fill(const MemsetOperation& operation, const CopyOrder& order) noexcept {
  return with_stream(
      order.stream,
      [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
        const CUresult checked = check_fill(context.platform(), operation);
        if (checked != CUDA_SUCCESS || operation.width == 0 || operation.height == 0) return checked;
        // The calls without a stream need not wait, but when nothing is before them they are done
        // faster here than by a worker.
        const bool now = order.wait && !stream->capturing() && context.can_run_at_once(*stream);
        return now ? context.submit_and_wait(stream, operation) : context.submit(stream, operation);
      },
      order.null_stream);
}

}  // namespace outboard::softgpu
