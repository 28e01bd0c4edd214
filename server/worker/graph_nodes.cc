#include "server/worker/graph_nodes.h"

#include <utility>

#include "server/worker/copy_ends.h"
#include "server/worker/structs_gen.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

struct AtEnd {
  std::function<void()> function;
};

void run_at_end(void* data) {
  const std::unique_ptr<AtEnd> end(static_cast<AtEnd*>(data));
  end->function();
}

}  // namespace

bool at_end_of(const DriverApi& driver, CUgraph graph, std::function<void()> function) {
  if (!driver.has("cuUserObjectCreate")) return false;
  auto end = std::make_unique<AtEnd>(AtEnd{std::move(function)});
  CUuserObject object = nullptr;
  if (driver.cuUserObjectCreate(&object, end.get(), &run_at_end, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC) !=
      CUDA_SUCCESS)
    return false;
  AtEnd* const held = end.release();  // the driver's now
  if (driver.cuGraphRetainUserObject(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE) == CUDA_SUCCESS)
    return true;
  // Nothing of the client's may go before the graph does.
  held->function = [] {};
  (void)driver.cuUserObjectRelease(object, 1);
  return false;
}

std::optional<size_t> staged_bytes(const wire::GraphNodeParams& copy) {
  constexpr uint64_t kMost = HostCallbacks::kMaxStagingBytes;
  if (copy.width == 0 || copy.height == 0 || copy.depth == 0) return std::nullopt;
  if (copy.width > kMost || copy.height > kMost / copy.width) return std::nullopt;
  if (copy.depth > kMost / (copy.width * copy.height)) return std::nullopt;
  return static_cast<size_t>(copy.width * copy.height * copy.depth);
}

NodeParams::~NodeParams() {
  // Its end takes the ticket along.
  if (small_graph_ != nullptr) (void)worker_.driver().cuGraphDestroy(small_graph_);
  if (ticket_ != nullptr) worker_.session().callbacks.withdraw(ticket_);
}

template <typename T>
CUresult NodeParams::set_handle(HandleKind kind, wire::Handle handle, T* native) {
  const auto found = worker_.native_as<T>(kind, handle);
  if (!found) return CUDA_ERROR_INVALID_VALUE;
  *native = *found;
  return CUDA_SUCCESS;
}

CUresult NodeParams::set_context(wire::Handle handle, CUcontext* context) {
  if (handle.is_null()) return worker_.driver().cuCtxGetCurrent(context);
  return set_handle(HandleKind::kContext, handle, context);
}

CUresult NodeParams::set_kernel(const wire::GraphNodeParams& from) {
  auto& kernel = native_.kernel;
  kernel.gridDimX = from.grid_x;
  kernel.gridDimY = from.grid_y;
  kernel.gridDimZ = from.grid_z;
  kernel.blockDimX = from.block_x;
  kernel.blockDimY = from.block_y;
  kernel.blockDimZ = from.block_z;
  kernel.sharedMemBytes = from.shared_bytes;
  kernel.extra = kernel_parameters_.emplace(from.parameters).extra();
  if (!from.context.is_null()) {
    if (CUresult set = set_handle(HandleKind::kContext, from.context, &kernel.ctx); set != CUDA_SUCCESS)
      return set;
  }
  const auto function = worker_.native_as<CUfunction>(HandleKind::kFunction, from.function);
  if (!function) return CUDA_ERROR_INVALID_HANDLE;
  if (from.is_kernel) {
    kernel.kern = reinterpret_cast<CUkernel>(*function);
  } else {
    kernel.func = *function;
  }
  return CUDA_SUCCESS;
}

