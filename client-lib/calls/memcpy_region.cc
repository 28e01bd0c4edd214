// Copies of rectangles and boxes. Host sides are packed into bulk data row by row, so that the
// server never sees a host pitch; arrays count as device memory.
#include <algorithm>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/copy_box.h"
#include "client-lib/calls/graph_nodes.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/memcpy.h"
#include "protocol/base/limits.h"

namespace outboard::client::calls {
namespace {

// A part of a copy that fits one command, and where it starts inside the whole.
struct Piece {
  uint64_t x = 0;
  uint64_t y = 0;
  uint64_t z = 0;
  Box box;
};

wire::CopyEnd moved(const wire::CopyEnd& end, const Piece& piece) {
  wire::CopyEnd out = end;
  out.x_bytes += piece.x;
  out.y += piece.y;
  out.z += piece.z;
  return out;
}

// Cuts the box into pieces of at most one chunk: whole slices if they fit, else rows, else parts of
// a row.
template <typename Function>
CUresult for_each_piece(const Box& box, Function function) {
  const uint64_t most = limits::kBulkChunkBytes;
  Box step = box;
  if (box.width > most) {
    step = {most, 1, 1};
  } else if (box.width * box.height > most) {
    step = {box.width, most / box.width, 1};
  } else {
    step.depth = std::min(box.depth, most / (box.width * box.height));
  }
  for (uint64_t z = 0; z < box.depth; z += step.depth) {
    for (uint64_t y = 0; y < box.height; y += step.height) {
      for (uint64_t x = 0; x < box.width; x += step.width) {
        const Piece piece{x,
                          y,
                          z,
                          {std::min(step.width, box.width - x), std::min(step.height, box.height - y),
                           std::min(step.depth, box.depth - z)}};
        if (const CUresult result = function(piece); result != CUDA_SUCCESS) return result;
      }
    }
  }
  return CUDA_SUCCESS;
}

template <typename Function>
void for_each_row(const Piece& piece, Function function) {
  for (uint64_t z = 0; z < piece.box.depth; ++z) {
    for (uint64_t y = 0; y < piece.box.height; ++y)
      function(y, z, (z * piece.box.height + y) * piece.box.width);
  }
}

CUresult from_host(Client& client, const Copy& copy, const wire::CopyEnd& end, bool known,
                   const CopyOrder& order) {
  if (const CUresult r = settle_source(client, copy.from.host, order); r != CUDA_SUCCESS) return r;
  std::vector<std::byte> packed;
  return for_each_piece(copy.box, [&](const Piece& piece) {
    packed.resize(piece.box.bytes());
    for_each_row(piece, [&](uint64_t y, uint64_t z, uint64_t at) {
      std::memcpy(packed.data() + at, host_row(copy.from, piece.x, piece.y + y, piece.z + z),
                  piece.box.width);
    });
    const wire::CopyRegionFromHostRequest request{moved(end, piece), piece.box.width, piece.box.height,
                                                  piece.box.depth,   order.stream,    order.asynchronous};
    if (known) return client.post(request, packed);
    wire::CopyRegionFromHostReply reply;
    Reply raw;
    return client.call(request, reply, raw, CallOptions{packed, {}});
  });
}

CUresult to_host(Client& client, const Copy& copy, const wire::CopyEnd& end, const CopyOrder& order) {
  std::vector<std::byte> packed;
  return for_each_piece(copy.box, [&](const Piece& piece) {
    packed.resize(piece.box.bytes());
    const wire::CopyRegionToHostRequest request{moved(end, piece), piece.box.width, piece.box.height,
                                                piece.box.depth,   order.stream,    order.asynchronous};
    wire::CopyRegionToHostReply reply;
    Reply raw;
    const CUresult result = client.call(request, reply, raw, CallOptions{{}, packed});
    if (result != CUDA_SUCCESS) return result;
    for_each_row(piece, [&](uint64_t y, uint64_t z, uint64_t at) {
      std::memcpy(host_row(copy.to, piece.x, piece.y + y, piece.z + z), packed.data() + at, piece.box.width);
    });
    return CUDA_SUCCESS;
  });
}

CUresult on_host(Client& client, const Copy& copy, const CopyOrder& order) {
  if (const CUresult result = wait_for_stream(client, order.stream); result != CUDA_SUCCESS) return result;
  for_each_row(Piece{0, 0, 0, copy.box}, [&](uint64_t y, uint64_t z, uint64_t) {
    std::memmove(host_row(copy.to, 0, y, z), host_row(copy.from, 0, y, z), copy.box.width);
  });
  return CUDA_SUCCESS;
}

template <typename Request>
CUresult send(Client& client, const Request& request, bool known) {
  if (known) return client.post(request);
  typename Request::Reply reply;
  return client.call(request, reply);
}

CUresult on_device(Client& client, const Copy& copy, const wire::CopyEnd& to, const wire::CopyEnd& from,
                   bool known, const CopyOrder& order) {
  const Box& box = copy.box;
  const wire::Handle stream = order.stream;
  if (copy.to_context.is_null() || copy.from_context.is_null()) {
    return send(
        client,
        wire::CopyRegionRequest{to, from, box.width, box.height, box.depth, stream, order.asynchronous},
        known);
  }
  return send(client,
              wire::CopyRegionPeerRequest{to, copy.to_context, from, copy.from_context, box.width, box.height,
                                          box.depth, stream},
              known);
}

}  // namespace

CUresult copy_box(Client& client, Copy copy, CUstream stream, bool asynchronous) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  CopyOrder order{{}, asynchronous};
  if (const CUresult result = find(client, stream, &order.stream); result != CUDA_SUCCESS) return result;
  if (copy.box.bytes() == 0) return CUDA_SUCCESS;
  if (const CUresult result = settle_side(client, copy.to, copy.box); result != CUDA_SUCCESS) return result;
  if (const CUresult result = settle_side(client, copy.from, copy.box); result != CUDA_SUCCESS) return result;
  const bool to_is_host = copy.to.type == CU_MEMORYTYPE_HOST;
  const bool from_is_host = copy.from.type == CU_MEMORYTYPE_HOST;
  if (to_is_host || from_is_host) {
    if (const auto captured = copy_in_capture(client, copy, order)) return *captured;
  }
  if (to_is_host && from_is_host) return on_host(client, copy, order);

