// Streams that capture: what they have built, copies with host sides in them, and how the data of such
// copies comes and goes when the graph runs.
#include <cstring>
#include <vector>

#include "protocol/base/limits.h"
#include "server/worker/capture_info.h"
#include "server/worker/graph_nodes.h"
#include "server/worker/handlers_gen.h"

namespace outboard::server {

using wire::HandleKind;

CUresult ask_capture(const DriverApi& driver, CUstream stream, CaptureInfo* capture) {
  if (driver.has("cuStreamGetCaptureInfo_v3")) {
    return driver.cuStreamGetCaptureInfo_v3(stream, &capture->status, &capture->id, &capture->graph,
                                            &capture->dependencies, &capture->edges, &capture->count);
  }
  return driver.cuStreamGetCaptureInfo_v2(stream, &capture->status, &capture->id, &capture->graph,
                                          &capture->dependencies, &capture->count);
}

CUresult handle(Worker& worker, const wire::StreamGetCaptureInfoRequest& request,
                wire::StreamGetCaptureInfoReply& reply) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  CaptureInfo capture;
  if (CUresult asked = ask_capture(worker.driver(), stream, &capture); asked != CUDA_SUCCESS) return asked;
  reply.status = capture.status;
  reply.id = capture.id;
  if (capture.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
  const auto adopt = [&](HandleKind kind, auto* native) -> wire::Handle {
    auto handle = worker.adopt_object(kind, reinterpret_cast<uintptr_t>(native));
    if (handle) return *handle;
    worker.violation(handle.error().message);
    return {};
  };
  reply.graph = adopt(HandleKind::kGraph, capture.graph);
  for (size_t i = 0; i < capture.count; ++i) {
    reply.dependencies.push_back(adopt(HandleKind::kGraphNode, capture.dependencies[i]));
    if (capture.edges != nullptr) reply.edges.push_back(capture.edges[i]);
  }
  return CUDA_SUCCESS;
}

// The node is added to the graph as by hand, where the stream stands; then the stream stands behind it.
CUresult handle(Worker& worker, const wire::CaptureCopyRequest& request, wire::CaptureCopyReply&) {
  const DriverApi& driver = worker.driver();
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  CaptureInfo capture;
  if (CUresult asked = ask_capture(driver, stream, &capture); asked != CUDA_SUCCESS) return asked;
  if (capture.status == CU_STREAM_CAPTURE_STATUS_INVALIDATED) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  if (capture.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_ERROR_ILLEGAL_STATE;
  NodeParams params(worker);
  if (CUresult set = params.set(request.params); set != CUDA_SUCCESS) return set;
  if (params.staged()) {
    if (CUresult wrapped = params.wrap(); wrapped != CUDA_SUCCESS) return wrapped;
  }
  CUgraphNode node = nullptr;
  const CUresult added = driver.cuGraphAddNode_v2(&node, capture.graph, capture.dependencies, capture.edges,
                                                  capture.count, &params.native());
  if (added != CUDA_SUCCESS) return added;
  params.keep_in(capture.graph);
  return driver.cuStreamUpdateCaptureDependencies(stream, &node, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES);
}

namespace {

// The part of a copy's staging memory that a command is about; empty if it is not the client's turn.
std::span<std::byte> staged_part(Worker& worker, uint64_t callback, uint64_t offset, uint64_t size) {
  const std::span<std::byte> all = worker.session().callbacks.staging(callback);
  if (offset > all.size() || size > all.size() - offset) return {};
  return all.subspan(offset, size);
}

constexpr const char* kNotItsTurn =
    "The client moves data of a copy that the device does not wait for, or more than the copy has.";

}  // namespace

CUresult handle(Worker& worker, const wire::HostCopyWriteRequest& request, std::span<const std::byte> bulk,
                wire::HostCopyWriteReply&) {
  const std::span<std::byte> part = staged_part(worker, request.callback, request.offset, bulk.size());
  if (part.empty()) return worker.violation(kNotItsTurn);
  std::memcpy(part.data(), bulk.data(), bulk.size());
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::HostCopyReadRequest& request, wire::HostCopyReadReply&,
                BulkBuffer& bulk) {
  const std::span<std::byte> part = staged_part(worker, request.callback, request.offset, request.size_bytes);
  if (part.empty() || part.size() > limits::kBulkChunkBytes) return worker.violation(kNotItsTurn);
  bulk = worker.session().bulk_pool.take(part.size());
  std::memcpy(bulk.bytes().data(), part.data(), part.size());
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
