#include "protocol/base/bytes.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace outboard {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The power of 1024 that a unit stands for ("", "b", "k", "kb", "kib", ...), or -1.
int unit_power(std::string_view unit) {
  std::string lower;
  for (const char c : unit) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower.empty() || lower == "b") return 0;
  const size_t power = std::string_view("kmgt").find(lower[0]);
  if (power == std::string_view::npos) return -1;
  const std::string_view rest = std::string_view(lower).substr(1);
  return rest.empty() || rest == "b" || rest == "ib" ? static_cast<int>(power) + 1 : -1;
}

tl::unexpected<Error> not_a_size(std::string_view text_given) {
  return fail(ErrorKind::kInvalidArgument,
              text("'", printable(text_given, 64),
                   "' is not a size; write a number with an optional unit, such as 4096, 512M or 1.5GiB."));
}

}  // namespace

std::string to_hex(ByteSpan bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out += kDigits[static_cast<unsigned>(b) >> 4];
    out += kDigits[static_cast<unsigned>(b) & 15];
  }
  return out;
}

Result<std::vector<std::byte>> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) {
    return fail(
        ErrorKind::kInvalidArgument,
        text("A hexadecimal text needs two digits for every byte; this one has ", digits.size(), " digits."));
  }
  std::vector<std::byte> out;
  out.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]);
    const int low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) {
      return fail(ErrorKind::kInvalidArgument, text("'", printable(digits.substr(i, 2), 2), "' at position ",
                                                    i, " is not a hexadecimal byte."));
    }
    out.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return out;
}

std::string hex_number(uint64_t value) {
  std::array<char, 2 + 16> buffer{'0', 'x'};
  const auto end = std::to_chars(buffer.data() + 2, buffer.data() + buffer.size(), value, 16).ptr;
  return {buffer.data(), end};
}

std::string human_bytes(uint64_t size_bytes) {
  static constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (size_bytes < 1024) return text(size_bytes, " B");
  double value = static_cast<double>(size_bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f %s", value, kUnits[unit]);
  return buffer;
}

Result<uint64_t> parse_bytes(std::string_view given) {
  size_t digits = 0;
  while (digits < given.size() && ((given[digits] >= '0' && given[digits] <= '9') || given[digits] == '.'))
    ++digits;
  const std::string_view number = given.substr(0, digits);
  std::string_view unit = given.substr(digits);
  if (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  const int power = unit_power(unit);
  if (number.empty() || power < 0) return not_a_size(given);
  const uint64_t factor = uint64_t{1} << (10 * power);
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  if (number.find('.') == std::string_view::npos) {
    const auto whole = parse_number(number, 0, kMost);
    if (!whole || *whole > kMost / factor) return not_a_size(given);
    return *whole * factor;
  }
  double fraction = 0;
  const auto parsed =
      std::from_chars(number.data(), number.data() + number.size(), fraction, std::chars_format::fixed);
  const double size = fraction * static_cast<double>(factor);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() ||
      size >= 18446744073709551615.0) {
    return not_a_size(given);
  }
  return static_cast<uint64_t>(size);
}

Result<uint64_t> parse_number(std::string_view given, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(given.data(), given.data() + given.size(), value);
  if (given.empty() || parsed.ec != std::errc() || parsed.ptr != given.data() + given.size() ||
      value < least || value > most) {
    return fail(ErrorKind::kInvalidArgument,
                text("'", printable(given, 64), "' is not a whole number from ", least, " to ", most, "."));
  }
  return value;
}

std::string printable(std::string_view given, size_t most_bytes) {
  std::string out(given.substr(0, most_bytes));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';  // char is signed here: bytes above 127 are below ' '
  }
  return out;
}

}  // namespace outboard
