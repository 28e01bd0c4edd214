// What the client is told of a graph's node.
#include <cstring>

#include "server/worker/function_description.h"
#include "server/worker/graph_nodes.h"
#include "server/worker/structs_gen.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

// The handle of something that the driver has named; null if no more can be named.
template <typename T>
wire::Handle handle_for(Worker& worker, HandleKind kind, T* native) {
  auto handle = worker.adopt_object(kind, reinterpret_cast<uintptr_t>(native));
  if (handle) return *handle;
  worker.violation(handle.error().message);
  return {};
}

// The function by the handle that the client knows it by, which may be that of its kernel.
wire::Handle function_handle(Worker& worker, const CUDA_KERNEL_NODE_PARAMS& kernel) {
  const auto known = [&](const void* native) {
    return worker.session().objects.handle_of(HandleKind::kFunction, reinterpret_cast<uintptr_t>(native));
  };
  if (const auto handle = known(kernel.func); handle && kernel.func != nullptr) return *handle;
  if (const auto handle = known(kernel.kern); handle && kernel.kern != nullptr) return *handle;
  return kernel.func != nullptr ? handle_for(worker, HandleKind::kFunction, kernel.func)
                                : handle_for(worker, HandleKind::kFunction, kernel.kern);
}

CUresult pack(const wire::FunctionDescription& function, const CUDA_KERNEL_NODE_PARAMS& kernel,
              std::vector<std::byte>* packed) {
  if (kernel.kernelParams == nullptr) {
    if (kernel.extra == nullptr) return CUDA_SUCCESS;
    const std::byte* buffer = nullptr;
    size_t size = 0;
    for (size_t i = 0; kernel.extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
      if (kernel.extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
        buffer = static_cast<const std::byte*>(kernel.extra[i + 1]);
      if (kernel.extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE)
        size = *static_cast<const size_t*>(kernel.extra[i + 1]);
    }
    if (buffer != nullptr) packed->assign(buffer, buffer + size);
    return CUDA_SUCCESS;
  }
  if (!function.layout_known) return CUDA_ERROR_NOT_SUPPORTED;
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    const auto& parameter = function.parameters[i];
    packed->resize(size_t{parameter.offset_bytes} + parameter.size_bytes);
    std::memcpy(packed->data() + parameter.offset_bytes, kernel.kernelParams[i], parameter.size_bytes);
  }
  return CUDA_SUCCESS;
}

CUresult describe_kernel_node(Worker& worker, CUgraphNode node, wire::GraphNodeGetParamsReply* reply) {
  CUDA_KERNEL_NODE_PARAMS kernel{};
  if (CUresult got = worker.driver().cuGraphKernelNodeGetParams_v2(node, &kernel); got != CUDA_SUCCESS)
    return got;
  wire::GraphNodeParams& params = reply->params;
  params.grid_x = kernel.gridDimX;
  params.grid_y = kernel.gridDimY;
  params.grid_z = kernel.gridDimZ;
  params.block_x = kernel.blockDimX;
  params.block_y = kernel.blockDimY;
  params.block_z = kernel.blockDimZ;
  params.shared_bytes = kernel.sharedMemBytes;
  params.function = function_handle(worker, kernel);
  if (kernel.ctx != nullptr) params.context = handle_for(worker, HandleKind::kContext, kernel.ctx);
  CUdevice device = 0;
  if (kernel.func == nullptr) (void)worker.driver().cuCtxGetDevice(&device);
  reply->function = kernel.func != nullptr ? describe_function(worker.driver(), kernel.func, true)
                                           : describe_kernel(worker.driver(), kernel.kern, device, true);
  return pack(reply->function, kernel, &params.parameters);
}

void describe_end(Worker& worker, CUmemorytype type, CUdeviceptr address, CUarray array, wire::CopyEnd* end) {
  if (type == CU_MEMORYTYPE_ARRAY) {
    end->array = handle_for(worker, HandleKind::kArray, array);
  } else {
    end->address = address;
  }
}

void describe_copy(Worker& worker, const CUDA_MEMCPY3D& copy, wire::GraphNodeParams& params) {
  params.width = copy.WidthInBytes;
  params.height = copy.Height;
  params.depth = copy.Depth;
  params.source = {{},
                   0,
                   copy.srcPitch,
                   copy.srcHeight,
                   copy.srcXInBytes,
                   copy.srcY,
                   copy.srcZ,
                   static_cast<uint32_t>(copy.srcLOD)};
  params.destination = {{},
                        0,
                        copy.dstPitch,
                        copy.dstHeight,
                        copy.dstXInBytes,
                        copy.dstY,
                        copy.dstZ,
                        static_cast<uint32_t>(copy.dstLOD)};
  describe_end(worker, copy.srcMemoryType, copy.srcDevice, copy.srcArray, &params.source);
  describe_end(worker, copy.dstMemoryType, copy.dstDevice, copy.dstArray, &params.destination);
}

