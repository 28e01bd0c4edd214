// Memory for bulk data on its way to a client.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace outboard::server {

class BulkPool;

// Uninitialised bytes with one owner; goes back to its pool when destroyed.
class BulkBuffer {
 public:
  BulkBuffer() = default;
  BulkBuffer(BulkBuffer&& other) noexcept { *this = std::move(other); }
  BulkBuffer& operator=(BulkBuffer&& other) noexcept {
    if (this != &other) {
      reset();
      pool_ = std::exchange(other.pool_, nullptr);
      memory_ = std::move(other.memory_);
      size_bytes_ = std::exchange(other.size_bytes_, 0);
    }
    return *this;
  }
  ~BulkBuffer() { reset(); }

  std::span<std::byte> bytes() { return {memory_.get(), size_bytes_}; }
  std::span<const std::byte> bytes() const { return {memory_.get(), size_bytes_}; }
  size_t size() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }
  void truncate(size_t size_bytes) { size_bytes_ = size_bytes < size_bytes_ ? size_bytes : size_bytes_; }
  void reset();

 private:
  friend class BulkPool;
  BulkPool* pool_ = nullptr;  // null: an allocation of its own
  std::unique_ptr<std::byte[]> memory_;
  size_t size_bytes_ = 0;
};

// Keeps a few large buffers: fresh memory of that size would cost more page faults than the copy
// into it takes. Must outlive its buffers. Any thread.
class BulkPool {
 public:
  // Buffers above `small_bytes` are kept, as long as they do not exceed `large_bytes`.
  BulkPool(size_t small_bytes, size_t large_bytes, size_t most_kept)
      : small_bytes_(small_bytes), large_bytes_(large_bytes), most_kept_(most_kept) {}

  BulkBuffer take(size_t size_bytes) {
    BulkBuffer buffer;
    buffer.size_bytes_ = size_bytes;
    if (size_bytes <= small_bytes_ || size_bytes > large_bytes_) {
      buffer.memory_ = std::make_unique_for_overwrite<std::byte[]>(size_bytes);
      return buffer;
    }
    buffer.pool_ = this;
    std::lock_guard lock(mutex_);
    if (kept_.empty()) {
      buffer.memory_ = std::make_unique_for_overwrite<std::byte[]>(large_bytes_);
    } else {
      buffer.memory_ = std::move(kept_.back());
      kept_.pop_back();
    }
    return buffer;
  }

  size_t kept() const {
    std::lock_guard lock(mutex_);
    return kept_.size();
  }

 private:
  friend class BulkBuffer;
  void give_back(std::unique_ptr<std::byte[]> memory) {
    std::lock_guard lock(mutex_);
    if (kept_.size() < most_kept_) kept_.push_back(std::move(memory));
  }

  const size_t small_bytes_;
  const size_t large_bytes_;
  const size_t most_kept_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<std::byte[]>> kept_;
};

inline void BulkBuffer::reset() {
  if (pool_ != nullptr && memory_) std::exchange(pool_, nullptr)->give_back(std::move(memory_));
  memory_.reset();
  size_bytes_ = 0;
}

}  // namespace outboard::server
