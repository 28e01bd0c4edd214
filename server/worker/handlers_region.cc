// Two- and three-dimensional copies, arrays included. On the wire the client's side of a copy is
// packed without gaps, whatever pitches it has in the client's memory.
#include <optional>

#include "protocol/base/limits.h"
#include "server/worker/copy_ends.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

// The product of the extents; nothing if it exceeds one chunk, which also bounds what may overflow.
std::optional<size_t> packed_bytes(uint64_t width_bytes, uint64_t height, uint64_t depth) {
  constexpr uint64_t kMost = limits::kBulkChunkBytes;
  if (width_bytes == 0 || height == 0 || depth == 0) return 0;
  if (width_bytes > kMost || height > kMost / width_bytes) return std::nullopt;
  if (depth > kMost / (width_bytes * height)) return std::nullopt;
  return static_cast<size_t>(width_bytes * height * depth);
}

template <typename Request>
CUDA_MEMCPY3D extents(const Request& request) {
  CUDA_MEMCPY3D copy{};
  copy.WidthInBytes = request.width_bytes;
  copy.Height = request.height;
  copy.Depth = request.depth;
  return copy;
}

}  // namespace

CUresult handle(Worker& worker, const wire::CopyRegionRequest& request, wire::CopyRegionReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  CUDA_MEMCPY3D copy = extents(request);
  if (!set_destination(worker, request.destination, copy)) return CUDA_ERROR_INVALID_HANDLE;
  if (!set_source(worker, request.source, copy)) return CUDA_ERROR_INVALID_HANDLE;
  return worker.driver().cuMemcpy3DAsync_v2(&copy, stream);
}

CUresult handle(Worker& worker, const wire::CopyRegionPeerRequest& request, wire::CopyRegionPeerReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  const auto destination = worker.native_as<CUcontext>(HandleKind::kContext, request.destination_context);
  const auto source = worker.native_as<CUcontext>(HandleKind::kContext, request.source_context);
  if (!destination || !source) return CUDA_ERROR_INVALID_CONTEXT;
  CUDA_MEMCPY3D_PEER copy{};
  copy.WidthInBytes = request.width_bytes;
  copy.Height = request.height;
  copy.Depth = request.depth;
  copy.dstContext = *destination;
  copy.srcContext = *source;
  if (!set_destination(worker, request.destination, copy)) return CUDA_ERROR_INVALID_HANDLE;
  if (!set_source(worker, request.source, copy)) return CUDA_ERROR_INVALID_HANDLE;
  return worker.driver().cuMemcpy3DPeerAsync(&copy, stream);
}

CUresult handle(Worker& worker, const wire::CopyRegionFromHostRequest& request,
                std::span<const std::byte> bulk, wire::CopyRegionFromHostReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  const auto size_bytes = packed_bytes(request.width_bytes, request.height, request.depth);
  if (!size_bytes || *size_bytes != bulk.size()) {
    return worker.violation(
        "The data of a copy to the device does not have the length that its extents need.");
  }
  if (*size_bytes == 0) return CUDA_SUCCESS;
  CUDA_MEMCPY3D copy = extents(request);
  if (!set_destination(worker, request.destination, copy)) return CUDA_ERROR_INVALID_HANDLE;
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = bulk.data();
  copy.srcPitch = request.width_bytes;
  copy.srcHeight = request.height;
  const CUresult copied = worker.driver().cuMemcpy3DAsync_v2(&copy, stream);
  // As in handlers_copy.cc: streams that wait for no other rely on a synchronous copy to be over.
  return copied != CUDA_SUCCESS || request.asynchronous ? copied
                                                        : worker.driver().cuStreamSynchronize(stream);
}

CUresult handle(Worker& worker, const wire::CopyRegionToHostRequest& request,
                BulkWork<wire::CopyRegionToHostReply>& work) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  const auto size_bytes = packed_bytes(request.width_bytes, request.height, request.depth);
  if (!size_bytes) return worker.violation("A copy from the device asks for more than one chunk of 8 MiB.");
  CUDA_MEMCPY3D copy = extents(request);
  if (!set_source(worker, request.source, copy)) return CUDA_ERROR_INVALID_HANDLE;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstPitch = request.width_bytes;
  copy.dstHeight = request.height;
  work = [&session = worker.session(), stream, copy, size = *size_bytes](wire::CopyRegionToHostReply&,
                                                                         BulkBuffer& bulk) mutable {
    bulk = session.bulk_pool.take(size);
    if (size == 0) return CUDA_SUCCESS;
    copy.dstHost = bulk.bytes().data();
    const CUresult copied = session.driver.cuMemcpy3DAsync_v2(&copy, stream);
    return copied != CUDA_SUCCESS ? copied : session.driver.cuStreamSynchronize(stream);
  };
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
