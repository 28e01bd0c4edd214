// NVML's answers from a server's welcome. A fresh one is asked for when figures that change are
// older than kFreshFor, so that a tool which polls every device does not connect once per figure.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>

#include "protocol/abi/nvml/source.h"
#include "protocol/base/clock.h"
#include "protocol/wire/handshake.h"

namespace outboard::nvml {

// Connects to the server, asks (purpose kQuery) and disconnects.
using Greet = std::function<Result<wire::WelcomeInfo>()>;

class RemoteSource final : public Source {
 public:
  static constexpr std::chrono::milliseconds kFreshFor{200};

  // `clock` must outlive the source.
  static Result<std::unique_ptr<Source>> open(Greet greet, const Clock& clock);

  std::string driver_version() const override;
  int cuda_driver_version() const override;
  const std::vector<DeviceFacts>& devices() const override { return facts_; }
  Result<MemoryUse> memory(size_t device) override;
  Result<Sensors> sensors(size_t device) override;
  Result<std::vector<ProcessUse>> processes(size_t device) override;

 private:
  RemoteSource(Greet greet, const Clock& clock) : greet_(std::move(greet)), clock_(clock) {}
  Status refresh_if_stale();  // mutex_ held
  Status refresh();           // mutex_ held, or before anybody else knows the object

  const Greet greet_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  wire::WelcomeInfo welcome_;
  SteadyTime asked_at_{};
  std::vector<DeviceFacts> facts_;
};

}  // namespace outboard::nvml
