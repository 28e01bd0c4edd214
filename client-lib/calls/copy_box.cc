#include "client-lib/calls/copy_box.h"

#include "client-lib/calls/handles.h"
#include "client-lib/calls/memcpy.h"
#include "client-lib/calls/mirrored.h"

namespace outboard::client::calls {
namespace {

template <typename T>
Copy from_structure(const T& s, uint64_t depth) {
  Copy copy;
  copy.to = {s.dstMemoryType, s.dstHost, s.dstDevice, s.dstArray, s.dstPitch, 0, s.dstXInBytes, s.dstY, 0, 0};
  copy.from = {s.srcMemoryType, s.srcHost, s.srcDevice, s.srcArray, s.srcPitch, 0,
               s.srcXInBytes,   s.srcY,    0,           0};
  copy.box = {s.WidthInBytes, s.Height, depth};
  return copy;
}

uint64_t offset_of(const Side& side, uint64_t x, uint64_t y, uint64_t z) {
  return ((side.z + z) * side.height + side.y + y) * side.pitch + side.x + x;
}

// CUDA_MEMCPY3D and CUDA_MEMCPY3D_PEER.
template <typename T>
Copy from_box(const T& s) {
  Copy copy = from_structure(s, s.Depth);
  copy.to.height = s.dstHeight;
  copy.to.z = s.dstZ;
  copy.to.level = static_cast<uint32_t>(s.dstLOD);
  copy.from.height = s.srcHeight;
  copy.from.z = s.srcZ;
  copy.from.level = static_cast<uint32_t>(s.srcLOD);
  return copy;
}

// What a box in linear memory touches.
struct Span {
  uint64_t address = 0;
  uint64_t bytes = 0;
};

Span span_of(const Side& side, const Box& box) {
  const uint64_t first = offset_of(side, 0, 0, 0);
  return {side.device + first, offset_of(side, box.width, box.height - 1, box.depth - 1) - first};
}

}  // namespace

Copy copy_of(const CUDA_MEMCPY2D& s) { return from_structure(s, 1); }
Copy copy_of(const CUDA_MEMCPY3D& s) { return from_box(s); }
Copy copy_of(const CUDA_MEMCPY3D_PEER& s) { return from_box(s); }

CUresult settle_side(Client& client, Side& side, const Box& box) {
  if (side.type == CU_MEMORYTYPE_UNIFIED) {
    side.type = is_device(client, side.device) ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    side.host = reinterpret_cast<const void*>(side.device);
  }
  // Host memory that the device uses too is copied on the server.
  if (side.type == CU_MEMORYTYPE_HOST && client.mirrors().covers(reinterpret_cast<uint64_t>(side.host))) {
    side.type = CU_MEMORYTYPE_DEVICE;
    side.device = reinterpret_cast<CUdeviceptr>(side.host);
  }
  if (side.type == CU_MEMORYTYPE_ARRAY) return CUDA_SUCCESS;
  if (side.type != CU_MEMORYTYPE_HOST && side.type != CU_MEMORYTYPE_DEVICE) return CUDA_ERROR_INVALID_VALUE;
  if (side.type == CU_MEMORYTYPE_HOST ? side.host == nullptr : side.device == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (side.pitch == 0) side.pitch = side.x + box.width;
  if (side.height == 0) side.height = side.y + box.height;
  const bool rows_fit = side.pitch >= side.x + box.width || (box.height == 1 && box.depth == 1);
  const bool slices_fit = side.height >= side.y + box.height || box.depth == 1;
  return rows_fit && slices_fit ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

std::byte* host_row(const Side& side, uint64_t x, uint64_t y, uint64_t z) {
  return const_cast<std::byte*>(static_cast<const std::byte*>(side.host)) + offset_of(side, x, y, z);
}

CUresult device_end(Client& client, const Side& side, const Box& box, wire::CopyEnd* end, bool* known) {
  end->level = side.level;
  end->x_bytes = side.x;
  end->y = side.y;
  end->z = side.z;
  if (side.type == CU_MEMORYTYPE_ARRAY) {
    *known = true;
    return find(client, side.array, &end->array);
  }
  end->address = side.device;
  end->pitch_bytes = side.pitch;
  end->height = side.height;
  const Span span = span_of(side, box);
  return check_device_range(client, span.address, span.bytes, known);
}

CUresult prepare_side(Client& client, const Side& side, const Box& box, bool device_writes,
                      wire::Handle stream) {
  if (side.type == CU_MEMORYTYPE_ARRAY) return CUDA_SUCCESS;
  const Span span = span_of(side, box);
  return prepare_range(client, span.address, span.bytes, device_writes, stream);
}

}  // namespace outboard::client::calls
