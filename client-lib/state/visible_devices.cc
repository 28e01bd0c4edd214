#include "client-lib/state/visible_devices.h"

#include <algorithm>
#include <cctype>

namespace outboard::client {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::optional<uint32_t> by_ordinal(std::string_view entry, size_t device_count) {
  uint64_t ordinal = 0;
  size_t digits = 0;
  for (; digits < entry.size() && std::isdigit(static_cast<unsigned char>(entry[digits])); ++digits) {
    ordinal = ordinal * 10 + static_cast<uint64_t>(entry[digits] - '0');
    if (ordinal >= device_count) return std::nullopt;
  }
  if (digits != entry.size() || digits == 0) return std::nullopt;
  return static_cast<uint32_t>(ordinal);
}

std::optional<uint32_t> by_uuid_prefix(std::string_view entry, std::span<const DeviceUuid> uuids) {
  const std::string wanted = lower_case(entry);
  std::optional<uint32_t> match;
  for (size_t i = 0; i < uuids.size(); ++i) {
    if (lower_case(uuid_text(uuids[i])).compare(0, wanted.size(), wanted) != 0) continue;
    if (match) return std::nullopt;  // ambiguous
    match = static_cast<uint32_t>(i);
  }
  return match;
}

}  // namespace

std::string uuid_text(const DeviceUuid& uuid) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4];
    text += kDigits[uuid[i] & 15];
  }
  return text;
}

std::vector<uint32_t> visible_devices(std::optional<std::string_view> value,
                                      std::span<const DeviceUuid> uuids) {
  std::vector<uint32_t> visible;
  if (!value) {
    for (uint32_t i = 0; i < uuids.size(); ++i) visible.push_back(i);
    return visible;
  }
  std::string_view rest = *value;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view entry = trimmed(rest.substr(0, comma));
    const bool is_uuid = lower_case(entry).compare(0, 4, "gpu-") == 0;
    const std::optional<uint32_t> device =
        is_uuid ? by_uuid_prefix(entry, uuids) : by_ordinal(entry, uuids.size());
    if (!device) break;
    if (std::find(visible.begin(), visible.end(), *device) != visible.end()) return {};
    visible.push_back(*device);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return visible;
}

}  // namespace outboard::client
