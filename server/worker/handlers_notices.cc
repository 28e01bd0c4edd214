// The driver's log and its news of devices.
#include <algorithm>

#include "protocol/base/limits.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

constexpr uint64_t kMaxLogBytes = 32 * 1024;  // CUDA's log has 25600

}  // namespace

CUresult handle(Worker& worker, const wire::LogsDumpRequest& request, wire::LogsDumpReply& reply) {
  std::string text(std::clamp<uint64_t>(request.size_bytes, 1, kMaxLogBytes), '\0');
  size_t size = text.size();
  CUlogIterator iterator = request.iterator;
  const CUresult result = worker.driver().cuLogsDumpToMemory(request.has_iterator ? &iterator : nullptr,
                                                             text.data(), &size, request.flags);
  text.resize(std::min(size, text.size()));
  reply.iterator = iterator;
  reply.text = std::move(text);
  return result;
}

CUresult handle(Worker& worker, const wire::LogsSubscribeRequest& request, wire::LogsSubscribeReply&) {
  return worker.session().notices.subscribe_log(request.subscribe);
}

CUresult handle(Worker& worker, const wire::DeviceRegisterNotificationRequest& request,
                wire::DeviceRegisterNotificationReply&) {
  CUasyncCallbackHandle native = nullptr;
  const CUresult result = worker.session().notices.add_listener(request.device, request.callback, &native);
  if (result != CUDA_SUCCESS) return result;
  const Status named = worker.name_object(wire::HandleKind::kAsyncCallback, request.callback, native);
  return named ? CUDA_SUCCESS : worker.violation(named.error().message);
}

CUresult handle(Worker& worker, const wire::DeviceUnregisterNotificationRequest& request,
                wire::DeviceUnregisterNotificationReply&) {
  const auto native =
      worker.native_as<CUasyncCallbackHandle>(wire::HandleKind::kAsyncCallback, request.callback);
  if (!native) return CUDA_ERROR_INVALID_HANDLE;
  const CUresult result = worker.session().notices.remove_listener(request.device, request.callback, *native);
  if (result == CUDA_SUCCESS) worker.forget_object(wire::HandleKind::kAsyncCallback, request.callback);
  return result;
}

}  // namespace outboard::server
