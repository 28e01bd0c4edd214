#include "protocol/abi/proc_address.h"

#include <algorithm>

namespace outboard::abi {
namespace {

const ProcName* find_name(ProcTable table, std::string_view name) {
  const auto place = std::ranges::lower_bound(
      table, name, {}, [](const ProcName& entry) { return std::string_view(entry.name); });
  return place != table.end() && place->name == name ? &*place : nullptr;
}

// The newest version that is not newer than `cuda_version`; null if there is none.
const ProcVersion* find_version(const ProcName& entry, int cuda_version) {
  const auto after = std::ranges::upper_bound(entry.versions, cuda_version, {}, &ProcVersion::introduced);
  return after == entry.versions.begin() ? nullptr : &*std::prev(after);
}

CUresult answer(CUdriverProcAddressQueryResult* status, CUdriverProcAddressQueryResult value) {
  if (status != nullptr) *status = value;
  return value == CU_GET_PROC_ADDRESS_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

}  // namespace

CUresult find_proc_address(ProcTable table, const SymbolResolver& resolve, const char* name, void** function,
                           int cuda_version, uint64_t flags, CUdriverProcAddressQueryResult* status) {
  if (name == nullptr || function == nullptr || cuda_version < 0) return CUDA_ERROR_INVALID_VALUE;
  if (flags != CU_GET_PROC_ADDRESS_DEFAULT && flags != CU_GET_PROC_ADDRESS_LEGACY_STREAM &&
      flags != CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *function = nullptr;
  const ProcName* const entry = find_name(table, name);
  if (entry == nullptr) return answer(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  const ProcVersion* const version = find_version(*entry, cuda_version);
  if (version == nullptr) return answer(status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
  const bool per_thread =
      flags == CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM && version->per_thread_symbol != nullptr;
  *function = resolve(per_thread ? version->per_thread_symbol : version->symbol);
  return answer(status, *function ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

}  // namespace outboard::abi
