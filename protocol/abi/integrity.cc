#include "protocol/abi/integrity.h"

#include <bit>
#include <concepts>
#include <cstring>
#include <vector>

#include "protocol/abi/hmac_md2.h"

namespace outboard::abi {
namespace {

static_assert(std::endian::native == std::endian::little, "fields are hashed in memory order");

// Interface data, observed in CUDA 13.0's runtime.
constexpr std::array<uint8_t, 16> kKey = {0x14, 0x6A, 0xDD, 0xAE, 0x53, 0xA9, 0xA7, 0x52,
                                          0xAA, 0x08, 0x41, 0x36, 0x0B, 0xF5, 0x5A, 0x9F};
constexpr std::array<uint64_t, 2> kAnswerToVersion0 = {0x3341181C03CB675C, 0x8ED383AA1F4CD1E8};
constexpr std::array<uint64_t, 2> kAnswerToVersion1 = {0x1841181C03CB675C, 0x8ED383AA1F4CD1E8};

template <std::integral T>
void append(std::vector<uint8_t>& message, T value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  message.insert(message.end(), bytes, bytes + sizeof value);
}

}  // namespace

std::array<uint64_t, 2> integrity_answer(const IntegrityQuestion& question) {
  if (question.version % 10 == 0) return kAnswerToVersion0;
  if (question.version % 10 == 1) return kAnswerToVersion1;

  std::vector<uint8_t> message;
  append(message, question.driver_version);
  append(message, question.version);
  append(message, question.process_id);
  append(message, question.thread_low_bits);
  append(message, question.cudart_table);
  append(message, question.integrity_table);
  append(message, question.integrity_function);
  append(message, question.unix_seconds);
  for (const DeviceIdentity& device : question.devices) {
    message.insert(message.end(), device.uuid.begin(), device.uuid.end());
    append(message, device.pci_domain);
    append(message, device.pci_bus);
    append(message, device.pci_device);
  }
  return std::bit_cast<std::array<uint64_t, 2>>(hmac_md2(kKey, message));
}

}  // namespace outboard::abi
