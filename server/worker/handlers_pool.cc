// Stream-ordered allocation: what the session pays for is what its pools hold, see pool_memory.h.
#include "server/worker/capture_info.h"
#include "server/worker/charge.h"
#include "server/worker/graph_nodes.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/structs_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

// While a stream captures, the memory is the graph's, from when it is launched to when it is gone.
CUresult allocate_in_graph(Worker& worker, CUmemoryPool pool, uint64_t bytes, CUstream stream,
                           CUdeviceptr* address) {
  CaptureInfo capture;
  if (CUresult asked = ask_capture(worker.driver(), stream, &capture); asked != CUDA_SUCCESS) return asked;
  Charge charge(worker, bytes);
  if (!charge.granted()) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult allocated = worker.driver().cuMemAllocFromPoolAsync(address, bytes, pool, stream);
  if (allocated != CUDA_SUCCESS || bytes == 0) return allocated;
  const AllocationKey key{AllocationKind::kGraphMemory, *address};
  charge.commit(key);
  (void)at_end_of(worker.driver(), capture.graph,
                  [key, &ledger = worker.session().ledger] { (void)ledger.release(key); });
  return CUDA_SUCCESS;
}

}  // namespace

CUresult handle(Worker& worker, const wire::MemAllocAsyncRequest& request, wire::MemAllocAsyncReply& reply) {
  const DriverApi& driver = worker.driver();
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  CUmemoryPool pool = nullptr;
  if (request.pool.is_null()) {
    CUdevice device = 0;
    if (CUresult got = driver.cuCtxGetDevice(&device); got != CUDA_SUCCESS) return got;
    if (CUresult got = driver.cuDeviceGetMemPool(&pool, device); got != CUDA_SUCCESS) return got;
  } else {
    const auto found = worker.native_as<CUmemoryPool>(HandleKind::kMemoryPool, request.pool);
    if (!found) return CUDA_ERROR_INVALID_HANDLE;
    pool = *found;
  }
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  (void)driver.cuStreamIsCapturing(stream, &status);
  CUdeviceptr address = 0;
  SessionState& session = worker.session();
  const CUresult allocated =
      status != CU_STREAM_CAPTURE_STATUS_NONE
          ? allocate_in_graph(worker, pool, request.size_bytes, stream, &address)
          : session.pools.allocate(pool, session.devices, request.size_bytes, stream, &address);
  reply.address = address;
  return allocated;
}

CUresult handle(Worker& worker, const wire::MemFreeAsyncRequest& request, wire::MemFreeAsyncReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  const CUresult freed = worker.driver().cuMemFreeAsync(request.address, stream);
  if (freed == CUDA_SUCCESS) worker.session().forget_memory(request.address);
  return freed;
}

CUresult handle(Worker& worker, const wire::MemPoolCreateRequest& request, wire::MemPoolCreateReply&) {
  CUmemPoolProps properties{};
  if (CUresult set = to_native(worker, request.poolProps, &properties); set != CUDA_SUCCESS) return set;
  CUmemoryPool pool = nullptr;
  if (CUresult made = worker.driver().cuMemPoolCreate(&pool, &properties); made != CUDA_SUCCESS) return made;
  // Pools of host memory are nobody's lease.
  if (const auto device = device_of(properties.location); device && *device < worker.session().devices)
    worker.session().pools.add(pool, *device);
  if (Status named = worker.name_object(HandleKind::kMemoryPool, request.pool, pool); !named)
    return worker.violation(named.error().message);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemPoolDestroyRequest& request, wire::MemPoolDestroyReply&) {
  const auto pool = worker.native_as<CUmemoryPool>(HandleKind::kMemoryPool, request.pool);
  if (!pool) return CUDA_ERROR_INVALID_HANDLE;
  const CUresult destroyed = worker.driver().cuMemPoolDestroy(*pool);
  SessionState& session = worker.session();
  if (destroyed == CUDA_SUCCESS) {
    for (const std::string& key : session.pools.destroyed(*pool)) {
      if (session.exports) session.exports->withdraw(key);
    }
  }
  worker.forget_object(HandleKind::kMemoryPool, request.pool);
  return destroyed;
}

}  // namespace outboard::server
