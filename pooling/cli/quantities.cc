#include <charconv>
#include <cmath>
#include <string>

#include "pooling/cli/options.h"

namespace outboard::cli {
namespace {

constexpr double kMaxMemoryBytes = 1152921504606846976.0;  // 2^60: no device comes near

// The power of 1024 that a suffix stands for, or -1. "", "B", "K", "KB", "KiB", "M", ...
int suffix_power(std::string_view suffix) {
  if (suffix.empty() || suffix == "B" || suffix == "b") return 0;
  constexpr std::string_view kLetters = "KMGT";
  const char upper = static_cast<char>(suffix[0] & ~0x20);
  const size_t at = kLetters.find(upper);
  if (at == std::string_view::npos) return -1;
  const std::string_view rest = suffix.substr(1);
  if (!rest.empty() && rest != "B" && rest != "b" && rest != "iB" && rest != "ib" && rest != "i") return -1;
  return static_cast<int>(at) + 1;
}

}  // namespace

Result<uint64_t> parse_memory_bytes(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
  const int power = error == std::errc() ? suffix_power(suffix) : -1;
  const double bytes = power < 0 ? 0 : number * std::pow(1024.0, power);
  if (!(bytes >= 1) || bytes > kMaxMemoryBytes) {
    return fail(ErrorKind::kInvalidArgument, "\"" + std::string(text) +
                                                 "\" is not an amount of memory; write for example 512MiB or 4GiB.");
  }
  return static_cast<uint64_t>(bytes);
}

Result<uint32_t> parse_percent(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits.back() == '%') digits.remove_suffix(1);
  uint32_t percent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  if (error != std::errc() || end != digits.data() + digits.size() || percent < 1 || percent > 100) {
    return fail(ErrorKind::kInvalidArgument,
                "\"" + std::string(text) + "\" is not a share of compute; write 1% to 100%.");
  }
  return percent;
}

}  // namespace outboard::cli
