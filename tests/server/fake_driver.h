// A driver for tests: it remembers what it was asked, answers what the test wants, and can hold a
// waiting call until the test lets it go. DriverApi's functions have no user data, so one is current
// at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "server/device/driver_api_gen.h"

namespace outboard::server::testing {

class FakeDriver {
 public:
  static inline const CUmemoryPool kFakePool = reinterpret_cast<CUmemoryPool>(0x7001);
  FakeDriver();
  ~FakeDriver() { current_ = nullptr; }

  const DriverApi& api() const { return api_; }

  // The next call of this symbol fails so.
  void fail_next(const std::string& symbol, CUresult result);
  // Waiting calls block from now on, until open() is called.
  void close_gate();
  void open_gate();
  // Reserving addresses succeeds elsewhere if this one is wanted.
  void take_address(CUdeviceptr address) { taken_address_ = address; }
  // Of the streams, only the null stream waits at the gate.
  void let_other_streams_pass() { others_pass_ = true; }
  // The pool takes memory in pieces of this size.
  void set_pool_grain(size_t bytes) { pool_grain_ = bytes; }
  // Copies to the device wait at the gate as well.
  void block_copies() { copies_block_ = true; }

  std::vector<std::string> calls() const;
  size_t count(const std::string& call) const;
  std::vector<std::byte> last_parameters() const;
  CUcontext context_of_last_alloc() const;
  // Runs the last host function that was launched, on the calling thread.
  void run_host_function();

 private:
  CUresult note(const std::string& symbol);
  void wait_at_gate();
  static FakeDriver& self() { return *current_; }
  void install();
  void install_memory();
  void install_accounted_memory();
  void install_pools();
  void install_shareable_memory();
  // A new name for what was made; a handle or an address.
  template <typename T>
  CUresult make(const std::string& symbol, T* name) {
    const CUresult result = note(symbol);
    std::lock_guard lock(mutex_);
    const uintptr_t value = next_handle_ += 0x1000;
    if constexpr (std::is_pointer_v<T>) {
      *name = reinterpret_cast<T>(value);
    } else {
      *name = value;
    }
    return result;
  }

  static inline FakeDriver* current_ = nullptr;
  static inline thread_local CUcontext thread_context_ = nullptr;
  DriverApi api_;
  mutable std::mutex mutex_;
  std::condition_variable gate_changed_;
  bool gate_open_ = true;
  std::atomic<bool> copies_block_{false};
  std::atomic<bool> others_pass_{false};
  std::vector<std::string> calls_;
  std::map<std::string, CUresult> failures_;
  std::vector<std::byte> parameters_;
  CUcontext alloc_context_ = nullptr;
  uintptr_t next_handle_ = 0x1000;
  std::atomic<CUdeviceptr> taken_address_{0};
  std::map<CUdeviceptr, size_t> pool_allocations_;
  size_t pool_grain_ = 1;
  size_t pool_used_ = 0;
  size_t pool_reserved_ = 0;
  CUdeviceptr next_address_ = 0x7000'0000'0000;
  CUhostFn host_function_ = nullptr;
  void* host_data_ = nullptr;
};

}  // namespace outboard::server::testing
