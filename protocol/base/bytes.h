// Bytes, sizes and numbers as text, and text as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "protocol/base/result.h"

namespace outboard {

using ByteSpan = std::span<const std::byte>;

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(ByteSpan bytes);
// kInvalidArgument for odd lengths and other characters.
Result<std::vector<std::byte>> from_hex(std::string_view text);

// "0x2a".
std::string hex_number(uint64_t value);

// Sizes for people: "512 B", "4.0 KiB", "1.5 GiB".
std::string human_bytes(uint64_t size_bytes);
// A number and an optional unit: "4096", "64k", "512M", "1.5GiB", "2g". Units are powers of 1024.
// kInvalidArgument for anything else, negative numbers and what does not fit 64 bits.
Result<uint64_t> parse_bytes(std::string_view text);
// Decimal digits only; kInvalidArgument names the range.
Result<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most);

// Text from another process, made safe for a terminal and a log line: control characters and bytes
// outside ASCII become '?', and anything beyond `most_bytes` is cut.
std::string printable(std::string_view text, size_t most_bytes);

namespace internal {
template <typename T>
void append_text(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    out += value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(value);
  } else {
    out += std::string_view(value);
  }
}
}  // namespace internal

// Joins texts and numbers to a sentence: text("The limit is ", 4, " bytes.").
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (internal::append_text(out, parts), ...);
  return out;
}

}  // namespace outboard
