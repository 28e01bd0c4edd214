// Memory and pools that other sessions may have (docs/adr/0008). The client's descriptors hold keys; the
// driver's own go from worker to worker through the daemon.
#include <sys/random.h>

#include <cstring>
#include <optional>

#include "protocol/base/limits.h"
#include "server/worker/charge.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

void* as_os_handle(int descriptor) { return reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)); }

std::string to_key(std::span<const uint64_t> words) {
  return std::string(reinterpret_cast<const char*>(words.data()), words.size_bytes());
}

std::vector<uint64_t> to_words(const std::string& key) {
  std::vector<uint64_t> words(key.size() / sizeof(uint64_t));
  std::memcpy(words.data(), key.data(), words.size() * sizeof(uint64_t));
  return words;
}

// Empty when the system has no random bytes.
std::string new_key() {
  std::string key(kExportKeyBytes, '\0');
  return getrandom(key.data(), key.size(), 0) == static_cast<ssize_t>(key.size()) ? key : std::string();
}

// Reports why others cannot have it, and what the application is told.
CUresult refused(const SessionState& session, const Error& error) {
  session.log.warn("Memory is not shared: " + error.message);
  if (error.kind == ErrorKind::kNotFound) return CUDA_ERROR_INVALID_VALUE;
  return error.kind == ErrorKind::kOverloaded ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_OPERATING_SYSTEM;
}

void forget_gone(SessionState& session, const PhysicalUse::Gone& gone) {
  session.ledger.release({AllocationKind::kPhysical, gone.paid_as});
  if (!session.exports) return;
  for (const std::string& key : gone.keys) session.exports->withdraw(key);
}

// Asks the driver for a descriptor, and gives it to the daemon under a new key.
template <typename Export>
CUresult publish_descriptor(SessionState& session, const ExportRecord& record, Export export_it,
                            std::string* key) {
  int descriptor = -1;
  if (const CUresult exported = export_it(&descriptor); exported != CUDA_SUCCESS) return exported;
  const UniqueFd owned(descriptor);
  *key = new_key();
  if (key->empty()) return CUDA_ERROR_OPERATING_SYSTEM;
  const Status published = session.exports->publish(*key, record, owned.get());
  return published ? CUDA_SUCCESS : refused(session, published.error());
}

ExportRecord record_of(SessionState& session, CUmemGenericAllocationHandle memory) {
  const auto paid = session.ledger.find({AllocationKind::kPhysical, session.physical.paid_as(memory)});
  // Multicast objects hold no memory of their own.
  if (!paid) return {.kind = static_cast<uint32_t>(ExportKind::kMemory), .bytes = 0, .device = 0};
  return {.kind = static_cast<uint32_t>(ExportKind::kMemory), .bytes = paid->bytes, .device = paid->device};
}

CUresult export_fabric(SessionState& session, CUmemGenericAllocationHandle memory, uint64_t flags,
                       std::string* key) {
  CUmemFabricHandle fabric{};
  const CUresult exported =
      session.driver.cuMemExportToShareableHandle(&fabric, memory, CU_MEM_HANDLE_TYPE_FABRIC, flags);
  if (exported != CUDA_SUCCESS) return exported;
  key->assign(reinterpret_cast<const char*>(fabric.data), sizeof fabric.data);
  const Status published = session.exports->publish(*key, record_of(session, memory), -1);
  return published ? CUDA_SUCCESS : refused(session, published.error());
}

