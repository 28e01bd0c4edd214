// Physical memory and its mappings: the driver does the work, the session's account learns how long
// memory lives.
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

using wire::HandleKind;

CUresult handle(Worker& worker, const wire::MemReleaseRequest& request, wire::MemReleaseReply&) {
  const auto memory = worker.native(HandleKind::kAllocation, request.handle);
  if (!memory) return CUDA_ERROR_INVALID_HANDLE;
  if (CUresult released = worker.driver().cuMemRelease(*memory); released != CUDA_SUCCESS) return released;
  const PhysicalUse::Released left = worker.session().physical.release(*memory);
  if (left.handle_gone) worker.forget_object(HandleKind::kAllocation, request.handle);
  if (left.paid_for) worker.session().ledger.release({AllocationKind::kPhysical, *left.paid_for});
  return CUDA_SUCCESS;
}

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

CUresult handle(Worker& worker, const wire::MemUnmapRequest& request, wire::MemUnmapReply&) {
  const CUresult unmapped = worker.driver().cuMemUnmap(request.address, request.size_bytes);
  if (unmapped != CUDA_SUCCESS) return unmapped;
  for (const uint64_t gone : worker.session().physical.unmap(request.address, request.size_bytes)) {
    worker.session().ledger.release({AllocationKind::kPhysical, gone});
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
