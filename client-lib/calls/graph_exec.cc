// Graphs as a whole, their executable forms, and objects of the application that they keep.
#include <cstdio>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_graph_gen.h"

namespace outboard::client::calls {

CUresult cuGraphDestroy(Client& client, CUgraph hGraph) {
  wire::GraphDestroyRequest request;
  if (const CUresult result = find(client, hGraph, &request.graph); result != CUDA_SUCCESS) return result;
  client.forget_handle(wire::HandleKind::kGraph, request.graph);
  return client.post(request);
}

CUresult cuGraphExecDestroy(Client& client, CUgraphExec hGraphExec) {
  wire::GraphExecDestroyRequest request;
  if (const CUresult result = find(client, hGraphExec, &request.exec); result != CUDA_SUCCESS) return result;
  client.forget_handle(wire::HandleKind::kGraphExec, request.exec);
  return client.post(request);
}

CUresult cuGraphLaunch(Client& client, CUgraphExec hGraphExec, CUstream hStream) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::GraphLaunchRequest request;
  if (const CUresult result = find(client, hGraphExec, &request.exec); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, hStream, &request.stream); result != CUDA_SUCCESS) return result;
  client.count_launch();
  return client.post(request);
}

CUresult cuGraphInstantiateWithParams(Client& client, CUgraphExec* phGraphExec, CUgraph hGraph,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* instantiateParams,
                                      CUstream default_stream) {
  if (phGraphExec == nullptr || instantiateParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GraphInstantiateWithParamsRequest request;
  request.flags = instantiateParams->flags;
  const CUstream given = instantiateParams->hUploadStream;
  const CUstream upload = given != nullptr ? given : default_stream;
  if (const CUresult result = find(client, hGraph, &request.graph); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, upload, &request.stream); result != CUDA_SUCCESS) return result;
  const CUresult created = client.create_handle(wire::HandleKind::kGraphExec, &request.exec);
  if (created != CUDA_SUCCESS) return created;
  wire::GraphInstantiateWithParamsReply reply;
  const CUresult result = client.call(request, reply);
  instantiateParams->result_out = static_cast<CUgraphInstantiateResult>(reply.result);
  instantiateParams->hErrNode_out = to_application<CUgraphNode>(reply.error_node);
  if (result != CUDA_SUCCESS) {
    client.forget_handle(wire::HandleKind::kGraphExec, request.exec);
    return result;
  }
  *phGraphExec = to_application<CUgraphExec>(request.exec);
  return CUDA_SUCCESS;
}

// The file is written on this machine.
CUresult cuGraphDebugDotPrint(Client& client, CUgraph hGraph, const char* path, unsigned int flags) {
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GraphDebugDotPrintRequest request;
  request.flags = flags;
  if (const CUresult result = find(client, hGraph, &request.graph); result != CUDA_SUCCESS) return result;
  wire::GraphDebugDotPrintReply reply;
  Reply raw;
  if (const CUresult result = client.call(request, reply, raw, {}); result != CUDA_SUCCESS) return result;
  std::FILE* file = std::fopen(path, "we");
  if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool written = std::fwrite(raw.bulk.data(), 1, raw.bulk.size(), file) == raw.bulk.size();
  const bool closed = std::fclose(file) == 0;
  return written && closed ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
}

CUresult cuGraphNodeGetType(Client& client, CUgraphNode hNode, CUgraphNodeType* type) {
  if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GraphNodeGetTypeRequest request;
  if (const CUresult result = find(client, hNode, &request.node); result != CUDA_SUCCESS) return result;
  wire::GraphNodeGetTypeReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) *type = static_cast<CUgraphNodeType>(reply.type);
  return result;
}

CUresult cuGraphNodeGetEnabled(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                               unsigned int* isEnabled) {
  if (isEnabled == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GraphNodeGetEnabledRequest request;
  if (const CUresult result = find(client, hGraphExec, &request.exec); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, hNode, &request.node); result != CUDA_SUCCESS) return result;
  wire::GraphNodeGetEnabledReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) *isEnabled = reply.enabled;
  return result;
}

CUresult cuGraphNodeSetEnabled(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                               unsigned int isEnabled) {
  wire::GraphNodeSetEnabledRequest request;
  request.enabled = isEnabled;
  if (const CUresult result = find(client, hGraphExec, &request.exec); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, hNode, &request.node); result != CUDA_SUCCESS) return result;
  wire::GraphNodeSetEnabledReply reply;
  return client.call(request, reply);
}

// The destructor runs on the thread of host functions, when the last reference is gone.
CUresult cuUserObjectCreate(Client& client, CUuserObject* object_out, void* ptr, CUhostFn destroy,
                            unsigned int initialRefcount, unsigned int flags) {
  if (object_out == nullptr || destroy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (initialRefcount == 0 || initialRefcount > INT32_MAX || flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
    return CUDA_ERROR_INVALID_VALUE;
  wire::UserObjectCreateRequest request;
  request.count = initialRefcount;
  request.flags = flags;
  const CUresult created = client.create_handle(wire::HandleKind::kUserObject, &request.object);
  if (created != CUDA_SUCCESS) return created;
  request.callback =
      client.host_functions().add_repeating({}, [&client, destroy, ptr, object = request.object](uint64_t) {
        client.forget_handle(wire::HandleKind::kUserObject, object);
        destroy(ptr);
      });
  wire::UserObjectCreateReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) {
    client.host_functions().remove(request.callback);
    client.forget_handle(wire::HandleKind::kUserObject, request.object);
    return result;
  }
  *object_out = to_application<CUuserObject>(request.object);
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
