// Context local storage: the runtime's per-context state, asked for before almost every call.
#include "protocol/abi/export_slots.h"
#include "protocol/abi/unsupported_slots.h"

namespace outboard::abi {
namespace {

// 0 stands for the current context. Null if there is none.
CUcontext resolve(ExportTables& tables, CUcontext context) {
  return context != nullptr ? context : tables.host().current_context();
}

CUresult put(CUcontext context, void* key, void* value, ContextLocalStorage::Destructor destructor) {
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const CUcontext owner = resolve(*tables, context);
  if (owner == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  return tables->storage().put(owner, key, value, destructor) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

// Deleting what is not there succeeds: the runtime deletes at exit what a reset dropped already.
CUresult remove(CUcontext context, void* key) {
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const CUcontext owner = resolve(*tables, context);
  if (owner == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  tables->storage().remove(owner, key);
  return CUDA_SUCCESS;
}

CUresult get(void** value, CUcontext context, void* key) {
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const CUcontext owner = resolve(*tables, context);
  if (owner == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  return tables->storage().get(owner, key, value) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

}  // namespace

const void* const* context_local_storage_table() {
  static const TableWords<kContextLocalStorageWords> words = {slot_address(&put), slot_address(&remove),
                                                              slot_address(&get), nullptr};
  return words.data();
}

}  // namespace outboard::abi
