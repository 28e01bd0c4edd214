// The compact encoding of commands, reading side. Input is hostile: every read is bounds-checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include "protocol/wire/handle.h"
#include "protocol/wire/writer.h"

namespace outboard::wire {

// Failure is sticky: after the first read that does not fit, failed() stays true, every further
// read gives zero or an empty view, and nothing is consumed. So a decoder reads all its fields and
// asks once. Views point into the memory given to the constructor and live as long as that.
class Reader {
 public:
  Reader() = default;
  explicit Reader(std::span<const std::byte> data) : next_(data.data()), end_(data.data() + data.size()) {}

  bool ok() const { return !failed_; }
  bool failed() const { return failed_; }
  size_t remaining() const { return static_cast<size_t>(end_ - next_); }
  // True when everything was read and nothing was wrong; what a complete decode ends with.
  bool finished() const { return !failed_ && next_ == end_; }

  // For decoders that find a value they cannot accept.
  void fail() {
    failed_ = true;
    next_ = end_;
  }

  uint8_t u8() {
    if (next_ == end_) [[unlikely]]
      return fail(), uint8_t{0};
    return static_cast<uint8_t>(*next_++);
  }

  // Only 0 and 1 are booleans.
  bool boolean() {
    const uint8_t value = u8();
    if (value > 1) [[unlikely]]
      fail();
    return value == 1;
  }

  uint64_t varint() {
    if (next_ != end_ && static_cast<uint8_t>(*next_) < 0x80) [[likely]] {
      return static_cast<uint8_t>(*next_++);
    }
    return long_varint();
  }
  int64_t zigzag() { return zigzag_decode(varint()); }

  // A varint that must fit T; larger values fail.
  template <typename T>
  T varint_as() {
    static_assert(std::is_unsigned_v<T>);
    const uint64_t value = varint();
    if (value > std::numeric_limits<T>::max()) [[unlikely]]
      return fail(), T{0};
    return static_cast<T>(value);
  }
  template <typename T>
  T zigzag_as() {
    static_assert(std::is_signed_v<T>);
    const int64_t value = zigzag();
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) [[unlikely]] {
      return fail(), T{0};
    }
    return static_cast<T>(value);
  }

  uint32_t fixed32() { return pod<uint32_t>(); }
  uint64_t fixed64() { return pod<uint64_t>(); }
  float f32() { return pod<float>(); }
  double f64() { return pod<double>(); }

  Handle handle() {
    Handle value;
    value.index = varint_as<uint32_t>();
    value.generation = varint_as<uint32_t>();
    return failed_ ? Handle{} : value;
  }

  std::span<const std::byte> bytes() { return raw(varint()); }
  std::string_view string() {
    const auto content = bytes();
    return {reinterpret_cast<const char*>(content.data()), content.size()};
  }

  std::span<const std::byte> raw(uint64_t size_bytes) {
    if (size_bytes > remaining()) [[unlikely]] {
      fail();
      return {};
    }
    const std::span<const std::byte> view(next_, static_cast<size_t>(size_bytes));
    next_ += size_bytes;
    return view;
  }

  // The number of elements of an array whose elements take at least `element_bytes` each. A count
  // that the rest of the message cannot hold fails, so it is safe to reserve memory by it.
  size_t count(size_t element_bytes) {
    const uint64_t value = varint();
    const uint64_t most = remaining() / (element_bytes == 0 ? 1 : element_bytes);
    if (value > most) [[unlikely]]
      return fail(), size_t{0};
    return static_cast<size_t>(value);
  }

  template <typename T>
  T pod() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const auto from = raw(sizeof(T));
    if (from.size() == sizeof(T)) std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }

 private:
  uint64_t long_varint();

  const std::byte* next_ = nullptr;
  const std::byte* end_ = nullptr;
  bool failed_ = false;
};

}  // namespace outboard::wire
