#include "client-lib/calls/graph_nodes.h"

#include <algorithm>

#include "client-lib/calls/handles.h"
#include "client-lib/calls/launch_parameters.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/calls/module_loading.h"
#include "client-lib/calls/structs_gen.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_launch_gen.h"

namespace outboard::client::calls {
namespace {

CUresult find_context_handle(Client& client, CUcontext context, wire::Handle* handle) {
  return context == nullptr ? CUDA_SUCCESS : find(client, context, handle);
}

CUresult describe_kernel(Client& client, const CUDA_KERNEL_NODE_PARAMS_v3& from, wire::GraphNodeParams* to) {
  // Exactly one of `func` and `kern` names the code.
  const FunctionInfo* function =
      from.func != nullptr ? find_function(client, from.func) : find_function(client, from.kern);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  to->function = function->handle;
  to->is_kernel = function->is_kernel;
  to->grid_x = from.gridDimX;
  to->grid_y = from.gridDimY;
  to->grid_z = from.gridDimZ;
  to->block_x = from.blockDimX;
  to->block_y = from.blockDimY;
  to->block_z = from.blockDimZ;
  to->shared_bytes = from.sharedMemBytes;
  std::span<const std::byte> packed;
  const CUresult result = pack_parameters(*function, from.kernelParams, from.extra, &packed);
  if (result != CUDA_SUCCESS) return result;
  if (const CUresult mapped = map_what_parameters_name(client, &packed); mapped != CUDA_SUCCESS)
    return mapped;
  to->parameters.assign(packed.begin(), packed.end());
  return find_context_handle(client, from.ctx, &to->context);
}

CUresult describe_copy(Client& client, const CUDA_MEMCPY_NODE_PARAMS& from, wire::GraphNodeParams* to) {
  Copy copy = copy_of(from.copyParams);
  if (copy.box.bytes() == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult r = settle_side(client, copy.to, copy.box); r != CUDA_SUCCESS) return r;
  if (const CUresult r = settle_side(client, copy.from, copy.box); r != CUDA_SUCCESS) return r;
  if (const CUresult r = find_context_handle(client, from.copyCtx, &to->context); r != CUDA_SUCCESS) return r;
  if (copy.to.type == CU_MEMORYTYPE_HOST || copy.from.type == CU_MEMORYTYPE_HOST)
    return describe_host_copy(client, copy, from.copyParams, to);
  bool known = false;
  to->width = copy.box.width;
  to->height = copy.box.height;
  to->depth = copy.box.depth;
  if (const CUresult r = device_end(client, copy.to, copy.box, &to->destination, &known); r != CUDA_SUCCESS)
    return r;
  return device_end(client, copy.from, copy.box, &to->source, &known);
}

CUresult describe_fill(Client& client, const CUDA_MEMSET_NODE_PARAMS_v2& from, wire::GraphNodeParams* to) {
  to->destination.address = from.dst;
  to->destination.pitch_bytes = from.pitch;
  to->value = from.value;
  to->element_bytes = from.elementSize;
  to->width = from.width;
  to->height = from.height;
  return find_context_handle(client, from.ctx, &to->context);
}

uint64_t keep_host_function(Client& client, const CUDA_HOST_NODE_PARAMS& function) {
  const uint64_t number = client.host_functions().add_repeating(
      [function](uint64_t) { function.fn(function.userData); },
      [&client](uint64_t gone) { client.graphs().remove_callback(gone); });
  client.graphs().add_callback(number, {function, {}});
  return number;
}

CUresult describe_allocation(Client& client, const CUDA_MEM_ALLOC_NODE_PARAMS_v2& from,
                             wire::GraphNodeParams* to) {
  if (from.bytesize == 0 || (from.accessDescCount != 0 && from.accessDescs == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  if (from.accessDescCount > limits::kArrayElements) return CUDA_ERROR_INVALID_VALUE;
  to->size_bytes = from.bytesize;
  for (size_t i = 0; i < from.accessDescCount; ++i) {
    const CUresult result = to_wire(client, from.accessDescs[i], &to->access.emplace_back());
    if (result != CUDA_SUCCESS) return result;
  }
  return to_wire(client, from.poolProps, &to->pool);
}

CUresult describe_operations(Client& client, const CUDA_BATCH_MEM_OP_NODE_PARAMS_v2& from,
                             wire::GraphNodeParams* to) {
  constexpr unsigned kMost = 256;  // CUDA's limit
  if (from.count > kMost || (from.count != 0 && from.paramArray == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  to->operations.assign(from.paramArray, from.paramArray + from.count);
  to->flags = from.flags;
  return find_context_handle(client, from.ctx, &to->context);
}

}  // namespace

CUresult describe_node(Client& client, const CUgraphNodeParams& from, wire::GraphNodeParams* to) {
  to->type = from.type;
  switch (from.type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return describe_kernel(client, from.kernel, to);
    case CU_GRAPH_NODE_TYPE_MEMCPY: return describe_copy(client, from.memcpy, to);
    case CU_GRAPH_NODE_TYPE_MEMSET: return describe_fill(client, from.memset, to);
    case CU_GRAPH_NODE_TYPE_HOST:
      if (from.host.fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
      to->callback = keep_host_function(client, {from.host.fn, from.host.userData});
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_GRAPH:
      to->ownership = from.graph.ownership;
      return find(client, from.graph.graph, &to->graph);
    case CU_GRAPH_NODE_TYPE_EMPTY: return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT: return find(client, from.eventWait.event, &to->event);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD: return find(client, from.eventRecord.event, &to->event);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: return describe_allocation(client, from.alloc, to);
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      to->address = from.free.dptr;
      return from.free.dptr == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP: return describe_operations(client, from.memOp, to);
    case CU_GRAPH_NODE_TYPE_CONDITIONAL:
      to->condition = from.conditional.handle;
      to->condition_type = from.conditional.type;
      to->condition_size = from.conditional.size;
      return find_context_handle(client, from.conditional.ctx, &to->context);
    case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
    case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT: return CUDA_ERROR_NOT_SUPPORTED;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult capture_host_function(Client& client, wire::Handle stream, const CUDA_HOST_NODE_PARAMS& function) {
  wire::LaunchHostFunctionRequest request;
  request.stream = stream;
  request.callback = keep_host_function(client, function);
  wire::LaunchHostFunctionReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) return result;
  client.host_functions().remove(request.callback);
  client.graphs().remove_callback(request.callback);
  return result;
}

void drop_callback(Client& client, const wire::GraphNodeParams& params) {
  if (params.callback == 0) return;
  client.host_functions().remove(params.callback);
  client.graphs().remove_callback(params.callback);
}

namespace {

// What the server filled in.
void take_outcome(Client& client, const wire::GraphAddNodeReply& reply, CUgraphNodeParams* params) {
  if (params->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
    params->alloc.dptr = reply.address;
    MemoryRange range;
    range.base = reply.address;
    range.bytes = params->alloc.bytesize;
    range.kind = MemoryKind::kGraph;
    range.context = client.owning_context();
    client.device_memory().replace(range);
  }
  if (params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL) {
    auto& bodies = client.graphs().storage(reply.node.index).bodies;
    bodies.clear();
    for (const wire::Handle body : reply.bodies) bodies.push_back(to_application<CUgraph>(body));
    params->conditional.phGraph_out = bodies.data();
  }
}

}  // namespace

CUresult add_node(Client& client, CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                  const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params) {
  if (node == nullptr || params == nullptr || (count != 0 && dependencies == nullptr) ||
      count > limits::kArrayElements)
    return CUDA_ERROR_INVALID_VALUE;
  wire::GraphAddNodeRequest request;
  if (const CUresult result = find(client, graph, &request.graph); result != CUDA_SUCCESS) return result;
  for (size_t i = 0; i < count; ++i) {
    const CUresult result = find(client, dependencies[i], &request.dependencies.emplace_back());
    if (result != CUDA_SUCCESS) return result;
  }
  if (edges != nullptr) request.edges.assign(edges, edges + count);
  if (const CUresult r = describe_node(client, *params, &request.params); r != CUDA_SUCCESS) return r;
  wire::GraphAddNodeReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) {
    drop_callback(client, request.params);
    return result;
  }
  take_outcome(client, reply, params);
  *node = to_application<CUgraphNode>(reply.node);
  return CUDA_SUCCESS;
}

CUresult set_node(Client& client, CUgraphExec exec, CUgraphNode node, const CUgraphNodeParams& params) {
  wire::GraphNodeSetParamsRequest request;
  if (exec != nullptr) {
    if (const CUresult result = find(client, exec, &request.exec); result != CUDA_SUCCESS) return result;
  }
  if (const CUresult result = find(client, node, &request.node); result != CUDA_SUCCESS) return result;
  if (const CUresult r = describe_node(client, params, &request.params); r != CUDA_SUCCESS) return r;
  wire::GraphNodeSetParamsReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) drop_callback(client, request.params);
  return result;
}

namespace {

// The arguments as an array of pointers, as CUDA gives them.
void tell_kernel(Client& client, const wire::GraphNodeGetParamsReply& reply, NodeStorage& storage,
                 CUgraphNodeParams* params) {
  const wire::GraphNodeParams& from = reply.params;
  auto& kernel = params->kernel;
  const auto value = to_application<CUfunction>(from.function);
  const FunctionInfo* function = find_function(client, value);
  if (function == nullptr) {
    FunctionInfo* adopted = client.modules().adopt_function(from.function);
    fill_function(*adopted, reply.function);
    function = adopted;
  }
  kernel.func = value;
  kernel.kern = function->is_kernel ? to_application<CUkernel>(from.function) : nullptr;
  kernel.ctx = to_application<CUcontext>(from.context);
  kernel.gridDimX = from.grid_x;
  kernel.gridDimY = from.grid_y;
  kernel.gridDimZ = from.grid_z;
  kernel.blockDimX = from.block_x;
  kernel.blockDimY = from.block_y;
  kernel.blockDimZ = from.block_z;
  kernel.sharedMemBytes = from.shared_bytes;
  storage.parameters = from.parameters;
  storage.pointers.clear();
  for (const FunctionParameter& parameter : function->parameters) {
    if (size_t{parameter.offset_bytes} + parameter.size_bytes > storage.parameters.size()) break;
    storage.pointers.push_back(storage.parameters.data() + parameter.offset_bytes);
  }
  kernel.kernelParams = storage.pointers.empty() ? nullptr : storage.pointers.data();
}

void tell_copy(Client& client, const wire::GraphNodeParams& from, CUgraphNodeParams* params) {
  CUDA_MEMCPY3D& copy = params->memcpy.copyParams;
  if (const auto callback = client.graphs().callback(from.callback)) {
    copy = callback->copy;
    return;
  }
  const auto end = [](const wire::CopyEnd& side, CUmemorytype* type, CUdeviceptr* address, CUarray* array) {
    *type = side.array.is_null() ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_ARRAY;
    *address = side.address;
    *array = to_application<CUarray>(side.array);
  };
  end(from.source, &copy.srcMemoryType, &copy.srcDevice, &copy.srcArray);
  end(from.destination, &copy.dstMemoryType, &copy.dstDevice, &copy.dstArray);
  copy.srcXInBytes = from.source.x_bytes;
  copy.srcY = from.source.y;
  copy.srcZ = from.source.z;
  copy.srcLOD = from.source.level;
  copy.srcPitch = from.source.pitch_bytes;
  copy.srcHeight = from.source.height;
  copy.dstXInBytes = from.destination.x_bytes;
  copy.dstY = from.destination.y;
  copy.dstZ = from.destination.z;
  copy.dstLOD = from.destination.level;
  copy.dstPitch = from.destination.pitch_bytes;
  copy.dstHeight = from.destination.height;
  copy.WidthInBytes = from.width;
  copy.Height = from.height;
  copy.Depth = from.depth;
}

CUresult tell_allocation(Client& client, const wire::GraphNodeParams& from, NodeStorage& storage,
                         CUgraphNodeParams* params) {
  auto& alloc = params->alloc;
  alloc.dptr = from.address;
  alloc.bytesize = from.size_bytes;
  storage.access.clear();
  for (const auto& each : from.access) {
    const CUresult result = from_wire(client, each, &storage.access.emplace_back());
    if (result != CUDA_SUCCESS) return result;
  }
  alloc.accessDescs = storage.access.empty() ? nullptr : storage.access.data();
  alloc.accessDescCount = storage.access.size();
  return from_wire(client, from.pool, &alloc.poolProps);
}

}  // namespace

CUresult get_node(Client& client, CUgraphNode node, CUgraphNodeParams* params) {
  wire::GraphNodeGetParamsRequest request;
  if (const CUresult result = find(client, node, &request.node); result != CUDA_SUCCESS) return result;
  request.type = params->type;
  wire::GraphNodeGetParamsReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  NodeStorage& storage = client.graphs().storage(request.node.index);
  const wire::GraphNodeParams& from = reply.params;
  switch (params->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: tell_kernel(client, reply, storage, params); return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_MEMCPY: tell_copy(client, from, params); return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_MEMSET:
      params->memset = {from.destination.address,
                        from.destination.pitch_bytes,
                        from.value,
                        from.element_bytes,
                        from.width,
                        from.height,
                        nullptr};
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_HOST: {
      const auto callback = client.graphs().callback(from.callback);
      if (!callback) return CUDA_ERROR_INVALID_VALUE;
      params->host = {callback->host.fn, callback->host.userData};
      return CUDA_SUCCESS;
    }
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
      params->eventWait.event = to_application<CUevent>(from.event);
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      params->eventRecord.event = to_application<CUevent>(from.event);
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: return tell_allocation(client, from, storage, params);
    case CU_GRAPH_NODE_TYPE_MEM_FREE: params->free.dptr = from.address; return CUDA_SUCCESS;
    default:  // batches of memory operations
      storage.operations = from.operations;
      params->memOp = {to_application<CUcontext>(from.context), static_cast<unsigned>(from.operations.size()),
                       storage.operations.data(), from.flags};
      return CUDA_SUCCESS;
  }
}

}  // namespace outboard::client::calls
