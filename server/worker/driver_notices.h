// What a driver says of its own accord: messages of its log and news of devices. It calls us back on
// threads of its own; the client is told in notices.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/handle.h"
#include "server/device/driver_api_gen.h"

namespace outboard::server {

// Threads: any.
class DriverNotices {
 public:
  // A client needs one for each device; more than these are a client gone wrong.
  static constexpr size_t kMaxListeners = 1024;

  explicit DriverNotices(const DriverApi& driver) : driver_(driver) {}
  DriverNotices(const DriverNotices&) = delete;
  ~DriverNotices() { close(); }

  // Who sends notices; set before the first command.
  void set_sender(std::function<void(wire::Notice)> send) { send_ = std::move(send); }

  // The driver calls back no more.
  void close();

  // The driver's log from now on, or no more.
  CUresult subscribe_log(bool subscribe);

  // Asks the driver for news of the device, which go to the client's callback of this handle.
  // CUDA_ERROR_OUT_OF_MEMORY for too many.
  CUresult add_listener(CUdevice device, wire::Handle callback, CUasyncCallbackHandle* native);
  CUresult remove_listener(CUdevice device, wire::Handle callback, CUasyncCallbackHandle native);

 private:
  // What the driver is given as user data. Kept until the end: a call may be under way.
  struct Listener {
    DriverNotices* notices;
    CUdevice device;
    wire::Handle callback;
    CUasyncCallbackHandle native;
    bool active;
  };
  static void on_log(void* self, CUlogLevel level, char* message, size_t length);
  static void on_device(CUasyncNotificationInfo* info, void* listener, CUasyncCallbackHandle);

  const DriverApi& driver_;
  std::function<void(wire::Notice)> send_;
  std::mutex mutex_;
  CUlogsCallbackHandle log_ = nullptr;
  bool subscribed_ = false;
  std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Listener>> listeners_;  // by handle
};

}  // namespace outboard::server
