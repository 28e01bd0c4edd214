// Kernel nodes of graphs: parameters are packed as for a launch, and copied by the server.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/launch_parameters.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_graph_gen.h"

namespace outboard::client::calls {
namespace {

template <typename Request>
CUresult fill(Client& client, const CUDA_KERNEL_NODE_PARAMS& from, Request* request) {
  // Exactly one of `func` and `kern` names the code.
  const FunctionInfo* function =
      from.func != nullptr ? find_function(client, from.func) : find_function(client, from.kern);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  request->function = function->handle;
  request->grid_x = from.gridDimX;
  request->grid_y = from.gridDimY;
  request->grid_z = from.gridDimZ;
  request->block_x = from.blockDimX;
  request->block_y = from.blockDimY;
  request->block_z = from.blockDimZ;
  request->shared_bytes = from.sharedMemBytes;
  return pack_parameters(*function, from.kernelParams, from.extra, &request->parameters);
}

}  // namespace

CUresult cuGraphAddKernelNode_v2(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                 const CUgraphNode* dependencies, size_t numDependencies,
                                 const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  if (phGraphNode == nullptr || nodeParams == nullptr || (numDependencies != 0 && dependencies == nullptr)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  wire::GraphAddKernelNodeRequest request;
  if (const CUresult result = find(client, hGraph, &request.graph); result != CUDA_SUCCESS) return result;
  for (size_t i = 0; i < numDependencies; ++i) {
    wire::Handle dependency;
    if (const CUresult result = find(client, dependencies[i], &dependency); result != CUDA_SUCCESS)
      return result;
    request.dependencies.push_back(dependency);
  }
  if (const CUresult result = fill(client, *nodeParams, &request); result != CUDA_SUCCESS) return result;
  const CUresult created = client.create_handle(wire::HandleKind::kGraphNode, &request.node);
  if (created != CUDA_SUCCESS) return created;
  wire::GraphAddKernelNodeReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) {
    client.forget_handle(wire::HandleKind::kGraphNode, request.node);
    return result;
  }
  *phGraphNode = to_application<CUgraphNode>(request.node);
  return CUDA_SUCCESS;
}

CUresult cuGraphExecKernelNodeSetParams_v2(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                           const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GraphExecKernelNodeSetParamsRequest request;
  if (const CUresult result = find(client, hGraphExec, &request.exec); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, hNode, &request.node); result != CUDA_SUCCESS) return result;
  if (const CUresult result = fill(client, *nodeParams, &request); result != CUDA_SUCCESS) return result;
  wire::GraphExecKernelNodeSetParamsReply reply;
  return client.call(request, reply);
}

}  // namespace outboard::client::calls
