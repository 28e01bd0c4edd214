// Physical memory and its mappings: the driver does the work, the session's account learns how long
// memory lives. What ends memory is in handlers_shareable.cc.
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

using wire::HandleKind;

CUresult handle(Worker& worker, const wire::MemRetainAllocationHandleRequest& request,
                wire::MemRetainAllocationHandleReply& reply) {
  CUmemGenericAllocationHandle memory = 0;
  const CUresult retained = worker.driver().cuMemRetainAllocationHandle(
      &memory, reinterpret_cast<void*>(static_cast<uintptr_t>(request.address)));
  if (retained != CUDA_SUCCESS) return retained;
  worker.session().physical.retain(request.address, memory);
  const Result<wire::Handle> adopted = worker.adopt_object(HandleKind::kAllocation, memory);
  if (!adopted) return CUDA_ERROR_OUT_OF_MEMORY;
  reply.handle = *adopted;
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemMapRequest& request, wire::MemMapReply&) {
  const auto memory = worker.native(HandleKind::kAllocation, request.handle);
  if (!memory) return CUDA_ERROR_INVALID_HANDLE;
  const CUresult mapped = worker.driver().cuMemMap(request.address, request.size_bytes, request.offset_bytes,
                                                   *memory, request.flags);
  if (mapped == CUDA_SUCCESS) worker.session().physical.map(request.address, request.size_bytes, *memory);
  return mapped;
}

}  // namespace outboard::server
