// cuInit, versions, error texts, and the two ways to ask for entry points.
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"
#include "protocol/abi/error_names_gen.h"

namespace outboard::client::calls {

CUresult cuInit(Client& client, unsigned int Flags) { return client.initialize(Flags); }

// Asked by the CUDA runtime before cuInit. Where no server answers, the version is the one this
// library was made for, so that the runtime goes on to cuInit and reports its error.
CUresult cuDriverGetVersion(Client& client, int* driverVersion) {
  if (driverVersion == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *driverVersion = client.driver_version();
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(Client&, CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pStr = abi::error_name(error);
  return *pStr == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorString(Client&, CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pStr = abi::error_text(error);
  return *pStr == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetExportTable(Client& client, const void** ppExportTable, const CUuuid* pExportTableId) {
  return client.export_tables().get(ppExportTable, pExportTableId);
}

}  // namespace outboard::client::calls
