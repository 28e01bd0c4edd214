// The rule by which cuGetProcAddress picks one of the versions of a function.
//
// A name (without suffix) has versions, each with the CUDA version that introduced it; the n-th of
// them is exported as X, X_v2, X_v3... The caller says which CUDA version it was written for and
// gets the newest function that is not newer than that. With the per-thread flag it gets the
// `_ptsz`/`_ptds` twin where there is one.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::abi {

struct ProcVersion {
  int introduced;                 // as cuDriverGetVersion counts: 13000 is CUDA 13.0
  const char* symbol;             // the exported name
  const char* per_thread_symbol;  // its _ptsz or _ptds twin; null where there is none
};

struct ProcName {
  const char* name;                       // without suffix
  std::span<const ProcVersion> versions;  // by `introduced`, ascending; never empty
};

// Sorted by name (as strcmp sorts), without duplicates.
using ProcTable = std::span<const ProcName>;

// The address of an exported symbol, null if this library has none.
using SymbolResolver = std::function<void*(std::string_view symbol)>;

// The answer of cuGetProcAddress and cuGetProcAddress_v2. `status` may be null (the former has none).
// CUDA_ERROR_INVALID_VALUE: a null argument, a negative version, or flags other than default, legacy
// or per-thread. CUDA_ERROR_NOT_FOUND: unknown name, or every version is newer than `cuda_version`;
// `status` says which, and `*function` is null. Pure but for the resolver; any thread.
CUresult find_proc_address(ProcTable table, const SymbolResolver& resolve, const char* name, void** function,
                           int cuda_version, uint64_t flags, CUdriverProcAddressQueryResult* status);

}  // namespace outboard::abi
