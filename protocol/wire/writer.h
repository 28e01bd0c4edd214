// The compact encoding of commands, writing side. Hot path: everything is inline but growing.
//
// Integers are LEB128 varints (seven bits a byte, low bits first, at most ten bytes), signed ones
// zigzagged before; floats and fixed fields are little endian. A blob is a varint length and its
// bytes. There are no tags: both sides know the fields from the registry.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/wire/handle.h"

namespace outboard::wire {

static_assert(std::endian::native == std::endian::little, "fixed fields are copied as they lie");

inline constexpr size_t kMaxVarintBytes = 10;

inline constexpr uint64_t zigzag_encode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline constexpr int64_t zigzag_decode(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}
inline constexpr size_t varint_bytes(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Grows as needed and never fails; whoever sends checks size() against the limits of the frame.
// One thread at a time.
class Writer {
 public:
  Writer() = default;
  explicit Writer(size_t reserve_bytes) { buffer_.resize(reserve_bytes); }

  void u8(uint8_t value) {
    ensure(1);
    buffer_[used_++] = static_cast<std::byte>(value);
  }
  void boolean(bool value) { u8(value ? 1 : 0); }

  void varint(uint64_t value) {
    ensure(kMaxVarintBytes);
    std::byte* out = buffer_.data() + used_;
    while (value >= 0x80) {
      *out++ = static_cast<std::byte>(value | 0x80);
      value >>= 7;
    }
    *out++ = static_cast<std::byte>(value);
    used_ = static_cast<size_t>(out - buffer_.data());
  }
  void zigzag(int64_t value) { varint(zigzag_encode(value)); }

  void fixed32(uint32_t value) { copy(&value, sizeof value); }
  void fixed64(uint64_t value) { copy(&value, sizeof value); }
  void f32(float value) { copy(&value, sizeof value); }
  void f64(double value) { copy(&value, sizeof value); }

  void handle(Handle value) {
    varint(value.index);
    varint(value.generation);
  }

  // Length and content.
  void bytes(std::span<const std::byte> value) {
    varint(value.size());
    raw(value);
  }
  void string(std::string_view value) { bytes(std::as_bytes(std::span(value))); }

  // Content alone: the reader knows the length.
  void raw(std::span<const std::byte> value) {
    if (!value.empty()) copy(value.data(), value.size());
  }

  // A struct as it lies in memory; the registry vouches that it holds no pointer or handle.
  template <typename T>
  void pod(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    copy(&value, sizeof value);
  }

  size_t size() const { return used_; }
  bool empty() const { return used_ == 0; }
  std::span<const std::byte> view() const { return {buffer_.data(), used_}; }

  // Of what is written already.
  void overwrite_u8(size_t at, uint8_t value) { buffer_[at] = static_cast<std::byte>(value); }

  void clear() { used_ = 0; }  // keeps the memory
  void truncate(size_t size_bytes) { used_ = size_bytes < used_ ? size_bytes : used_; }

  // Hands the content over and starts anew.
  std::vector<std::byte> take() {
    buffer_.resize(used_);
    used_ = 0;
    std::vector<std::byte> out;
    out.swap(buffer_);
    return out;
  }

 private:
  void ensure(size_t more_bytes) {
    if (buffer_.size() - used_ < more_bytes) [[unlikely]]
      grow(more_bytes);
  }
  void grow(size_t more_bytes);
  void copy(const void* from, size_t size_bytes) {
    ensure(size_bytes);
    std::memcpy(buffer_.data() + used_, from, size_bytes);
    used_ += size_bytes;
  }

  std::vector<std::byte> buffer_;  // size() is the room, used_ what is written
  size_t used_ = 0;
};

}  // namespace outboard::wire