CUresult import_memory(SessionState& session, const std::string& key, CUmemAllocationHandleType type,
                       wire::Handle* handle) {
  auto found = session.exports->find(key);
  if (!found) return refused(session, found.error());
  const ExportRecord& record = found->record;
  if (record.kind != static_cast<uint32_t>(ExportKind::kMemory)) return CUDA_ERROR_INVALID_VALUE;
  Worker view(session);
  // Whoever has memory pays for it; this session may have it already.
  Charge charge(view, session.physical.knows(key) ? 0 : record.bytes, record.device);
  if (!charge.granted()) return CUDA_ERROR_OUT_OF_MEMORY;
  CUmemFabricHandle fabric{};
  std::memcpy(fabric.data, key.data(), std::min(sizeof fabric.data, key.size()));
  void* const os_handle = type == kPosix ? as_os_handle(found->descriptor.get()) : &fabric;
  CUmemGenericAllocationHandle memory = 0;
  const CUresult imported = session.driver.cuMemImportFromShareableHandle(&memory, os_handle, type);
  if (imported != CUDA_SUCCESS) return imported;
  const bool known = session.physical.knows(key);
  session.physical.import(memory, key);
  if (!known) charge.commit({AllocationKind::kPhysical, session.physical.paid_as(memory)});
  const Result<wire::Handle> adopted = view.adopt_object(HandleKind::kAllocation, memory);
  if (!adopted) return CUDA_ERROR_OUT_OF_MEMORY;
  *handle = *adopted;
  return CUDA_SUCCESS;
}

bool is_key(std::span<const uint64_t> key, uint32_t type) {
  if (type == CU_MEM_HANDLE_TYPE_FABRIC) return key.size_bytes() == kFabricKeyBytes;
  return type == kPosix && key.size_bytes() == kExportKeyBytes;
}

}  // namespace

CUresult handle(Worker& worker, const wire::MemReleaseRequest& request, wire::MemReleaseReply&) {
  const auto memory = worker.native(HandleKind::kAllocation, request.handle);
  if (!memory) return CUDA_ERROR_INVALID_HANDLE;
  if (CUresult released = worker.driver().cuMemRelease(*memory); released != CUDA_SUCCESS) return released;
  SessionState& session = worker.session();
  const PhysicalUse::Released left = session.physical.release(*memory);
  if (left.handle_gone) worker.forget_object(HandleKind::kAllocation, request.handle);
  if (left.renamed_to) {
    session.ledger.rename({AllocationKind::kPhysical, left.renamed_from},
                          {AllocationKind::kPhysical, *left.renamed_to});
  }
  if (left.gone) forget_gone(session, *left.gone);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemUnmapRequest& request, wire::MemUnmapReply&) {
  const CUresult unmapped = worker.driver().cuMemUnmap(request.address, request.size_bytes);
  if (unmapped != CUDA_SUCCESS) return unmapped;
  SessionState& session = worker.session();
  for (const PhysicalUse::Gone& gone : session.physical.unmap(request.address, request.size_bytes))
    forget_gone(session, gone);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemExportRequest& request, Work<wire::MemExportReply>& work) {
  const auto memory = worker.native(HandleKind::kAllocation, request.handle);
  if (!memory) return CUDA_ERROR_INVALID_HANDLE;
  SessionState& session = worker.session();
  if (!session.exports) return CUDA_ERROR_NOT_SUPPORTED;
  const bool fabric = request.type == CU_MEM_HANDLE_TYPE_FABRIC;
  if (!fabric && request.type != kPosix) return CUDA_ERROR_NOT_SUPPORTED;
  work = [&session, fabric, memory = *memory, flags = request.flags](wire::MemExportReply& reply) {
    std::string key;
    const auto to_descriptor = [&](int* descriptor) {
      return session.driver.cuMemExportToShareableHandle(descriptor, memory, kPosix, flags);
    };
    const CUresult exported =
        fabric ? export_fabric(session, memory, flags, &key)
               : publish_descriptor(session, record_of(session, memory), to_descriptor, &key);
    if (exported != CUDA_SUCCESS) return exported;
    session.physical.share(memory, key, !fabric);
    reply.key = to_words(key);
    return CUDA_SUCCESS;
  };
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemImportRequest& request, Work<wire::MemImportReply>& work) {
  SessionState& session = worker.session();
  if (!session.exports) return CUDA_ERROR_NOT_SUPPORTED;
  if (!is_key(request.key, request.type)) return CUDA_ERROR_INVALID_VALUE;
  work = [&session, key = to_key(request.key), type = static_cast<CUmemAllocationHandleType>(request.type)](
             wire::MemImportReply& reply) { return import_memory(session, key, type, &reply.handle); };
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::ExportClosedRequest& request, wire::ExportClosedReply&) {
  SessionState& session = worker.session();
  if (!session.exports) return CUDA_ERROR_NOT_SUPPORTED;
  const std::string key = to_key(request.key);
  session.exports->withdraw(key);
  if (const auto gone = session.physical.close(key)) forget_gone(session, *gone);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::PoolExportRequest& request, Work<wire::PoolExportReply>& work) {
  const auto pool = worker.native_as<CUmemoryPool>(HandleKind::kMemoryPool, request.pool);
  if (!pool) return CUDA_ERROR_INVALID_VALUE;
  SessionState& session = worker.session();
  if (!session.exports) return CUDA_ERROR_NOT_SUPPORTED;
  if (request.type != kPosix) return CUDA_ERROR_NOT_SUPPORTED;
  work = [&session, pool = *pool, flags = request.flags](wire::PoolExportReply& reply) {
    std::string key;
    const auto to_descriptor = [&](int* descriptor) {
      return session.driver.cuMemPoolExportToShareableHandle(descriptor, pool, kPosix, flags);
    };
    const ExportRecord record{.kind = static_cast<uint32_t>(ExportKind::kPool), .bytes = 0, .device = 0};
    const CUresult exported = publish_descriptor(session, record, to_descriptor, &key);
    if (exported != CUDA_SUCCESS) return exported;
    session.pools.exported(pool, key);
    reply.key = to_words(key);
    return CUDA_SUCCESS;
  };
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::PoolImportRequest& request, Work<wire::PoolImportReply>& work) {
  SessionState& session = worker.session();
  if (!session.exports) return CUDA_ERROR_NOT_SUPPORTED;
  if (request.type != kPosix) return CUDA_ERROR_NOT_SUPPORTED;
  if (!is_key(request.key, request.type)) return CUDA_ERROR_INVALID_VALUE;
  work = [&session, key = to_key(request.key), flags = request.flags](wire::PoolImportReply& reply) {
    auto found = session.exports->find(key);
    if (!found) return refused(session, found.error());
    if (found->record.kind != static_cast<uint32_t>(ExportKind::kPool)) return CUDA_ERROR_INVALID_VALUE;
    CUmemoryPool pool = nullptr;
    const CUresult imported = session.driver.cuMemPoolImportFromShareableHandle(
        &pool, as_os_handle(found->descriptor.get()), kPosix, flags);
    if (imported != CUDA_SUCCESS) return imported;
    const Result<wire::Handle> adopted =
        Worker(session).adopt_object(HandleKind::kMemoryPool, reinterpret_cast<uintptr_t>(pool));
    if (!adopted) return CUDA_ERROR_OUT_OF_MEMORY;
    reply.pool = *adopted;
    return CUDA_SUCCESS;
  };
  return CUDA_SUCCESS;
}

