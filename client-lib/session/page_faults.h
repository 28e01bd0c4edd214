// Host code that touches a page whose content is elsewhere: the kernel says so with SIGSEGV, the
// handler asks a thread of ours to bring the page, and the instruction runs again. Every other fault
// goes on to whoever handled SIGSEGV before us, or to the default.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include <sys/types.h>

namespace outboard::client {

class PageFaults {
 public:
  // On the service thread: makes the page accessible; false if it is none of ours.
  using Resolve = std::function<bool(uint64_t address, bool write)>;
  // On the service thread, after each `idle_after()` without a fault.
  using Idle = std::function<void()>;
  // Zero: not at all.
  using IdleAfter = std::function<std::chrono::milliseconds()>;

  PageFaults(Resolve resolve, Idle idle, IdleAfter idle_after);
  ~PageFaults();
  PageFaults(const PageFaults&) = delete;
  PageFaults& operator=(const PageFaults&) = delete;

  // Makes sure that the handler is in place: a program may install its own at any time, which is then
  // the one that other faults go to. Starts the thread the first time.
  void install();
  // The service thread looks again at how long to be idle.
  void wake();

  // In the handler. False: none of ours.
  bool wait_for(uint64_t address, bool write);

 private:
  // What a faulting thread wants; lives here because the handler must not allocate.
  struct Slot {
    std::atomic<uint32_t> state{0};
    uint64_t address = 0;
    bool write = false;
  };
  static constexpr size_t kSlots = 64;

  void serve();
  bool serve_slots();

  const Resolve resolve_;
  const Idle idle_;
  const IdleAfter idle_after_;
  std::array<Slot, kSlots> slots_;
  std::atomic<uint32_t> asked_{0};  // changes whenever the thread has something to look at
  std::atomic<bool> closing_{false};
  std::atomic<pid_t> owner_{0};
  std::atomic<pid_t> service_{0};
  std::thread thread_;
};

}  // namespace outboard::client
