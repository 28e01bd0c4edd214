#include "server/worker/driver_notices.h"

#include <algorithm>
#include <string>
#include <utility>

#include "protocol/base/limits.h"

namespace outboard::server {

void DriverNotices::close() {
  (void)subscribe_log(false);
  for (const auto& [handle, listener] : listeners_) {
    if (!std::exchange(listener->active, false)) continue;
    driver_.cuDeviceUnregisterAsyncNotification(listener->device, listener->native);
  }
}

CUresult DriverNotices::subscribe_log(bool subscribe) {
  std::lock_guard lock(mutex_);
  if (subscribe == subscribed_) return CUDA_SUCCESS;
  const CUresult result = subscribe ? driver_.cuLogsRegisterCallback(&DriverNotices::on_log, this, &log_)
                                    : driver_.cuLogsUnregisterCallback(log_);
  if (result == CUDA_SUCCESS) subscribed_ = subscribe;
  return result;
}

void DriverNotices::on_log(void* self, CUlogLevel level, char* message, size_t length) {
  wire::Notice notice{.kind = wire::Notice::Kind::kDriverLog, .text = {}, .number = level};
  notice.text.assign(message, std::min(length, limits::kMessageBytes));
  static_cast<DriverNotices*>(self)->send_(std::move(notice));
}

CUresult DriverNotices::add_listener(CUdevice device, wire::Handle callback, CUasyncCallbackHandle* native) {
  auto made = std::make_unique<Listener>(Listener{this, device, callback, nullptr, true});
  Listener* listener = made.get();
  {
    std::lock_guard lock(mutex_);
    if (listeners_.size() >= kMaxListeners) return CUDA_ERROR_OUT_OF_MEMORY;
    // A handle that is taken is found out when the object is named.
    listeners_.insert_or_assign(std::pair{callback.index, callback.generation}, std::move(made));
  }
  const CUresult result = driver_.cuDeviceRegisterAsyncNotification(device, &DriverNotices::on_device,
                                                                    listener, &listener->native);
  std::lock_guard lock(mutex_);
  listener->active = result == CUDA_SUCCESS;
  *native = listener->native;
  if (result != CUDA_SUCCESS) listeners_.erase({callback.index, callback.generation});
  return result;
}

CUresult DriverNotices::remove_listener(CUdevice device, wire::Handle callback,
                                        CUasyncCallbackHandle native) {
  const CUresult result = driver_.cuDeviceUnregisterAsyncNotification(device, native);
  std::lock_guard lock(mutex_);
  const auto found = listeners_.find({callback.index, callback.generation});
  if (result == CUDA_SUCCESS && found != listeners_.end()) found->second->active = false;
  return result;
}

void DriverNotices::on_device(CUasyncNotificationInfo* info, void* data, CUasyncCallbackHandle) {
  const auto* listener = static_cast<const Listener*>(data);
  wire::Notice notice{.kind = wire::Notice::Kind::kDevice, .text = {}};
  notice.number = uint64_t{listener->callback.generation} << 32 | listener->callback.index;
  notice.type = info->type;
  notice.bytes = info->info.overBudget.bytesOverBudget;
  listener->notices->send_(std::move(notice));
}

}  // namespace outboard::server
