// Graph nodes whose parameters are addresses of the client's memory, and what a capture has built.
#include <vector>

#include "server/worker/handlers_gen.h"
#include "server/worker/packed_parameters.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

template <typename Request>
CUresult kernel_node_parameters(const Worker& worker, const Request& request, PackedParameters& packed,
                                CUDA_KERNEL_NODE_PARAMS& parameters) {
  const auto function = worker.native_as<CUfunction>(HandleKind::kFunction, request.function);
  if (!function) return CUDA_ERROR_INVALID_HANDLE;
  parameters = {};
  parameters.func = *function;
  parameters.gridDimX = request.grid_x;
  parameters.gridDimY = request.grid_y;
  parameters.gridDimZ = request.grid_z;
  parameters.blockDimX = request.block_x;
  parameters.blockDimY = request.block_y;
  parameters.blockDimZ = request.block_z;
  parameters.sharedMemBytes = request.shared_bytes;
  parameters.extra = packed.extra();
  return CUDA_SUCCESS;
}

}  // namespace

CUresult handle(Worker& worker, const wire::GraphAddKernelNodeRequest& request,
                wire::GraphAddKernelNodeReply&) {
  const auto graph = worker.native_as<CUgraph>(HandleKind::kGraph, request.graph);
  if (!graph) return CUDA_ERROR_INVALID_HANDLE;
  std::vector<CUgraphNode> dependencies;
  for (const wire::Handle handle : request.dependencies) {
    const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, handle);
    if (!node) return CUDA_ERROR_INVALID_HANDLE;
    dependencies.push_back(*node);
  }
  PackedParameters packed(request.parameters);
  CUDA_KERNEL_NODE_PARAMS parameters;
  if (CUresult made = kernel_node_parameters(worker, request, packed, parameters); made != CUDA_SUCCESS)
    return made;
  CUgraphNode node = nullptr;
  const CUresult added = worker.driver().cuGraphAddKernelNode_v2(&node, *graph, dependencies.data(),
                                                                 dependencies.size(), &parameters);
  if (added != CUDA_SUCCESS) return added;
  if (Status named = worker.name_object(HandleKind::kGraphNode, request.node, node); !named) {
    return worker.violation(named.error().message);
  }
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::GraphExecKernelNodeSetParamsRequest& request,
                wire::GraphExecKernelNodeSetParamsReply&) {
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!exec || !node) return CUDA_ERROR_INVALID_HANDLE;
  PackedParameters packed(request.parameters);
  CUDA_KERNEL_NODE_PARAMS parameters;
  if (CUresult made = kernel_node_parameters(worker, request, packed, parameters); made != CUDA_SUCCESS)
    return made;
  return worker.driver().cuGraphExecKernelNodeSetParams_v2(*exec, *node, &parameters);
}

namespace {

struct Capture {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode* dependencies = nullptr;
  const CUgraphEdgeData* edges = nullptr;
  size_t count = 0;
};

CUresult ask_capture(const DriverApi& driver, CUstream stream, Capture& capture) {
  if (driver.has("cuStreamGetCaptureInfo_v3")) {
    return driver.cuStreamGetCaptureInfo_v3(stream, &capture.status, &capture.id, &capture.graph,
                                            &capture.dependencies, &capture.edges, &capture.count);
  }
  return driver.cuStreamGetCaptureInfo_v2(stream, &capture.status, &capture.id, &capture.graph,
                                          &capture.dependencies, &capture.count);
}

}  // namespace

CUresult handle(Worker& worker, const wire::StreamGetCaptureInfoRequest& request,
                wire::StreamGetCaptureInfoReply& reply) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  Capture capture;
  if (CUresult asked = ask_capture(worker.driver(), stream, capture); asked != CUDA_SUCCESS) return asked;
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

}  // namespace outboard::server