// Its size is known only once it is here; whoever has it pays for it.
CUresult handle(Worker& worker, const wire::PoolImportPointerRequest& request,
                wire::PoolImportPointerReply& reply) {
  const auto pool = worker.native_as<CUmemoryPool>(HandleKind::kMemoryPool, request.pool);
  CUmemPoolPtrExportData data{};
  if (!pool || request.data.size() != sizeof data) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(&data, request.data.data(), sizeof data);
  const DriverApi& driver = worker.driver();
  CUdeviceptr address = 0;
  const CUresult imported = driver.cuMemPoolImportPointer(&address, *pool, &data);
  if (imported != CUDA_SUCCESS) return imported;
  CUdeviceptr base = 0;
  size_t bytes = 0;
  CUresult got = driver.cuMemGetAddressRange_v2(&base, &bytes, address);
  const AllocationKey key{AllocationKind::kDeviceMemory, address};
  int device = 0;
  if (got == CUDA_SUCCESS)
    got = driver.cuPointerGetAttribute(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address);
  if (got == CUDA_SUCCESS && !worker.session().ledger.find(key)) {
    Charge charge(worker, bytes, static_cast<uint32_t>(device));
    if (charge.granted())
      charge.commit(key);
    else
      got = CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (got != CUDA_SUCCESS) {
    (void)driver.cuMemFree_v2(address);
    return got;
  }
  reply.address = address;
  reply.size_bytes = bytes;
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