CUresult NodeParams::set_copy(const wire::GraphNodeParams& from) {
  staged_ = from.to_host != from.from_host;
  from_host_ = from.from_host;
  if (from.to_host || from.from_host) {
    const auto size = staged_bytes(from);
    if (!size) return CUDA_ERROR_INVALID_VALUE;
    ticket_ = worker_.session().callbacks.issue(from.callback, true, staged_ ? *size : 0);
    if (ticket_ == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    if (!staged_) {
      ticket_->copies_on_host = true;
      native_ = host_function();
      return CUDA_SUCCESS;
    }
  }
  CUDA_MEMCPY3D& copy = native_.memcpy.copyParams;
  copy.WidthInBytes = from.width;
  copy.Height = from.height;
  copy.Depth = from.depth;
  if (from.from_host) {
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = ticket_->staging.get();
    copy.srcPitch = from.width;
    copy.srcHeight = from.height;
  } else if (!set_source(worker_, from.source, copy)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (from.to_host) {
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = ticket_->staging.get();
    copy.dstPitch = from.width;
    copy.dstHeight = from.height;
  } else if (!set_destination(worker_, from.destination, copy)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return set_context(from.context, &native_.memcpy.copyCtx);
}

CUresult NodeParams::set_allocation(const wire::GraphNodeParams& from) {
  auto& alloc = native_.alloc;
  if (CUresult made = to_native(worker_, from.pool, &alloc.poolProps); made != CUDA_SUCCESS) return made;
  for (const auto& each : from.access) {
    CUmemAccessDesc access{};
    if (CUresult made = to_native(worker_, each, &access); made != CUDA_SUCCESS) return made;
    access_.push_back(access);
  }
  alloc.accessDescs = access_.empty() ? nullptr : access_.data();
  alloc.accessDescCount = access_.size();
  alloc.bytesize = from.size_bytes;
  return CUDA_SUCCESS;
}

CUgraphNodeParams NodeParams::host_function() const {
  CUgraphNodeParams params{};
  params.type = CU_GRAPH_NODE_TYPE_HOST;
  params.host.fn = &HostCallbacks::run;
  params.host.userData = ticket_;
  return params;
}

CUresult NodeParams::set(const wire::GraphNodeParams& from) {
  native_ = {};
  native_.type = static_cast<CUgraphNodeType>(from.type);
  switch (native_.type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return set_kernel(from);
    case CU_GRAPH_NODE_TYPE_MEMCPY: return set_copy(from);
    case CU_GRAPH_NODE_TYPE_MEMSET:
      native_.memset.dst = from.destination.address;
      native_.memset.pitch = from.destination.pitch_bytes;
      native_.memset.value = from.value;
      native_.memset.elementSize = from.element_bytes;
      native_.memset.width = from.width;
      native_.memset.height = from.height;
      return set_context(from.context, &native_.memset.ctx);
    case CU_GRAPH_NODE_TYPE_HOST:
      ticket_ = worker_.session().callbacks.issue(from.callback, true);
      if (ticket_ == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
      native_ = host_function();
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_GRAPH:
      native_.graph.ownership = static_cast<CUgraphChildGraphNodeOwnership>(from.ownership);
      return set_handle(HandleKind::kGraph, from.graph, &native_.graph.graph);
    case CU_GRAPH_NODE_TYPE_EMPTY: return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
      return set_handle(HandleKind::kEvent, from.event, &native_.eventWait.event);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      return set_handle(HandleKind::kEvent, from.event, &native_.eventRecord.event);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: return set_allocation(from);
    case CU_GRAPH_NODE_TYPE_MEM_FREE: native_.free.dptr = from.address; return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
      operations_ = from.operations;
      native_.memOp.count = static_cast<unsigned>(operations_.size());
      native_.memOp.paramArray = operations_.data();
      native_.memOp.flags = from.flags;
      return set_context(from.context, &native_.memOp.ctx);
    case CU_GRAPH_NODE_TYPE_CONDITIONAL:
      native_.conditional.handle = from.condition;
      native_.conditional.type = static_cast<CUgraphConditionalNodeType>(from.condition_type);
      native_.conditional.size = from.condition_size;
      return set_context(from.context, &native_.conditional.ctx);
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

CUresult NodeParams::wrap() {
  const DriverApi& driver = worker_.driver();
  if (CUresult made = driver.cuGraphCreate(&small_graph_, 0); made != CUDA_SUCCESS) return made;
  CUgraphNodeParams first = host_function();
  CUgraphNodeParams second = native_;
  if (!from_host_) std::swap(first, second);
  CUgraphNode before = nullptr;
  CUgraphNode after = nullptr;
  CUresult added = driver.cuGraphAddNode_v2(&before, small_graph_, nullptr, nullptr, 0, &first);
  if (added == CUDA_SUCCESS)
    added = driver.cuGraphAddNode_v2(&after, small_graph_, &before, nullptr, 1, &second);
  if (added != CUDA_SUCCESS) return added;
  keep_in(small_graph_);
  native_ = {};
  native_.type = CU_GRAPH_NODE_TYPE_GRAPH;
  native_.graph.graph = small_graph_;
  native_.graph.ownership = CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE;
  return CUDA_SUCCESS;
}

void NodeParams::keep_in(CUgraph graph) {
  if (ticket_ == nullptr) return;
  // If the driver cannot tell when the graph ends, the ticket lives as long as the session.
  (void)at_end_of(worker_.driver(), graph,
                  [ticket = ticket_, &callbacks = worker_.session().callbacks] { callbacks.retire(ticket); });
  ticket_ = nullptr;
}

HostCallbacks::Ticket* ticket_of(const DriverApi& driver, CUgraphNode node) {
  CUDA_HOST_NODE_PARAMS host{};
  if (driver.cuGraphHostNodeGetParams(node, &host) != CUDA_SUCCESS) return nullptr;
  return host.fn == &HostCallbacks::run ? static_cast<HostCallbacks::Ticket*>(host.userData) : nullptr;
}

std::optional<StagedCopy> staged_copy(const DriverApi& driver, CUgraphNode node) {
  StagedCopy staged;
  if (driver.cuGraphChildGraphNodeGetGraph(node, &staged.graph) != CUDA_SUCCESS) return std::nullopt;
  size_t count = 0;
  if (driver.cuGraphGetNodes(staged.graph, nullptr, &count) != CUDA_SUCCESS || count != 2)
    return std::nullopt;
  CUgraphNode nodes[2] = {};
  if (driver.cuGraphGetNodes(staged.graph, nodes, &count) != CUDA_SUCCESS) return std::nullopt;
  for (CUgraphNode inner : nodes) {
    CUgraphNodeType type{};
    if (driver.cuGraphNodeGetType(inner, &type) != CUDA_SUCCESS) return std::nullopt;
    if (type == CU_GRAPH_NODE_TYPE_HOST) staged.host = inner;
    if (type == CU_GRAPH_NODE_TYPE_MEMCPY) staged.copy = inner;
  }
  if (staged.host == nullptr || staged.copy == nullptr) return std::nullopt;
  staged.ticket = ticket_of(driver, staged.host);
  if (staged.ticket == nullptr || staged.ticket->staging == nullptr) return std::nullopt;
  size_t before = 0;
  (void)driver.cuGraphNodeGetDependencies_v2(staged.host, nullptr, nullptr, &before);
  staged.from_host = before == 0;
  return staged;
}

CUresult node_type(const DriverApi& driver, CUgraphNode node, CUgraphNodeType* type) {
  const CUresult got = driver.cuGraphNodeGetType(node, type);
  if (got != CUDA_SUCCESS) return got;
  if (*type == CU_GRAPH_NODE_TYPE_GRAPH && staged_copy(driver, node)) *type = CU_GRAPH_NODE_TYPE_MEMCPY;
  if (*type == CU_GRAPH_NODE_TYPE_HOST) {
    const auto* ticket = ticket_of(driver, node);
    if (ticket != nullptr && ticket->copies_on_host) *type = CU_GRAPH_NODE_TYPE_MEMCPY;
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
