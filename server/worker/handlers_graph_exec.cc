// Graphs as a whole and their executable forms; user objects.
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "protocol/base/limits.h"
#include "server/worker/graph_nodes.h"
#include "server/worker/handlers_gen.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

void forget(ObjectTable& objects, HandleKind kind, const void* native) {
  if (const auto handle = objects.handle_of(kind, reinterpret_cast<uintptr_t>(native)))
    objects.erase(kind, *handle);
}

// The nodes of a graph go with it, and so do the graphs inside it.
void forget_nodes(Worker& worker, CUgraph graph) {
  ObjectTable& objects = worker.session().objects;
  if (objects.count(HandleKind::kGraphNode) == 0) return;
  const DriverApi& driver = worker.driver();
  size_t count = 0;
  if (driver.cuGraphGetNodes(graph, nullptr, &count) != CUDA_SUCCESS || count == 0) return;
  std::vector<CUgraphNode> nodes(count);
  if (driver.cuGraphGetNodes(graph, nodes.data(), &count) != CUDA_SUCCESS) return;
  for (CUgraphNode node : nodes) {
    forget(objects, HandleKind::kGraphNode, node);
    CUgraph child = nullptr;
    CUgraphNodeType type{};
    if (driver.cuGraphNodeGetType(node, &type) != CUDA_SUCCESS || type != CU_GRAPH_NODE_TYPE_GRAPH) continue;
    if (driver.cuGraphChildGraphNodeGetGraph(node, &child) != CUDA_SUCCESS) continue;
    forget_nodes(worker, child);
    forget(objects, HandleKind::kGraph, child);
  }
}

}  // namespace

CUresult handle(Worker& worker, const wire::GraphDestroyRequest& request, wire::GraphDestroyReply&) {
  const auto graph = worker.native_as<CUgraph>(HandleKind::kGraph, request.graph);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  forget_nodes(worker, *graph);
  const CUresult destroyed = worker.driver().cuGraphDestroy(*graph);
  if (destroyed == CUDA_SUCCESS) worker.forget_object(HandleKind::kGraph, request.graph);
  return destroyed;
}

CUresult handle(Worker& worker, const wire::GraphExecDestroyRequest& request, wire::GraphExecDestroyReply&) {
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  if (!exec) return CUDA_ERROR_INVALID_VALUE;
  const CUresult destroyed = worker.driver().cuGraphExecDestroy(*exec);
  if (destroyed != CUDA_SUCCESS) return destroyed;
  worker.forget_object(HandleKind::kGraphExec, request.exec);
  worker.session().exec_tickets.drop(*exec);
  return CUDA_SUCCESS;
}

namespace {

CUresult launch_graph(Worker& worker, CUgraphExec exec, CUstream stream) {
  const DriverApi& driver = worker.driver();
  HostCallbacks& callbacks = worker.session().callbacks;
  if (!callbacks.any_repeats()) return driver.cuGraphLaunch(exec, stream);
  // It may call the client. That it no longer will is known when the stream is past it.
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  (void)driver.cuStreamIsCapturing(stream, &status);
  if (status != CU_STREAM_CAPTURE_STATUS_NONE) return driver.cuGraphLaunch(exec, stream);
  callbacks.begin_launch();
  CUresult launched = driver.cuGraphLaunch(exec, stream);
  if (launched == CUDA_SUCCESS)
    launched = driver.cuLaunchHostFunc(stream, &HostCallbacks::launch_done, &callbacks);
  if (launched != CUDA_SUCCESS) HostCallbacks::launch_done(&callbacks);
  return launched;
}

}  // namespace

CUresult handle(Worker& worker, const wire::GraphLaunchRequest& request, wire::GraphLaunchReply&) {
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  if (!exec) return CUDA_ERROR_INVALID_VALUE;
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  return worker.launch(stream, reinterpret_cast<uintptr_t>(*exec),
                       [&] { return launch_graph(worker, *exec, stream); });
}

CUresult handle(Worker& worker, const wire::GraphInstantiateWithParamsRequest& request,
                wire::GraphInstantiateWithParamsReply& reply) {
  const auto graph = worker.native_as<CUgraph>(HandleKind::kGraph, request.graph);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  CUDA_GRAPH_INSTANTIATE_PARAMS params{};
  params.flags = request.flags;
  if (CUresult found = worker.native_stream(request.stream, &params.hUploadStream); found != CUDA_SUCCESS)
    return found;
  CUgraphExec exec = nullptr;
  const CUresult made = worker.driver().cuGraphInstantiateWithParams(&exec, *graph, &params);
  reply.result = params.result_out;
  if (made == CUDA_SUCCESS) {
    if (Status named = worker.name_object(HandleKind::kGraphExec, request.exec, exec); !named)
      return worker.violation(named.error().message);
  }
  auto node = worker.adopt_object(HandleKind::kGraphNode, reinterpret_cast<uintptr_t>(params.hErrNode_out));
  if (!node) return worker.violation(node.error().message);
  reply.error_node = *node;
  return made;
}

// The driver writes a file; the client wants the text.
CUresult handle(Worker& worker, const wire::GraphDebugDotPrintRequest& request,
                wire::GraphDebugDotPrintReply&, BulkBuffer& bulk) {
  const auto graph = worker.native_as<CUgraph>(HandleKind::kGraph, request.graph);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  const int file = memfd_create("outboard graph", MFD_CLOEXEC);
  if (file < 0) return CUDA_ERROR_OPERATING_SYSTEM;
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  CUresult printed = worker.driver().cuGraphDebugDotPrint(*graph, path.c_str(), request.flags);
  const off_t size = lseek(file, 0, SEEK_END);
  if (printed == CUDA_SUCCESS && (size < 0 || size > limits::kBulkChunkBytes))
    printed = CUDA_ERROR_OUT_OF_MEMORY;
  if (printed == CUDA_SUCCESS) {
    bulk = worker.session().bulk_pool.take(static_cast<size_t>(size));
    if (pread(file, bulk.bytes().data(), bulk.size(), 0) != size) printed = CUDA_ERROR_OPERATING_SYSTEM;
  }
  close(file);
  return printed;
}

namespace {

// What the driver has of a user object of the client.
struct UserObjectEnd {
  SessionState* session;
  HostCallbacks::Ticket* ticket;
  wire::Handle handle;
};

void end_user_object(void* data) {
  const std::unique_ptr<UserObjectEnd> end(static_cast<UserObjectEnd*>(data));
  end->session->objects.erase(HandleKind::kUserObject, end->handle);
  end->session->callbacks.retire(end->ticket);
}

}  // namespace

CUresult handle(Worker& worker, const wire::UserObjectCreateRequest& request, wire::UserObjectCreateReply&) {
  SessionState& session = worker.session();
  auto* const ticket = session.callbacks.issue(request.callback, true);
  if (ticket == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  auto end = std::make_unique<UserObjectEnd>(UserObjectEnd{&session, ticket, request.object});
  CUuserObject object = nullptr;
  const CUresult made =
      worker.driver().cuUserObjectCreate(&object, end.get(), &end_user_object, request.count, request.flags);
  if (made != CUDA_SUCCESS) {
    session.callbacks.withdraw(ticket);
    return made;
  }
  (void)end.release();  // the driver's now
  if (Status named = worker.name_object(HandleKind::kUserObject, request.object, object); !named)
    return worker.violation(named.error().message);
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
