// What of streams is not generated.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/graph_nodes.h"
#include "client-lib/calls/green_context.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/memcpy.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/session/client.h"
#include "client-lib/state/per_thread.h"
#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::client::calls {
namespace {

CUresult launch_host_function(Client& client, CUstream stream, HostFunctions::Function function) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::LaunchHostFunctionRequest request;
  if (const CUresult result = find(client, stream, &request.stream); result != CUDA_SUCCESS) return result;
  // The stream counts as idle while the function runs: what was before it is there, and what the function
  // writes is there for what comes after.
  request.callback = client.host_functions().add([&client, function = std::move(function)] {
    client.mirrors().meet();
    function();
    client.mirrors().meet();
  });
  const CUresult result = client.post(request);
  if (result != CUDA_SUCCESS) client.host_functions().remove(request.callback);
  return result;
}

// The context that a stream lives in; special streams live in the current one.
CUresult context_of(Client& client, CUstream stream, ContextInfo** info) {
  wire::Handle handle;
  if (const CUresult result = find(client, stream, &handle); result != CUDA_SUCCESS) return result;
  if (handle.index == 0) return client.require_context(info);
  *info = client.context_at(client.handles().owner(wire::HandleKind::kStream, handle));
  return *info == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

// What cuStreamGetCaptureInfo_v2 points the caller to: valid until this thread asks again, which is
// at least as long as the driver promises (until the capture changes).
struct CaptureAnswer {
  std::vector<CUgraphNode> dependencies;
  std::vector<CUgraphEdgeData> edges;
};

struct CaptureOut {
  CUstreamCaptureStatus* status = nullptr;
  cuuint64_t* id = nullptr;
  CUgraph* graph = nullptr;
  const CUgraphNode** dependencies = nullptr;
  const CUgraphEdgeData** edges = nullptr;
  size_t* count = nullptr;
};

CUresult capture_info(Client& client, CUstream stream, const CaptureOut& out) {
  if (out.status == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::StreamGetCaptureInfoRequest request;
  if (const CUresult result = find(client, stream, &request.stream); result != CUDA_SUCCESS) return result;
  wire::StreamGetCaptureInfoReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  *out.status = static_cast<CUstreamCaptureStatus>(reply.status);
  if (*out.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
  auto& answer = per_thread<CaptureAnswer>();
  answer.dependencies.clear();
  for (const wire::Handle node : reply.dependencies)
    answer.dependencies.push_back(to_application<CUgraphNode>(node));
  answer.edges = reply.edges;
  if (out.id != nullptr) *out.id = reply.id;
  if (out.graph != nullptr) *out.graph = to_application<CUgraph>(reply.graph);
  if (out.dependencies != nullptr) *out.dependencies = answer.dependencies.data();
  if (out.edges != nullptr) *out.edges = answer.edges.empty() ? nullptr : answer.edges.data();
  if (out.count != nullptr) *out.count = answer.dependencies.size();
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuStreamSynchronize(Client& client, CUstream hStream) {
  wire::Handle stream;
  if (const CUresult result = find(client, hStream, &stream); result != CUDA_SUCCESS) return result;
  return wait_for_stream(client, stream);
}

CUresult cuStreamQuery(Client& client, CUstream hStream) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::StreamQueryRequest request;
  if (const CUresult result = find(client, hStream, &request.hStream); result != CUDA_SUCCESS) return result;
  const MirrorWait wait(client);
  StreamActivity& activity = client.activity();
  const StreamActivity::Mark mark = activity.mark(request.hStream);
  if (activity.need(request.hStream, context->handle, mark) == StreamActivity::Need::kNothing)
    return what_waits_report(client);
  wire::StreamQueryReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) return result;
  activity.settled(request.hStream, context->handle, mark);
  wait.stream_done(request.hStream);
  return client.session().take_deferred();
}

CUresult cuStreamGetCtx(Client& client, CUstream hStream, CUcontext* pctx) {
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = context_of(client, hStream, &info); result != CUDA_SUCCESS) return result;
  *pctx = to_application<CUcontext>(info->handle);
  CUgreenCtx green = nullptr;
  return green_context_of(client, hStream, &green, pctx);
}

CUresult cuStreamGetCtx_v2(Client& client, CUstream hStream, CUcontext* pCtx, CUgreenCtx* pGreenCtx) {
  if (pCtx == nullptr || pGreenCtx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = context_of(client, hStream, &info); result != CUDA_SUCCESS) return result;
  *pCtx = to_application<CUcontext>(info->owner);
  CUcontext view = nullptr;
  return green_context_of(client, hStream, pGreenCtx, &view);
}

CUresult cuStreamGetDevice(Client& client, CUstream hStream, CUdevice* device) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = context_of(client, hStream, &info); result != CUDA_SUCCESS) return result;
  return client.application_device(static_cast<int32_t>(info->device), device);
}

CUresult cuLaunchHostFunc(Client& client, CUstream hStream, CUhostFn fn, void* userData) {
  if (fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::Handle stream;
  if (const CUresult result = find(client, hStream, &stream); result != CUDA_SUCCESS) return result;
  if (is_capturing(client, stream)) return capture_host_function(client, stream, {fn, userData});
  return launch_host_function(client, hStream, [fn, userData] { fn(userData); });
}

CUresult cuStreamAddCallback(Client& client, CUstream hStream, CUstreamCallback callback, void* userData,
                             unsigned int flags) {
  if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  wire::Handle stream;
  if (const CUresult result = find(client, hStream, &stream); result != CUDA_SUCCESS) return result;
  // Unlike a host function it cannot be part of a graph; it spoils the capture as a wait does.
  if (is_capturing(client, stream)) return wait_for_stream(client, stream);
  return launch_host_function(client, hStream, [&client, hStream, callback, userData] {
    callback(hStream, client.session().broken(), userData);
  });
}

// CUDA 10.0 had no modes; its captures behave as global ones.
CUresult cuStreamBeginCapture(Client& client, CUstream hStream) {
  return cuStreamBeginCapture_v2(client, hStream, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

CUresult cuStreamGetCaptureInfo(Client& client, CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                cuuint64_t* id_out) {
  return capture_info(client, hStream, {captureStatus_out, id_out, nullptr, nullptr, nullptr, nullptr});
}

CUresult cuStreamGetCaptureInfo_v2(Client& client, CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                   cuuint64_t* id_out, CUgraph* graph_out,
                                   const CUgraphNode** dependencies_out, size_t* numDependencies_out) {
  return capture_info(client, hStream,
                      {captureStatus_out, id_out, graph_out, dependencies_out, nullptr, numDependencies_out});
}

CUresult cuStreamGetCaptureInfo_v3(Client& client, CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                   cuuint64_t* id_out, CUgraph* graph_out,
                                   const CUgraphNode** dependencies_out, const CUgraphEdgeData** edgeData_out,
                                   size_t* numDependencies_out) {
  return capture_info(
      client, hStream,
      {captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out, numDependencies_out});
}

}  // namespace outboard::client::calls
