// Capturing streams into graphs.
#include "server/softgpu/driver/graph_nodes.h"

using namespace outboard::softgpu;

namespace {

CUresult begin(Context& context, const std::shared_ptr<Stream>& stream, std::shared_ptr<Graph> graph,
               NodeList position, CUstreamCaptureMode mode, bool into_given_graph) {
  if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
    return CUDA_ERROR_INVALID_VALUE;
  if (stream->capturing()) return CUDA_ERROR_ILLEGAL_STATE;
  // The legacy stream is ordered with streams that know nothing of the capture.
  if (context.is_null_stream(*stream)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  auto capture = std::make_shared<Capture>(std::move(graph), stream, mode, context.platform().next_id(),
                                           into_given_graph);
  stream->set_capture(capture);
  capture->join(stream, position);
  context.platform().captures().add(capture);
  return CUDA_SUCCESS;
}

struct CaptureInfo {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  uint64_t id = 0;
  CUgraph graph = nullptr;
};

// What the dependencies' array points to lives until the thread asks again.
std::vector<CUgraphNode>& reported_nodes() {
  static thread_local std::vector<CUgraphNode>* nodes = nullptr;
  if (nodes == nullptr) nodes = new std::vector<CUgraphNode>();
  return *nodes;
}

CUresult info_of(CUstream handle, CaptureInfo* info, const CUgraphNode** dependencies,
                 size_t* count) noexcept {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    *info = {};
    if (count != nullptr) *count = 0;
    const auto capture = stream->capture();
    if (capture == nullptr) return CUDA_SUCCESS;
    info->id = capture->id();
    info->status =
        capture->invalidated() ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    if (capture->invalidated()) return CUDA_SUCCESS;
    info->graph = to_handle<CUgraph>(*capture->graph());
    auto& nodes = reported_nodes();
    nodes.clear();
    for (const auto& node : capture->position(*stream)) nodes.push_back(to_handle<CUgraphNode>(*node));
    if (dependencies != nullptr) *dependencies = nodes.data();
    if (count != nullptr) *count = nodes.size();
    return CUDA_SUCCESS;
  });
}

}  // namespace

extern "C" {

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    HandleTable& handles = context.platform().handles();
    auto graph = std::make_shared<Graph>(handles);
    handles.add(graph);
    const CUresult result = begin(context, stream, graph, {}, mode, false);
    if (result != CUDA_SUCCESS) handles.remove<Graph>(graph->handle());
    return result;
  });
}
CUresult cuStreamBeginCapture(CUstream handle) {
  return cuStreamBeginCapture_v2(handle, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

CUresult cuStreamBeginCaptureToGraph(CUstream handle, CUgraph graph_handle, const CUgraphNode* dependencies,
                                     const CUgraphEdgeData*, size_t count, CUstreamCaptureMode mode) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    Platform& platform = context.platform();
    auto graph = find<Graph>(platform, graph_handle);
    if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> nodes;
    if (const CUresult result = find_nodes(platform, *graph, dependencies, count, &nodes);
        result != CUDA_SUCCESS)
      return result;
    NodeList position;
    for (const GraphNode* node : nodes)
      position.push_back(platform.handles().find<GraphNode>(node->handle()));
    return begin(context, stream, std::move(graph), std::move(position), mode, true);
  });
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph* graph) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    const auto capture = stream->capture();
    if (graph != nullptr) *graph = nullptr;
    if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin() != stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    const bool other_thread = capture->thread() != std::this_thread::get_id();
    if (other_thread && capture->mode() != CU_STREAM_CAPTURE_MODE_RELAXED)
      return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    // Who captures into a graph has its handle, keeps it when that fails, and need not ask for it.
    const bool own_graph = capture->into_given_graph();
    if (graph == nullptr && !own_graph) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = capture->end();
    context.platform().captures().remove(*capture);
    if (result == CUDA_SUCCESS && graph != nullptr) *graph = to_handle<CUgraph>(*capture->graph());
    if (result != CUDA_SUCCESS && !own_graph)
      context.platform().handles().remove<Graph>(capture->graph()->handle());
    return result;
  });
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
  if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CaptureInfo info;
  const CUresult result = info_of(handle, &info, nullptr, nullptr);
  if (result == CUDA_SUCCESS) *status = info.status;
  return result;
}

CUresult cuStreamGetCaptureInfo_v2(CUstream handle, CUstreamCaptureStatus* status, cuuint64_t* id,
                                   CUgraph* graph, const CUgraphNode** dependencies, size_t* count) {
  if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CaptureInfo info;
  const CUresult result = info_of(handle, &info, dependencies, count);
  if (result != CUDA_SUCCESS) return result;
  *status = info.status;
  if (id != nullptr) *id = info.id;
  if (graph != nullptr) *graph = info.graph;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetCaptureInfo(CUstream handle, CUstreamCaptureStatus* status, cuuint64_t* id) {
  return cuStreamGetCaptureInfo_v2(handle, status, id, nullptr, nullptr, nullptr);
}
CUresult cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus* status, cuuint64_t* id,
                                   CUgraph* graph, const CUgraphNode** dependencies,
                                   const CUgraphEdgeData** edges, size_t* count) {
  if (edges != nullptr) *edges = nullptr;  // all edges are plain ones
  return cuStreamGetCaptureInfo_v2(handle, status, id, graph, dependencies, count);
}

CUresult cuStreamUpdateCaptureDependencies_v2(CUstream handle, CUgraphNode* dependencies,
                                              const CUgraphEdgeData*, size_t count, unsigned int flags) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    const auto capture = stream->capture();
    if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> nodes;
    const CUresult result = find_nodes(context.platform(), *capture->graph(), dependencies, count, &nodes);
    if (result != CUDA_SUCCESS) return result;
    NodeList position;
    for (const GraphNode* node : nodes)
      position.push_back(context.platform().handles().find<GraphNode>(node->handle()));
    capture->set_position(*stream, std::move(position), flags == CU_STREAM_ADD_CAPTURE_DEPENDENCIES);
    return CUDA_SUCCESS;
  });
}
CUresult cuStreamUpdateCaptureDependencies(CUstream handle, CUgraphNode* dependencies, size_t count,
                                           unsigned int flags) {
  return cuStreamUpdateCaptureDependencies_v2(handle, dependencies, nullptr, count, flags);
}

}  // extern "C"
