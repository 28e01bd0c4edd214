// The server's half of memory that host and device both use (docs/adr/0006): device memory at the
// address that the client's host memory has, and its content on the way between the two. Content moves
// in a stream of its own: it must neither wait for what the program's streams do nor hold that up.
#include <vector>

#include "protocol/base/limits.h"
#include "server/worker/charge.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

// All devices may use host memory.
CUresult give_access(const Worker& worker, uint64_t address, uint64_t bytes, uint32_t owner) {
  std::vector<CUmemAccessDesc> all(worker.session().devices);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = static_cast<int>(i)};
    all[i].flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  }
  const CUresult given = worker.driver().cuMemSetAccess(address, bytes, all.data(), all.size());
  // Devices that are no peers of the owner cannot have it.
  return given == CUDA_SUCCESS || all.size() == 1
             ? given
             : worker.driver().cuMemSetAccess(address, bytes, &all[owner], 1);
}

CUresult map_at(const Worker& worker, uint64_t address, uint64_t bytes, uint32_t device) {
  const DriverApi& driver = worker.driver();
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = static_cast<int>(device)};
  CUmemGenericAllocationHandle memory = 0;
  if (CUresult made = driver.cuMemCreate(&memory, bytes, &properties, 0); made != CUDA_SUCCESS) return made;
  CUresult result = driver.cuMemMap(address, bytes, 0, memory, 0);
  driver.cuMemRelease(memory);  // the mapping keeps it
  if (result != CUDA_SUCCESS) return result;
  result = give_access(worker, address, bytes, device);
  if (result != CUDA_SUCCESS) driver.cuMemUnmap(address, bytes);
  return result;
}

}  // namespace

CUresult handle(Worker& worker, const wire::MirrorMapRequest& request, wire::MirrorMapReply&) {
  uint32_t device = 0;
  if (CUresult got = worker.current_device(&device); got != CUDA_SUCCESS) return got;
  Charge charge(worker, request.size_bytes, device);
  if (!charge.granted()) return CUDA_ERROR_OUT_OF_MEMORY;
  CUdeviceptr got = 0;
  const CUresult reserved =
      worker.driver().cuMemAddressReserve(&got, request.size_bytes, 0, request.address, 0);
  if (reserved != CUDA_SUCCESS) return reserved;
  // The driver takes the address for a wish; anywhere else is of no use.
  CUresult result = got == request.address ? CUDA_SUCCESS : CUDA_ERROR_ALREADY_MAPPED;
  if (result == CUDA_SUCCESS) result = map_at(worker, got, request.size_bytes, device);
  if (result != CUDA_SUCCESS) {
    worker.driver().cuMemAddressFree(got, request.size_bytes);
    return result;
  }
  charge.commit({AllocationKind::kDeviceMemory, request.address});
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MirrorUnmapRequest& request, wire::MirrorUnmapReply&) {
  const CUresult unmapped = worker.driver().cuMemUnmap(request.address, request.size_bytes);
  if (unmapped != CUDA_SUCCESS) return unmapped;
  worker.session().ledger.release({AllocationKind::kDeviceMemory, request.address});
  return worker.driver().cuMemAddressFree(request.address, request.size_bytes);
}

// Commands that come later rely on it, in whatever stream; all that is waited for is this copy.
CUresult handle(Worker& worker, const wire::MirrorWriteRequest& request, std::span<const std::byte> bulk,
                wire::MirrorWriteReply&) {
  if (bulk.empty()) return CUDA_SUCCESS;
  CUstream stream = nullptr;
  if (CUresult got = worker.session().mirror_stream(worker.current_context(), &stream); got != CUDA_SUCCESS)
    return got;
  const CUresult copied =
      worker.driver().cuMemcpyHtoDAsync_v2(request.address, bulk.data(), bulk.size(), stream);
  return copied != CUDA_SUCCESS ? copied : worker.driver().cuStreamSynchronize(stream);
}

CUresult handle(Worker& worker, const wire::MirrorReadRequest& request,
                BulkWork<wire::MirrorReadReply>& work) {
  if (request.size_bytes > limits::kBulkChunkBytes)
    return worker.violation("Mirrored memory is asked for in more than one chunk of 8 MiB.");
  CUstream stream = nullptr;
  if (CUresult got = worker.session().mirror_stream(worker.current_context(), &stream); got != CUDA_SUCCESS)
    return got;
  work = [&session = worker.session(), stream, source = request.address, size_bytes = request.size_bytes](
             wire::MirrorReadReply&, BulkBuffer& bulk) {
    bulk = session.bulk_pool.take(size_bytes);
    if (size_bytes == 0) return CUDA_SUCCESS;
    const CUresult copied =
        session.driver.cuMemcpyDtoHAsync_v2(bulk.bytes().data(), source, size_bytes, stream);
    return copied != CUDA_SUCCESS ? copied : session.driver.cuStreamSynchronize(stream);
  };
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
