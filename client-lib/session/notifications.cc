#include "client-lib/session/notifications.h"

#include "client-lib/state/handle_table.h"

namespace outboard::client {
namespace {

uint64_t value_of(wire::Handle handle) { return handle_value(wire::HandleKind::kAsyncCallback, handle); }

}  // namespace

uint64_t Notifications::add_log_listener(CUlogsCallback function, void* data) {
  std::lock_guard lock(mutex_);
  const uint64_t listener = next_listener_++;
  log_listeners_.emplace(listener, LogListener{function, data});
  return listener;
}

bool Notifications::remove_log_listener(uint64_t listener) {
  std::lock_guard lock(mutex_);
  return log_listeners_.erase(listener) != 0;
}

bool Notifications::has_log_listeners() {
  std::lock_guard lock(mutex_);
  return !log_listeners_.empty();
}

void Notifications::driver_logged(CUlogLevel level, const std::string& text) {
  run([this, level, text] {
    std::map<uint64_t, LogListener> listeners;
    {
      std::lock_guard lock(mutex_);
      listeners = log_listeners_;
    }
    for (const auto& [id, listener] : listeners) {
      std::string message = text;  // a callback may write into it
      listener.function(listener.data, level, message.data(), message.size());
    }
  });
}

void Notifications::add_device_listener(wire::Handle handle, CUasyncCallback function, void* data) {
  std::lock_guard lock(mutex_);
  device_listeners_.insert_or_assign(value_of(handle), DeviceListener{function, data});
}

void Notifications::remove_device_listener(wire::Handle handle) {
  std::lock_guard lock(mutex_);
  device_listeners_.erase(value_of(handle));
}

void Notifications::device_said(wire::Handle handle, const CUasyncNotificationInfo& info) {
  run([this, value = value_of(handle), info] {
    DeviceListener listener{};
    {
      std::lock_guard lock(mutex_);
      const auto found = device_listeners_.find(value);
      if (found == device_listeners_.end()) return;
      listener = found->second;
    }
    CUasyncNotificationInfo copy = info;
    listener.function(&copy, listener.data, reinterpret_cast<CUasyncCallbackHandle>(value));
  });
}

}  // namespace outboard::client
