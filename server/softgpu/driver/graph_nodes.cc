#include "server/softgpu/driver/graph_nodes.h"

#include <algorithm>

#include "server/softgpu/driver/copy.h"
#include "server/softgpu/driver/graph_memory.h"
#include "server/softgpu/driver/launch.h"

namespace outboard::softgpu {
namespace {

constexpr unsigned kMaxConditionalBodies = 1u << 16;

}  // namespace

CUresult find_nodes(Platform& platform, const Graph& graph, const CUgraphNode* handles, size_t count,
                    std::vector<GraphNode*>* nodes) {
  if (count != 0 && handles == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const auto node = find<GraphNode>(platform, handles[i]);
    if (node == nullptr || !graph.owns(node.get())) return CUDA_ERROR_INVALID_VALUE;
    if (std::find(nodes->begin(), nodes->end(), node.get()) != nodes->end()) return CUDA_ERROR_INVALID_VALUE;
    nodes->push_back(node.get());
  }
  return CUDA_SUCCESS;
}

CUresult make_kernel(const CUDA_KERNEL_NODE_PARAMS* params, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto make = [&](Context& context) -> CUresult {
    KernelOperation launch;
    const LaunchShape shape{{params->gridDimX, params->gridDimY, params->gridDimZ},
                            {params->blockDimX, params->blockDimY, params->blockDimZ},
                            params->sharedMemBytes,
                            false};
    const CUfunction function =
        params->func != nullptr ? params->func : reinterpret_cast<CUfunction>(params->kern);
    const CUresult result =
        make_launch(context, function, shape, params->kernelParams, params->extra, &launch);
    if (result == CUDA_SUCCESS) *operation = std::move(launch);
    return result;
  };
  if (params->ctx == nullptr) return with_context(make);
  return with_platform([&](Platform& platform) -> CUresult {
    const auto context = find<Context>(platform, params->ctx);
    return context == nullptr || !context->active() ? CUDA_ERROR_INVALID_CONTEXT : make(*context);
  });
}

CUresult make_copy(Platform& platform, const CUDA_MEMCPY3D* params, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CopyOperation copy;
  const CUresult result = resolve_box(platform, *params, &copy);
  if (result == CUDA_SUCCESS) *operation = std::move(copy);
  return result;
}

CUresult make_fill(Platform& platform, const CUDA_MEMSET_NODE_PARAMS* params, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const MemsetOperation fill{params->dst,         params->pitch, params->value,
                             params->elementSize, params->width, params->height};
  if (fill.element_bytes != 1 && fill.element_bytes != 2 && fill.element_bytes != 4)
    return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = check_fill(platform, fill);
  if (result == CUDA_SUCCESS) *operation = fill;
  return result;
}

CUresult make_host(const CUDA_HOST_NODE_PARAMS* params, Operation* operation) {
  if (params == nullptr || params->fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *operation = HostOperation{params->fn, params->userData};
  return CUDA_SUCCESS;
}

CUresult make_event_record(Platform& platform, CUevent handle, Operation* operation) {
  auto event = find<Event>(platform, handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *operation = EventRecordOperation{std::move(event)};
  return CUDA_SUCCESS;
}

CUresult make_event_wait(Platform& platform, CUevent handle, Operation* operation) {
  auto event = find<Event>(platform, handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *operation = EventWaitOperation{std::move(event)};
  return CUDA_SUCCESS;
}

CUresult make_child(Platform& platform, CUgraph handle, bool move, Operation* operation) {
  const auto child = find<Graph>(platform, handle);
  if (child == nullptr || !child->conditions()->empty()) return CUDA_ERROR_INVALID_VALUE;
  if (move) {
    *operation = ChildGraphOperation{child};
    return CUDA_SUCCESS;
  }
  auto copy = child->clone();
  platform.handles().add(copy);
  *operation = ChildGraphOperation{std::move(copy)};
  return CUDA_SUCCESS;
}

CUresult make_conditional(Platform& platform, const Graph& graph, CUDA_CONDITIONAL_NODE_PARAMS& params,
                          Operation* operation) {
  const bool is_if = params.type == CU_GRAPH_COND_TYPE_IF;
  const unsigned most = is_if ? 2 : params.type == CU_GRAPH_COND_TYPE_WHILE ? 1 : kMaxConditionalBodies;
  if (params.type > CU_GRAPH_COND_TYPE_SWITCH || params.size == 0 || params.size > most)
    return CUDA_ERROR_INVALID_VALUE;
  ConditionalOperation conditional;
  conditional.condition = graph.conditions()->find(params.handle);
  if (conditional.condition == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto context = reinterpret_cast<uint64_t>(params.ctx);
  if (context != 0 && context != conditional.condition->context()) return CUDA_ERROR_INVALID_CONTEXT;
  if (!conditional.condition->take()) return CUDA_ERROR_INVALID_VALUE;
  conditional.type = params.type;
  conditional.handles = std::make_shared<std::vector<CUgraph>>();
  for (unsigned i = 0; i < params.size; ++i) {
    auto body = std::make_shared<Graph>(platform.handles(), graph.conditions());
    conditional.handles->push_back(reinterpret_cast<CUgraph>(platform.handles().add(body)));
    conditional.bodies.push_back(std::move(body));
  }
  params.phGraph_out = conditional.handles->data();
  *operation = std::move(conditional);
  return CUDA_SUCCESS;
}

namespace {

CUresult make_allocate(Platform& platform, CUDA_MEM_ALLOC_NODE_PARAMS_v2* params, Operation* operation) {
  AllocateOperation allocate;
  allocate.params.poolProps = params->poolProps;
  allocate.params.bytesize = params->bytesize;
  const CUresult result = make_allocation(platform, &allocate);
  if (result != CUDA_SUCCESS) return result;
  params->dptr = allocate.params.dptr;
  *operation = std::move(allocate);
  return CUDA_SUCCESS;
}

CUDA_KERNEL_NODE_PARAMS older(const CUDA_KERNEL_NODE_PARAMS_v3& p) {
  return {p.func,      p.gridDimX,       p.gridDimY,     p.gridDimZ, p.blockDimX, p.blockDimY,
          p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra,    p.kern,      p.ctx};
}

}  // namespace

CUresult make_any(Platform& platform, CUgraphNodeParams* params, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  switch (params->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: {
      const CUDA_KERNEL_NODE_PARAMS kernel = older(params->kernel);
      return make_kernel(&kernel, operation);
    }
    case CU_GRAPH_NODE_TYPE_MEMCPY: return make_copy(platform, &params->memcpy.copyParams, operation);
    case CU_GRAPH_NODE_TYPE_MEMSET: {
      const auto& p = params->memset;
      const CUDA_MEMSET_NODE_PARAMS fill{p.dst, p.pitch, p.value, p.elementSize, p.width, p.height};
      return make_fill(platform, &fill, operation);
    }
    case CU_GRAPH_NODE_TYPE_HOST: {
      const CUDA_HOST_NODE_PARAMS host{params->host.fn, params->host.userData};
      return make_host(&host, operation);
    }
    case CU_GRAPH_NODE_TYPE_GRAPH: {
      const bool move = params->graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE;
      return make_child(platform, params->graph.graph, move, operation);
    }
    case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP: {
      const auto& batch = params->memOp;
      return make_batch(platform, batch.count, batch.paramArray, batch.flags, operation);
    }
    case CU_GRAPH_NODE_TYPE_EMPTY: *operation = EmptyOperation{}; return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT: return make_event_wait(platform, params->eventWait.event, operation);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      return make_event_record(platform, params->eventRecord.event, operation);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: return make_allocate(platform, &params->alloc, operation);
    case CU_GRAPH_NODE_TYPE_MEM_FREE: *operation = FreeOperation{params->free.dptr}; return CUDA_SUCCESS;
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

CUDA_KERNEL_NODE_PARAMS kernel_params(GraphNode& node) {
  auto& launch = std::get<KernelOperation>(node.operation);
  node.param_pointers.clear();
  for (const ptx::Param& param : launch.function->kernel().params) {
    node.param_pointers.push_back(launch.params.data() + param.offset);
  }
  CUDA_KERNEL_NODE_PARAMS params{};
  if (HandleTable::kind_of(launch.handle) == ObjectKind::kKernel) {
    params.kern = reinterpret_cast<CUkernel>(launch.handle);
  }
  params.func = to_handle<CUfunction>(*launch.function);
  params.gridDimX = launch.grid.x;
  params.gridDimY = launch.grid.y;
  params.gridDimZ = launch.grid.z;
  params.blockDimX = launch.block.x;
  params.blockDimY = launch.block.y;
  params.blockDimZ = launch.block.z;
  params.sharedMemBytes = launch.dynamic_shared_bytes;
  params.kernelParams = node.param_pointers.data();
  return params;
}

CUDA_MEMSET_NODE_PARAMS fill_params(const MemsetOperation& fill) {
  return {fill.address, fill.row_pitch, fill.value, fill.element_bytes, fill.width, fill.height};
}

CUresult replace(GraphNode& node, Operation operation) {
  if (node.operation.index() != operation.index()) return CUDA_ERROR_INVALID_VALUE;
  node.operation = std::move(operation);
  return CUDA_SUCCESS;
}

void give_nodes(const std::vector<GraphNode*>& nodes, CUgraphNode* out, size_t* count) {
  if (out == nullptr) {
    *count = nodes.size();
    return;
  }
  // Entries beyond the last node are cleared, and the number says how many there are.
  for (size_t i = 0; i < *count; ++i) out[i] = i < nodes.size() ? to_handle<CUgraphNode>(*nodes[i]) : nullptr;
  *count = std::min(*count, nodes.size());
}

}  // namespace outboard::softgpu