// The client knows the whole of a copy with a host side by its number.
CUresult describe_copy_node(Worker& worker, CUgraphNode node, wire::GraphNodeParams& params) {
  const DriverApi& driver = worker.driver();
  if (const auto staged = staged_copy(driver, node)) {
    params.callback = staged->ticket->id;
    return CUDA_SUCCESS;
  }
  if (const auto* ticket = ticket_of(driver, node)) {
    params.callback = ticket->id;
    return CUDA_SUCCESS;
  }
  CUDA_MEMCPY3D copy{};
  if (CUresult got = driver.cuGraphMemcpyNodeGetParams(node, &copy); got != CUDA_SUCCESS) return got;
  describe_copy(worker, copy, params);
  return CUDA_SUCCESS;
}

CUresult describe_allocation(Worker& worker, CUgraphNode node, wire::GraphNodeParams& params) {
  CUDA_MEM_ALLOC_NODE_PARAMS alloc{};
  if (CUresult got = worker.driver().cuGraphMemAllocNodeGetParams(node, &alloc); got != CUDA_SUCCESS)
    return got;
  params.address = alloc.dptr;
  params.size_bytes = alloc.bytesize;
  for (size_t i = 0; i < alloc.accessDescCount && alloc.accessDescs != nullptr; ++i) {
    if (CUresult made = from_native(worker, alloc.accessDescs[i], &params.access.emplace_back());
        made != CUDA_SUCCESS)
      return made;
  }
  return from_native(worker, alloc.poolProps, &params.pool);
}

CUresult describe_operations(Worker& worker, CUgraphNode node, wire::GraphNodeParams& params) {
  CUDA_BATCH_MEM_OP_NODE_PARAMS batch{};
  if (CUresult got = worker.driver().cuGraphBatchMemOpNodeGetParams(node, &batch); got != CUDA_SUCCESS)
    return got;
  if (batch.paramArray != nullptr) params.operations.assign(batch.paramArray, batch.paramArray + batch.count);
  params.flags = batch.flags;
  if (batch.ctx != nullptr) params.context = handle_for(worker, HandleKind::kContext, batch.ctx);
  return CUDA_SUCCESS;
}

CUresult describe_fill(Worker& worker, CUgraphNode node, wire::GraphNodeParams& params) {
  CUDA_MEMSET_NODE_PARAMS fill{};
  if (CUresult got = worker.driver().cuGraphMemsetNodeGetParams(node, &fill); got != CUDA_SUCCESS) return got;
  params.destination.address = fill.dst;
  params.destination.pitch_bytes = fill.pitch;
  params.value = fill.value;
  params.element_bytes = fill.elementSize;
  params.width = fill.width;
  params.height = fill.height;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult describe_node(Worker& worker, CUgraphNode node, CUgraphNodeType type,
                       wire::GraphNodeGetParamsReply* reply) {
  const DriverApi& driver = worker.driver();
  wire::GraphNodeParams& params = reply->params;
  params.type = type;
  switch (type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return describe_kernel_node(worker, node, reply);
    case CU_GRAPH_NODE_TYPE_MEMCPY: return describe_copy_node(worker, node, params);
    case CU_GRAPH_NODE_TYPE_MEMSET: return describe_fill(worker, node, params);
    case CU_GRAPH_NODE_TYPE_HOST: {
      const auto* ticket = ticket_of(driver, node);
      if (ticket == nullptr) return CUDA_ERROR_INVALID_VALUE;
      params.callback = ticket->id;
      return CUDA_SUCCESS;
    }
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD: {
      CUevent event = nullptr;
      const CUresult got = type == CU_GRAPH_NODE_TYPE_WAIT_EVENT
                               ? driver.cuGraphEventWaitNodeGetEvent(node, &event)
                               : driver.cuGraphEventRecordNodeGetEvent(node, &event);
      if (got == CUDA_SUCCESS) params.event = handle_for(worker, HandleKind::kEvent, event);
      return got;
    }
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: return describe_allocation(worker, node, params);
    case CU_GRAPH_NODE_TYPE_MEM_FREE: {
      CUdeviceptr address = 0;
      const CUresult got = driver.cuGraphMemFreeNodeGetParams(node, &address);
      params.address = address;
      return got;
    }
    case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP: return describe_operations(worker, node, params);
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace outboard::server
