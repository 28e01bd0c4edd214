// The driver's log: it lives in the worker; files and callbacks are the program's.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_logs_gen.h"

namespace outboard::client::calls {
namespace {

// CUDA: the log has at most 25600 bytes. One more for the zero at the end, some for what drivers add.
constexpr size_t kLogBytes = 32 * 1024;

CUresult fetch(Client& client, CUlogIterator* iterator, size_t size_bytes, unsigned flags,
               std::string* text) {
  wire::LogsDumpRequest request;
  request.has_iterator = iterator != nullptr;
  request.iterator = iterator != nullptr ? *iterator : 0;
  request.size_bytes = std::min(size_bytes, kLogBytes);
  request.flags = flags;
  wire::LogsDumpReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  if (iterator != nullptr) *iterator = reply.iterator;
  *text = std::move(reply.text);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuLogsDumpToMemory(Client& client, CUlogIterator* iterator, char* buffer, size_t* size,
                            unsigned int flags) {
  if (buffer == nullptr || size == nullptr || *size == 0) return CUDA_ERROR_INVALID_VALUE;
  std::string text;
  const size_t room = *size;
  *size = 0;
  if (const CUresult result = fetch(client, iterator, room, flags, &text); result != CUDA_SUCCESS)
    return result;
  if (text.size() >= room) return CUDA_ERROR_UNKNOWN;  // the server sent more than was asked for
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  *size = text.size();
  return CUDA_SUCCESS;
}

CUresult cuLogsDumpToFile(Client& client, CUlogIterator* iterator, const char* pathToFile,
                          unsigned int flags) {
  if (pathToFile == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::FILE* file = std::fopen(pathToFile, "w");
  if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::string text;
  CUresult result = fetch(client, iterator, kLogBytes, flags, &text);
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) result = CUDA_ERROR_OPERATING_SYSTEM;
  if (std::fclose(file) != 0) result = CUDA_ERROR_OPERATING_SYSTEM;
  return result;
}

CUresult cuLogsRegisterCallback(Client& client, CUlogsCallback callbackFunc, void* userData,
                                CUlogsCallbackHandle* callback_out) {
  if (callbackFunc == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t listener = client.notifications().add_log_listener(callbackFunc, userData);
  wire::LogsSubscribeReply reply;
  const CUresult result = client.call(wire::LogsSubscribeRequest{.subscribe = true}, reply);
  if (result != CUDA_SUCCESS) {
    client.notifications().remove_log_listener(listener);
    return result;
  }
  if (callback_out != nullptr)
    *callback_out = reinterpret_cast<CUlogsCallbackHandle>(static_cast<uintptr_t>(listener));
  return CUDA_SUCCESS;
}

CUresult cuLogsUnregisterCallback(Client& client, CUlogsCallbackHandle callback) {
  if (!client.notifications().remove_log_listener(reinterpret_cast<uintptr_t>(callback)))
    return CUDA_ERROR_INVALID_VALUE;
  if (client.notifications().has_log_listeners()) return CUDA_SUCCESS;
  wire::LogsSubscribeReply reply;
  return client.call(wire::LogsSubscribeRequest{.subscribe = false}, reply);
}

}  // namespace outboard::client::calls
