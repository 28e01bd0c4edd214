#include "client-lib/shim/entry.h"

#include <new>

#include "client-lib/session/client.h"
#include "client-lib/session/host_function_thread.h"
#include "client-lib/shim/call_log.h"
#include "client-lib/shim/process.h"
#include "protocol/base/bytes.h"

namespace outboard::client {
namespace {

void count(Client& client, const char* symbol) {
  client.count_call();
  if (CallLog* log = CallLog::instance()) [[unlikely]]
    log->note(symbol);
}

}  // namespace

Entry::Entry(const char* symbol) : client_(process_client()), symbol_(symbol) {
  count(client_, symbol);
  result_ = client_.gate();
  if (ok() && on_host_function_thread()) result_ = CUDA_ERROR_NOT_PERMITTED;
}

Entry::Entry(const char* symbol, BeforeInit) : client_(process_client()), symbol_(symbol) {
  count(client_, symbol);
}

CUresult Entry::check_captures() { return client_.check_captures(); }

CUresult Entry::exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  } catch (...) {
    return CUDA_ERROR_UNKNOWN;
  }
}

CUresult Entry::unsupported(const char* reason) {
  if (!ok()) return result_;
  client_.log_once(LogLevel::kWarn, symbol_,
                   text("The program calls ", symbol_, ", which cannot be served remotely (", reason,
                        "). It gets CUDA_ERROR_NOT_SUPPORTED."));
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace outboard::client
