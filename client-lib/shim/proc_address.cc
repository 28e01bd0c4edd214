// cuGetProcAddress, by the generated version table.
#include "protocol/abi/proc_address.h"
#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"
#include "client-lib/shim/symbol_addresses_gen.h"
#include "protocol/abi/proc_table_gen.h"

namespace outboard::client::calls {

CUresult cuGetProcAddress_v2(Client&, const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* symbolStatus) {
  return abi::find_proc_address(abi::proc_table(), symbol_address, symbol, pfn, cudaVersion, flags,
                                symbolStatus);
}

CUresult cuGetProcAddress(Client& client, const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags) {
  return cuGetProcAddress_v2(client, symbol, pfn, cudaVersion, flags, nullptr);
}

}  // namespace outboard::client::calls
