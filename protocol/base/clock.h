// Time as something that is passed in, so that tests and simulations can set it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace outboard {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime now() const = 0;     // for durations and deadlines
  virtual WallTime wall_now() const = 0;  // for people and for expiry dates
};

class SystemClock final : public Clock {
 public:
  SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override { return std::chrono::system_clock::now(); }
};

// Stands still until it is told to advance. Starts at an arbitrary but fixed time.
class ManualClock final : public Clock {
 public:
  SteadyTime now() const override { return SteadyTime(elapsed()); }
  WallTime wall_now() const override {
    constexpr std::chrono::seconds kStart{1'750'000'000};
    return WallTime(std::chrono::duration_cast<WallTime::duration>(kStart + elapsed()));
  }
  void advance(std::chrono::nanoseconds by) { elapsed_ns_ += by.count(); }

 private:
  std::chrono::nanoseconds elapsed() const { return std::chrono::nanoseconds(elapsed_ns_.load()); }
  std::atomic<int64_t> elapsed_ns_{1'000'000'000};
};

// The steady clock as a number (CLOCK_MONOTONIC), which all processes of a machine read alike.
inline uint64_t monotonic_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace outboard
