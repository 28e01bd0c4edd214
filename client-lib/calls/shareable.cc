// Memory and pools for other programs (docs/adr/0008). Who has exported or imported some waits for every
// command from then on: the programs tell one another by ways of their own what is done.
#include "client-lib/calls/shareable.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/state/export_tokens.h"
#include "protocol/wire/messages_mempool_gen.h"
#include "protocol/wire/messages_vmm_gen.h"

namespace outboard::client::calls {
namespace {

constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
constexpr auto kFabric = CU_MEM_HANDLE_TYPE_FABRIC;

bool is_offered(CUmemAllocationHandleType type) { return type == kPosix || type == kFabric; }

// Writes what stands for the key: a descriptor, or the fabric handle that it is.
CUresult give(Client& client, const std::vector<uint64_t>& key, CUmemAllocationHandleType type,
              void* shareable) {
  if (type == kFabric) {
    if (key.size() * sizeof(uint64_t) != sizeof(CUmemFabricHandle)) return CUDA_ERROR_UNKNOWN;
    std::memcpy(shareable, key.data(), sizeof(CUmemFabricHandle));
    return CUDA_SUCCESS;
  }
  ExportKey own{};
  if (key.size() != own.size()) return CUDA_ERROR_UNKNOWN;
  std::copy(key.begin(), key.end(), own.begin());
  const int descriptor = client.export_tokens().issue(own);
  if (descriptor < 0) {
    (void)client.post(wire::ExportClosedRequest{key});
    return CUDA_ERROR_OPERATING_SYSTEM;
  }
  std::memcpy(shareable, &descriptor, sizeof descriptor);
  return CUDA_SUCCESS;
}

// The key that a descriptor or fabric handle stands for; empty if it is neither.
std::vector<uint64_t> key_of(void* os_handle, CUmemAllocationHandleType type) {
  if (type == kFabric) {
    if (os_handle == nullptr) return {};
    std::vector<uint64_t> words(sizeof(CUmemFabricHandle) / sizeof(uint64_t));
    std::memcpy(words.data(), os_handle, sizeof(CUmemFabricHandle));
    return words;
  }
  const auto key = ExportTokens::read(static_cast<int>(reinterpret_cast<intptr_t>(os_handle)));
  return key ? std::vector<uint64_t>(key->begin(), key->end()) : std::vector<uint64_t>();
}

}  // namespace

void tell_closed_exports(Client& client) {
  for (const ExportKey& key : client.export_tokens().take_closed())
    (void)client.post(wire::ExportClosedRequest{{key.begin(), key.end()}});
}

CUresult cuMemExportToShareableHandle(Client& client, void* shareableHandle,
                                      CUmemGenericAllocationHandle handle,
                                      CUmemAllocationHandleType handleType, unsigned long long flags) {
  if (shareableHandle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_offered(handleType)) return CUDA_ERROR_NOT_SUPPORTED;
  tell_closed_exports(client);
  wire::MemExportRequest request;
  if (const CUresult result = client.find_handle(wire::HandleKind::kAllocation, handle, &request.handle);
      result != CUDA_SUCCESS)
    return result;
  request.type = static_cast<uint32_t>(handleType);
  request.flags = flags;
  wire::MemExportReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  return give(client, reply.key, handleType, shareableHandle);
}

CUresult cuMemImportFromShareableHandle(Client& client, CUmemGenericAllocationHandle* handle, void* osHandle,
                                        CUmemAllocationHandleType shHandleType) {
  if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!is_offered(shHandleType)) return CUDA_ERROR_NOT_SUPPORTED;
  const std::vector<uint64_t> key = key_of(osHandle, shHandleType);
  if (key.empty()) return CUDA_ERROR_INVALID_VALUE;
  wire::MemImportReply reply;
  const CUresult result =
      client.call(wire::MemImportRequest{key, static_cast<uint32_t>(shHandleType)}, reply);
  if (result != CUDA_SUCCESS) return result;
  client.share_with_others();
  client.allocation_references().add(reply.handle);
  *handle = client.application_handle(wire::HandleKind::kAllocation, reply.handle);
  return CUDA_SUCCESS;
}

CUresult cuMemPoolExportToShareableHandle(Client& client, void* handle_out, CUmemoryPool pool,
                                          CUmemAllocationHandleType handleType, unsigned long long flags) {
  if (handle_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (handleType != kPosix) return CUDA_ERROR_NOT_SUPPORTED;
  tell_closed_exports(client);
  wire::PoolExportRequest request;
  if (const CUresult result = find(client, pool, &request.pool); result != CUDA_SUCCESS) return result;
  request.type = static_cast<uint32_t>(handleType);
  request.flags = flags;
  wire::PoolExportReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  return give(client, reply.key, handleType, handle_out);
}

CUresult cuMemPoolImportFromShareableHandle(Client& client, CUmemoryPool* pool_out, void* handle,
                                            CUmemAllocationHandleType handleType, unsigned long long flags) {
  if (pool_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (handleType != kPosix) return CUDA_ERROR_NOT_SUPPORTED;
  const std::vector<uint64_t> key = key_of(handle, handleType);
  if (key.empty()) return CUDA_ERROR_INVALID_VALUE;
  wire::PoolImportReply reply;
  const CUresult result =
      client.call(wire::PoolImportRequest{key, static_cast<uint32_t>(handleType), flags}, reply);
  if (result != CUDA_SUCCESS) return result;
  client.share_with_others();
  *pool_out = reinterpret_cast<CUmemoryPool>(
      static_cast<uintptr_t>(client.application_handle(wire::HandleKind::kMemoryPool, reply.pool)));
  return CUDA_SUCCESS;
}

// What the data means is between the drivers of the two sessions.
CUresult cuMemPoolExportPointer(Client& client, CUmemPoolPtrExportData* shareData_out, CUdeviceptr ptr) {
  if (shareData_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::MemPoolExportPointerRequest request;
  request.ptr = ptr;
  wire::MemPoolExportPointerReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  *shareData_out = reply.shareData_out;
  return CUDA_SUCCESS;
}

CUresult cuMemPoolImportPointer(Client& client, CUdeviceptr* ptr_out, CUmemoryPool pool,
                                CUmemPoolPtrExportData* shareData) {
  if (ptr_out == nullptr || shareData == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::PoolImportPointerRequest request;
  if (const CUresult result = find(client, pool, &request.pool); result != CUDA_SUCCESS) return result;
  request.data = std::as_bytes(std::span(shareData->reserved));
  wire::PoolImportPointerReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  MemoryRange range;
  range.base = reply.address;
  range.bytes = reply.size_bytes;
  range.kind = MemoryKind::kPool;
  client.device_memory().replace(range);
  *ptr_out = reply.address;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
