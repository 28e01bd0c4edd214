// A device for tests: memory is checked against a list of blocks, output is collected.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/softgpu/exec/launch.h"
#include "server/softgpu/exec/texture.h"
#include "server/softgpu/exec/thread_pool.h"

namespace outboard::softgpu::exec {

class TestDevice : public Device {
 public:
  explicit TestDevice(unsigned threads = 2) : pool_(threads) {}

  // Zeroed memory, aligned to 256 bytes; in large pages where it is large, as on the device itself.
  uint64_t allocate(uint64_t bytes) {
    std::lock_guard lock(mutex_);
    uint64_t align = bytes < kLargePageBytes ? 256 : kLargePageBytes;
    std::unique_ptr<std::byte, decltype(&std::free)> block(
        static_cast<std::byte*>(std::aligned_alloc(align, (bytes + align) & ~(align - 1))), &std::free);
    uint64_t address = reinterpret_cast<uint64_t>(block.get());
    if (align == kLargePageBytes) madvise(block.get(), bytes, MADV_HUGEPAGE);
    std::memset(block.get(), 0, bytes);
    ranges_[address] = {address, address + bytes, true};
    blocks_.push_back(std::move(block));
    return address;
  }
  template <typename T>
  uint64_t upload(const std::vector<T>& values) {
    uint64_t address = allocate(values.size() * sizeof(T));
    if (!values.empty())
      std::memcpy(reinterpret_cast<void*>(address), values.data(), values.size() * sizeof(T));
    return address;
  }
  template <typename T>
  std::vector<T> download(uint64_t address, size_t count) const {
    std::vector<T> values(count);
    if (count != 0) std::memcpy(values.data(), reinterpret_cast<const void*>(address), count * sizeof(T));
    return values;
  }

  bool find_range(uint64_t address, MemoryRange& range) override {
    std::lock_guard lock(mutex_);
    auto next = ranges_.upper_bound(address);
    if (next == ranges_.begin()) return false;
    --next;
    if (address >= next->second.end) return false;
    range = next->second;
    return true;
  }
  uint64_t memory_generation() const override { return generation_; }
  void print(std::string_view text) override {
    std::lock_guard lock(mutex_);
    output += text;
  }
  uint64_t heap_allocate(uint64_t bytes) override { return allocate(bytes); }
  void heap_free(uint64_t address) override {
    std::lock_guard lock(mutex_);
    ranges_.erase(address);
    ++generation_;
  }
  uint64_t clock_cycles() const override { return clock_ += 1000; }
  uint64_t global_timer_ns() const override { return clock_ += 1000; }
  ThreadPool& pool() override { return pool_; }
  bool interrupted() const override { return interrupt; }
  std::shared_ptr<const TextureView> texture(uint64_t handle) const override {
    return handle - kFirstView < views.size() ? views[handle - kFirstView] : nullptr;
  }

  // Textures, surfaces and samplers; the handle of the first, then consecutive.
  static constexpr uint64_t kFirstView = 0x7000'0000;
  std::vector<std::shared_ptr<const TextureView>> views;

  static constexpr uint64_t kLargePageBytes = uint64_t{2} << 20;

  std::string output;
  std::atomic<bool> interrupt{false};

 private:
  ThreadPool pool_;
  std::mutex mutex_;
  std::map<uint64_t, MemoryRange> ranges_;
  std::vector<std::unique_ptr<std::byte, decltype(&std::free)>> blocks_;
  std::atomic<uint64_t> generation_{0};
  mutable std::atomic<uint64_t> clock_{1'000'000};
};

// Appends values to a parameter buffer at their natural alignment.
class Params {
 public:
  template <typename T>
  Params& add(T value) {
    bytes_.resize((bytes_.size() + alignof(T) - 1) & ~(alignof(T) - 1));
    size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
    return *this;
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace outboard::softgpu::exec
