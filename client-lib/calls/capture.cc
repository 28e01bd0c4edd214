// Beginning and ending captures. The server's driver captures in the relaxed mode always: its threads
// are not the application's, so the rules of the other modes are the client's to keep
// (Client::check_captures).
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::client::calls {
namespace {

template <typename Request>
CUresult begin(Client& client, Request& request, CUstream stream, CUstreamCaptureMode mode) {
  if (mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, stream, &request.hStream); result != CUDA_SUCCESS) return result;
  request.mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  typename Request::Reply reply;
  const CUresult result = client.call(request, reply);
  constexpr bool kIntoGraph = requires { request.hGraph; };
  if (result == CUDA_SUCCESS) client.captures().begin(request.hStream, context->handle, mode, kIntoGraph);
  return result;
}

}  // namespace

CUresult cuStreamBeginCapture_v2(Client& client, CUstream hStream, CUstreamCaptureMode mode) {
  wire::StreamBeginCaptureV2Request request;
  return begin(client, request, hStream, mode);
}

CUresult cuStreamBeginCaptureToGraph(Client& client, CUstream hStream, CUgraph hGraph,
                                     const CUgraphNode* dependencies, const CUgraphEdgeData* dependencyData,
                                     size_t numDependencies, CUstreamCaptureMode mode) {
  if (numDependencies != 0 && dependencies == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (numDependencies > limits::kArrayElements) return CUDA_ERROR_INVALID_VALUE;
  wire::StreamBeginCaptureToGraphRequest request;
  if (const CUresult result = find(client, hGraph, &request.hGraph); result != CUDA_SUCCESS) return result;
  for (size_t i = 0; i < numDependencies; ++i) {
    const CUresult result = find(client, dependencies[i], &request.dependencies.emplace_back());
    if (result != CUDA_SUCCESS) return result;
  }
  if (dependencyData != nullptr)
    request.dependencyData.assign(dependencyData, dependencyData + numDependencies);
  request.numDependencies = numDependencies;
  return begin(client, request, hStream, mode);
}

CUresult cuStreamEndCapture(Client& client, CUstream hStream, CUgraph* phGraph) {
  if (phGraph != nullptr) *phGraph = nullptr;
  wire::StreamEndCaptureRequest request;
  if (const CUresult result = find(client, hStream, &request.hStream); result != CUDA_SUCCESS) return result;
  if (phGraph == nullptr && !client.captures().into_graph(request.hStream)) return CUDA_ERROR_INVALID_VALUE;
  if (!client.captures().may_end(request.hStream)) return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  wire::StreamEndCaptureReply reply;
  const CUresult result = client.call(request, reply);
  // A stream that only takes part in a capture cannot end it; everything else does.
  if (result != CUDA_ERROR_STREAM_CAPTURE_UNMATCHED) client.captures().end(request.hStream);
  if (result == CUDA_SUCCESS && phGraph != nullptr) *phGraph = to_application<CUgraph>(reply.phGraph);
  return result;
}

}  // namespace outboard::client::calls
