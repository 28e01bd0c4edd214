#include "protocol/base/uuid.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/bytes.h"

namespace outboard {
namespace {

constexpr std::string_view kPrefix = "GPU-";
constexpr size_t kTextBytes = 36;  // RFC 9562: 8-4-4-4-12 digits
constexpr std::array<size_t, 4> kHyphens = {8, 13, 18, 23};

bool is_hyphen(size_t position) {
  return std::find(kHyphens.begin(), kHyphens.end(), position) != kHyphens.end();
}

// FNV-1a with 64 bits, then the finaliser of MurmurHash3, which spreads every bit.
uint64_t hash(std::string_view name, uint64_t start) {
  uint64_t value = start;
  for (const char c : name) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
  return value ^ (value >> 33);
}

}  // namespace

std::string gpu_uuid_text(const Uuid& uuid) {
  std::string digits = to_hex(std::as_bytes(std::span(uuid)));
  for (const size_t position : kHyphens) digits.insert(position, 1, '-');
  return std::string(kPrefix) + digits;
}

Result<Uuid> parse_gpu_uuid(std::string_view given) {
  const auto bad = [&] {
    return fail(ErrorKind::kInvalidArgument,
                text("'", printable(given, 64),
                     "' is not a device UUID such as GPU-0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f."));
  };
  if (!given.starts_with(kPrefix) || given.size() != kPrefix.size() + kTextBytes) return bad();
  const std::string_view body = given.substr(kPrefix.size());
  std::string digits;
  for (size_t i = 0; i < body.size(); ++i) {
    if (is_hyphen(i) != (body[i] == '-')) return bad();
    if (!is_hyphen(i)) digits += body[i];
  }
  const auto bytes = from_hex(digits);
  if (!bytes) return bad();
  Uuid uuid;
  std::memcpy(uuid.data(), bytes->data(), uuid.size());
  return uuid;
}

Uuid uuid_from_name(std::string_view name) {
  constexpr uint64_t kFnvStart = 0xcbf29ce484222325;
  const uint64_t halves[] = {hash(name, kFnvStart), hash(name, ~kFnvStart)};
  Uuid uuid;
  std::memcpy(uuid.data(), halves, uuid.size());
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x80);  // version 8
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);  // RFC variant
  return uuid;
}

}  // namespace outboard
