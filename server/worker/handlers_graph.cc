// Nodes of graphs: adding, changing, asking.
#include <vector>

#include "server/worker/graph_nodes.h"
#include "server/worker/handlers_gen.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

// Graphs allocate when they are launched; the lease has to hold what any of them may take.
CUresult reserve(Worker& worker, const wire::GraphNodeParams& params,
                 MemoryLedger::Reservation* reservation) {
  if (params.type != CU_GRAPH_NODE_TYPE_MEM_ALLOC) return CUDA_SUCCESS;
  const auto device = static_cast<uint32_t>(params.pool.value.location.id);
  auto reserved = worker.session().pools.reserve(device, params.size_bytes);
  if (!reserved) {
    const bool over = reserved.error().kind == ErrorKind::kQuotaExceeded;
    return over ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
  }
  *reservation = std::move(*reserved);
  return CUDA_SUCCESS;
}

void commit(Worker& worker, CUgraph graph, CUdeviceptr address, MemoryLedger::Reservation& reservation) {
  const AllocationKey key{AllocationKind::kGraphMemory, address};
  reservation.commit(key);
  (void)at_end_of(worker.driver(), graph,
                  [key, &ledger = worker.session().ledger] { (void)ledger.release(key); });
}

// What the driver filled in for the client to know.
CUresult tell_outcome(Worker& worker, const CUgraphNodeParams& params, CUgraphNode node,
                      wire::GraphAddNodeReply& reply) {
  const auto name = [&](HandleKind kind, uint64_t native, wire::Handle* handle) {
    auto named = worker.adopt_object(kind, native);
    if (named) *handle = *named;
    return named ? CUDA_SUCCESS : worker.violation(named.error().message);
  };
  if (params.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) reply.address = params.alloc.dptr;
  if (params.type == CU_GRAPH_NODE_TYPE_CONDITIONAL) {
    for (unsigned i = 0; i < params.conditional.size; ++i) {
      const auto body = reinterpret_cast<uintptr_t>(params.conditional.phGraph_out[i]);
      const CUresult named = name(HandleKind::kGraph, body, &reply.bodies.emplace_back());
      if (named != CUDA_SUCCESS) return named;
    }
  }
  return name(HandleKind::kGraphNode, reinterpret_cast<uintptr_t>(node), &reply.node);
}

}  // namespace

CUresult handle(Worker& worker, const wire::GraphAddNodeRequest& request, wire::GraphAddNodeReply& reply) {
  const auto graph = worker.native_as<CUgraph>(HandleKind::kGraph, request.graph);
  if (!graph) return CUDA_ERROR_INVALID_VALUE;
  std::vector<CUgraphNode> dependencies;
  for (const wire::Handle handle : request.dependencies) {
    const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, handle);
    if (!node) return CUDA_ERROR_INVALID_VALUE;
    dependencies.push_back(*node);
  }
  if (!request.edges.empty() && request.edges.size() != dependencies.size()) {
    return worker.violation("A graph node must have one edge for each dependency, or none.");
  }
  NodeParams params(worker);
  if (CUresult set = params.set(request.params); set != CUDA_SUCCESS) return set;
  if (params.staged()) {
    if (CUresult wrapped = params.wrap(); wrapped != CUDA_SUCCESS) return wrapped;
  }
  MemoryLedger::Reservation reservation;
  if (CUresult got = reserve(worker, request.params, &reservation); got != CUDA_SUCCESS) return got;
  CUgraphNode node = nullptr;
  const CUresult added = worker.driver().cuGraphAddNode_v2(
      &node, *graph, dependencies.data(), request.edges.empty() ? nullptr : request.edges.data(),
      dependencies.size(), &params.native());
  if (added != CUDA_SUCCESS) return added;
  params.keep_in(*graph);
  const CUgraphNodeParams& native = params.native();
  if (native.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) commit(worker, *graph, native.alloc.dptr, reservation);
  return tell_outcome(worker, native, node, reply);
}