  wire::CopyEnd to;
  wire::CopyEnd from;
  bool to_known = true;
  bool from_known = true;
  if (!to_is_host) {
    if (const CUresult r = device_end(client, copy.to, copy.box, &to, &to_known); r != CUDA_SUCCESS) return r;
    if (const CUresult r = prepare_side(client, copy.to, copy.box, true, order.stream); r != CUDA_SUCCESS)
      return r;
  }
  if (!from_is_host) {
    if (const CUresult r = device_end(client, copy.from, copy.box, &from, &from_known); r != CUDA_SUCCESS)
      return r;
    if (const CUresult r = prepare_side(client, copy.from, copy.box, false, order.stream); r != CUDA_SUCCESS)
      return r;
  }
  if (from_is_host) return from_host(client, copy, to, to_known, order);
  if (to_is_host) return to_host(client, copy, from, order);
  if (const CUresult r = on_device(client, copy, to, from, to_known && from_known, order); r != CUDA_SUCCESS)
    return r;
  return finish_mirrored(client, copy.to.device, copy.from.device, order);
}

namespace {

Side array_side(CUarray array, size_t offset) {
  Side side;
  side.type = CU_MEMORYTYPE_ARRAY;
  side.array = array;
  side.x = offset;
  return side;
}

Side host_side(const void* host) {
  Side side;
  side.host = host;
  return side;
}

Side device_side(CUdeviceptr device) {
  Side side;
  side.type = CU_MEMORYTYPE_DEVICE;
  side.device = device;
  return side;
}

CUresult line(Client& client, const Side& to, const Side& from, size_t bytes, CUstream stream,
              bool asynchronous) {
  return copy_box(client, Copy{to, from, {bytes, 1, 1}, {}, {}}, stream, asynchronous);
}

CUresult between_contexts(Client& client, const CUDA_MEMCPY3D_PEER* given, CUstream stream,
                          bool asynchronous) {
  if (given == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Copy copy = copy_of(*given);
  // A host side needs no context.
  if (given->dstContext != nullptr) {
    if (const CUresult r = find(client, given->dstContext, &copy.to_context); r != CUDA_SUCCESS) return r;
  }
  if (given->srcContext != nullptr) {
    if (const CUresult r = find(client, given->srcContext, &copy.from_context); r != CUDA_SUCCESS) return r;
  }
  return copy_box(client, copy, stream, asynchronous);
}

}  // namespace

CUresult cuMemcpy3DPeer(Client& client, const CUDA_MEMCPY3D_PEER* pCopy, CUstream default_stream) {
  return between_contexts(client, pCopy, default_stream, false);
}

CUresult cuMemcpy3DPeerAsync(Client& client, const CUDA_MEMCPY3D_PEER* pCopy, CUstream hStream) {
  return between_contexts(client, pCopy, hStream, true);
}

CUresult cuMemcpy2D_v2(Client& client, const CUDA_MEMCPY2D* pCopy, CUstream default_stream) {
  return pCopy == nullptr ? CUDA_ERROR_INVALID_VALUE
                          : copy_box(client, copy_of(*pCopy), default_stream, false);
}

CUresult cuMemcpy2DUnaligned_v2(Client& client, const CUDA_MEMCPY2D* pCopy, CUstream default_stream) {
  return cuMemcpy2D_v2(client, pCopy, default_stream);
}

CUresult cuMemcpy2DAsync_v2(Client& client, const CUDA_MEMCPY2D* pCopy, CUstream hStream) {
  return pCopy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(client, copy_of(*pCopy), hStream, true);
}

CUresult cuMemcpy3D_v2(Client& client, const CUDA_MEMCPY3D* pCopy, CUstream default_stream) {
  return pCopy == nullptr ? CUDA_ERROR_INVALID_VALUE
                          : copy_box(client, copy_of(*pCopy), default_stream, false);
}

CUresult cuMemcpy3DAsync_v2(Client& client, const CUDA_MEMCPY3D* pCopy, CUstream hStream) {
  return pCopy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(client, copy_of(*pCopy), hStream, true);
}

CUresult cuMemcpyHtoA_v2(Client& client, CUarray dstArray, size_t dstOffset, const void* srcHost,
                         size_t ByteCount, CUstream default_stream) {
  return line(client, array_side(dstArray, dstOffset), host_side(srcHost), ByteCount, default_stream, false);
}

CUresult cuMemcpyHtoAAsync_v2(Client& client, CUarray dstArray, size_t dstOffset, const void* srcHost,
                              size_t ByteCount, CUstream hStream) {
  return line(client, array_side(dstArray, dstOffset), host_side(srcHost), ByteCount, hStream, true);
}

CUresult cuMemcpyAtoH_v2(Client& client, void* dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount,
                         CUstream default_stream) {
  return line(client, host_side(dstHost), array_side(srcArray, srcOffset), ByteCount, default_stream, false);
}

CUresult cuMemcpyAtoHAsync_v2(Client& client, void* dstHost, CUarray srcArray, size_t srcOffset,
                              size_t ByteCount, CUstream hStream) {
  return line(client, host_side(dstHost), array_side(srcArray, srcOffset), ByteCount, hStream, true);
}

CUresult cuMemcpyDtoA_v2(Client& client, CUarray dstArray, size_t dstOffset, CUdeviceptr srcDevice,
                         size_t ByteCount, CUstream default_stream) {
  return line(client, array_side(dstArray, dstOffset), device_side(srcDevice), ByteCount, default_stream,
              false);
}

CUresult cuMemcpyAtoD_v2(Client& client, CUdeviceptr dstDevice, CUarray srcArray, size_t srcOffset,
                         size_t ByteCount, CUstream default_stream) {
  return line(client, device_side(dstDevice), array_side(srcArray, srcOffset), ByteCount, default_stream,
              false);
}

CUresult cuMemcpyAtoA_v2(Client& client, CUarray dstArray, size_t dstOffset, CUarray srcArray,
                         size_t srcOffset, size_t ByteCount, CUstream default_stream) {
  return line(client, array_side(dstArray, dstOffset), array_side(srcArray, srcOffset), ByteCount,
              default_stream, false);
}

}  // namespace outboard::client::calls
