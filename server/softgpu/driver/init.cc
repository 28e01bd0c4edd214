// cuInit, version, errors, and where functions are.
#include <cstring>

#include "protocol/abi/error_names_gen.h"
#include "protocol/abi/proc_address.h"
#include "protocol/abi/proc_table_gen.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;
namespace abi = outboard::abi;

extern "C" {

// By this symbol a server recognises the software device among libraries called libcuda.so.1.
extern const char outboard_softgpu_version[];
const char outboard_softgpu_version[] = OUTBOARD_VERSION;

CUresult cuInit(unsigned int flags) {
  return guarded([&] { return Driver::instance().initialize(flags); });
}

CUresult cuDriverGetVersion(int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = kDriverVersion;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *text = abi::error_text(error);
  return *text == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = abi::error_name(error);
  return *name == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int cuda_version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* status) {
  return guarded([&] {
    return abi::find_proc_address(abi::proc_table(), Driver::find_symbol, symbol, function, cuda_version,
                                  flags, status);
  });
}

CUresult cuGetProcAddress(const char* symbol, void** function, int cuda_version, cuuint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, cuda_version, flags, nullptr);
}

CUresult cuGetExportTable(const void** table, const CUuuid* id) {
  return guarded([&] { return Driver::instance().tables().get(table, id); });
}

}  // extern "C"
