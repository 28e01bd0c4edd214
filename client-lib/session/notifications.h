// Callbacks of the program that news from the server runs: lines of the driver's log and what the
// driver says of devices. They run on a thread of their own, one after the other, so that they may
// call CUDA and never hold up the connection.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "client-lib/session/host_functions.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

class Notifications {
 public:
  // --- The driver's log. Handles are ours; they are never 0 and never used twice. ---
  uint64_t add_log_listener(CUlogsCallback function, void* data);
  // False if there is no such listener.
  bool remove_log_listener(uint64_t listener);
  bool has_log_listeners();
  void driver_logged(CUlogLevel level, const std::string& text);

  // --- Devices. ---
  void add_device_listener(wire::Handle handle, CUasyncCallback function, void* data);
  void remove_device_listener(wire::Handle handle);
  // Ignores handles that are not, or no longer, known.
  void device_said(wire::Handle handle, const CUasyncNotificationInfo& info);

 private:
  struct LogListener {
    CUlogsCallback function;
    void* data;
  };
  struct DeviceListener {
    CUasyncCallback function;
    void* data;
  };
  void run(HostFunctions::Function function) { runner_.reached(runner_.add(std::move(function))); }

  std::mutex mutex_;
  uint64_t next_listener_ = 1;
  std::map<uint64_t, LogListener> log_listeners_;
  std::map<uint64_t, DeviceListener> device_listeners_;  // by the handle as the application has it
  HostFunctions runner_{[](uint64_t) {}};                // last: its thread uses the others
};

}  // namespace outboard::client