namespace {

CUresult set_in_graph(Worker& worker, CUgraphNode node, NodeParams& params) {
  const DriverApi& driver = worker.driver();
  if (params.staged()) {
    const auto staged = staged_copy(driver, node);
    const bool same_way = staged && (params.native().memcpy.copyParams.srcMemoryType == CU_MEMORYTYPE_HOST) ==
                                        staged->from_host;
    if (!same_way) return CUDA_ERROR_NOT_SUPPORTED;
    CUgraphNodeParams host = params.host_function();
    CUresult set = driver.cuGraphMemcpyNodeSetParams(staged->copy, &params.native().memcpy.copyParams);
    if (set == CUDA_SUCCESS) set = driver.cuGraphNodeSetParams(staged->host, &host);
    if (set == CUDA_SUCCESS) params.keep_in(staged->graph);
    return set;
  }
  const CUresult set = driver.cuGraphNodeSetParams(node, &params.native());
  // Nobody can tell in which graph the node is, so its ticket lives as long as the session.
  if (set == CUDA_SUCCESS) params.give_up_ticket();
  return set;
}

CUresult set_in_exec(Worker& worker, CUgraphExec exec, CUgraphNode node, NodeParams& params) {
  const DriverApi& driver = worker.driver();
  CUgraphNode host_node = node;
  CUresult set = CUDA_SUCCESS;
  if (params.staged()) {
    const auto staged = staged_copy(driver, node);
    const auto& copy = params.native().memcpy;
    // CUDA allows no other kinds of memory than the node was instantiated with.
    if (!staged || (copy.copyParams.srcMemoryType == CU_MEMORYTYPE_HOST) != staged->from_host)
      return CUDA_ERROR_INVALID_VALUE;
    host_node = staged->host;
    set = driver.cuGraphExecMemcpyNodeSetParams(exec, staged->copy, &copy.copyParams, copy.copyCtx);
    CUgraphNodeParams host = params.host_function();
    if (set == CUDA_SUCCESS) set = driver.cuGraphExecNodeSetParams(exec, host_node, &host);
  } else {
    set = driver.cuGraphExecNodeSetParams(exec, node, &params.native());
  }
  if (set == CUDA_SUCCESS && params.ticket() != nullptr) {
    worker.session().exec_tickets.set(exec, host_node, params.ticket());
    params.give_up_ticket();
  }
  return set;
}

}  // namespace

CUresult handle(Worker& worker, const wire::GraphNodeSetParamsRequest& request,
                wire::GraphNodeSetParamsReply&) {
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!node) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeType type{};
  if (CUresult got = node_type(worker.driver(), *node, &type); got != CUDA_SUCCESS) return got;
  if (type != request.params.type) return CUDA_ERROR_INVALID_VALUE;
  NodeParams params(worker);
  if (CUresult set = params.set(request.params); set != CUDA_SUCCESS) return set;
  if (request.exec.is_null()) return set_in_graph(worker, *node, params);
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  if (!exec) return CUDA_ERROR_INVALID_VALUE;
  return set_in_exec(worker, *exec, *node, params);
}

CUresult handle(Worker& worker, const wire::GraphNodeGetParamsRequest& request,
                wire::GraphNodeGetParamsReply& reply) {
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!node) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeType type{};
  if (CUresult got = node_type(worker.driver(), *node, &type); got != CUDA_SUCCESS) return got;
  if (type != request.type) return CUDA_ERROR_INVALID_VALUE;
  return describe_node(worker, *node, type, &reply);
}

CUresult handle(Worker& worker, const wire::GraphNodeGetTypeRequest& request,
                wire::GraphNodeGetTypeReply& reply) {
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!node) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeType type{};
  const CUresult got = node_type(worker.driver(), *node, &type);
  reply.type = type;
  return got;
}

CUresult handle(Worker& worker, const wire::GraphNodeGetEnabledRequest& request,
                wire::GraphNodeGetEnabledReply& reply) {
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!exec || !node) return CUDA_ERROR_INVALID_VALUE;
  const auto staged = staged_copy(worker.driver(), *node);
  unsigned enabled = 0;
  const CUresult got = worker.driver().cuGraphNodeGetEnabled(*exec, staged ? staged->copy : *node, &enabled);
  reply.enabled = enabled;
  return got;
}

CUresult handle(Worker& worker, const wire::GraphNodeSetEnabledRequest& request,
                wire::GraphNodeSetEnabledReply&) {
  const DriverApi& driver = worker.driver();
  const auto exec = worker.native_as<CUgraphExec>(HandleKind::kGraphExec, request.exec);
  const auto node = worker.native_as<CUgraphNode>(HandleKind::kGraphNode, request.node);
  if (!exec || !node) return CUDA_ERROR_INVALID_VALUE;
  const auto staged = staged_copy(driver, *node);
  if (!staged) return driver.cuGraphNodeSetEnabled(*exec, *node, request.enabled);
  const CUresult set = driver.cuGraphNodeSetEnabled(*exec, staged->copy, request.enabled);
  if (set != CUDA_SUCCESS) return set;
  // A host node cannot be disabled: it calls something else instead.
  auto* own = worker.session().exec_tickets.find(*exec, staged->host);
  CUDA_HOST_NODE_PARAMS host{};
  host.fn = request.enabled != 0 ? &HostCallbacks::run : &HostCallbacks::skip;
  host.userData = own != nullptr ? own : staged->ticket;
  return driver.cuGraphExecHostNodeSetParams(*exec, staged->host, &host);
}

}  // namespace outboard::server
