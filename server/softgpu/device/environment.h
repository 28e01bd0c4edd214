// The device as the kernels of one context see it.
#pragma once

#include <mutex>
#include <string>

#include "server/softgpu/exec/launch.h"

namespace outboard::softgpu {

class Context;

class KernelEnvironment final : public exec::Device {
 public:
  explicit KernelEnvironment(Context& context) : context_(context) {}

  bool find_range(uint64_t address, exec::MemoryRange& range) override;
  uint64_t memory_generation() const override;
  void print(std::string_view text) override;
  uint64_t heap_allocate(uint64_t bytes) override;
  void heap_free(uint64_t address) override;
  uint64_t clock_cycles() const override;
  uint64_t global_timer_ns() const override;
  exec::ThreadPool& pool() override;
  uint32_t multiprocessors() const override;
  std::shared_ptr<const exec::TextureView> texture(uint64_t handle) const override;
  bool interrupted() const override;

  // Writes what kernels printed since the last call to standard output, where a real device's
  // driver writes it too, and at the same moments: when the host waits for the device.
  void flush_prints();
  // The context closes: the heap's memory is gone with the rest of its allocations.
  void reset();

 private:
  Context& context_;
  std::mutex mutex_;
  std::string printed_;
  uint64_t heap_used_bytes_ = 0;
};

}  // namespace outboard::softgpu
