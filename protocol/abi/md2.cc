#include "protocol/abi/md2.h"

#include <algorithm>

namespace outboard::abi {
namespace {

constexpr size_t kRounds = 18;                 // RFC 1319 §3.4
constexpr size_t kStateBytes = 3 * kMd2Bytes;  // digest so far, block, and their exclusive or

// The 256-byte permutation "constructed from the digits of pi" of RFC 1319 §3.2.
constexpr std::array<uint8_t, 256> kPi = {
    41,  46,  67,  201, 162, 216, 124, 1,   61,  54,  84,  161, 236, 240, 6,   19,  98,  167, 5,   243,
    192, 199, 115, 140, 152, 147, 43,  217, 188, 76,  130, 202, 30,  155, 87,  60,  253, 212, 224, 22,
    103, 66,  111, 24,  138, 23,  229, 18,  190, 78,  196, 214, 218, 158, 222, 73,  160, 251, 245, 142,
    187, 47,  238, 122, 169, 104, 121, 145, 21,  178, 7,   63,  148, 194, 16,  137, 11,  34,  95,  33,
    128, 127, 93,  154, 90,  144, 50,  39,  53,  62,  204, 231, 191, 247, 151, 3,   255, 25,  48,  179,
    72,  165, 181, 209, 215, 94,  146, 42,  172, 86,  170, 198, 79,  184, 56,  210, 150, 164, 125, 182,
    118, 252, 107, 226, 156, 116, 4,   241, 69,  157, 112, 89,  100, 113, 135, 32,  134, 91,  207, 101,
    230, 45,  168, 2,   27,  96,  37,  173, 174, 176, 185, 246, 28,  70,  97,  105, 52,  64,  126, 15,
    85,  71,  163, 35,  221, 81,  175, 58,  195, 92,  249, 206, 186, 197, 234, 38,  44,  83,  13,  110,
    133, 40,  132, 9,   211, 223, 205, 244, 65,  129, 77,  82,  106, 220, 55,  200, 108, 193, 171, 250,
    36,  225, 123, 8,   12,  189, 177, 74,  120, 136, 149, 139, 227, 99,  232, 109, 233, 203, 213, 254,
    59,  0,   29,  57,  242, 239, 183, 14,  102, 88,  208, 228, 166, 119, 114, 248, 235, 117, 75,  10,
    49,  68,  80,  180, 143, 237, 31,  26,  219, 153, 141, 51,  159, 17,  131, 20};

using Block = std::span<const uint8_t, kMd2Bytes>;

void absorb(std::array<uint8_t, kStateBytes>& state, Block block) {
  for (size_t i = 0; i < kMd2Bytes; ++i) {
    state[kMd2Bytes + i] = block[i];
    state[2 * kMd2Bytes + i] = static_cast<uint8_t>(block[i] ^ state[i]);
  }
  uint8_t carry = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    for (uint8_t& byte : state) carry = byte = static_cast<uint8_t>(byte ^ kPi[carry]);
    carry = static_cast<uint8_t>(carry + round);
  }
}

void update_checksum(std::array<uint8_t, kMd2Bytes>& checksum, Block block) {
  uint8_t last = checksum.back();
  for (size_t i = 0; i < kMd2Bytes; ++i) {
    // RFC 1319's text says "set C[j] to S[c xor L]"; its reference code and every implementation
    // that meets its vectors xor into C[j] (a reported erratum).
    checksum[i] = static_cast<uint8_t>(checksum[i] ^ kPi[block[i] ^ last]);
    last = checksum[i];
  }
}

}  // namespace

Md2Digest md2(std::span<const uint8_t> message) {
  std::array<uint8_t, kStateBytes> state{};
  std::array<uint8_t, kMd2Bytes> checksum{};
  while (message.size() >= kMd2Bytes) {
    const Block block = message.first<kMd2Bytes>();
    absorb(state, block);
    update_checksum(checksum, block);
    message = message.subspan(kMd2Bytes);
  }
  // Padding is never empty: n bytes of value n, 1 <= n <= 16.
  std::array<uint8_t, kMd2Bytes> tail;
  tail.fill(static_cast<uint8_t>(kMd2Bytes - message.size()));
  std::copy(message.begin(), message.end(), tail.begin());
  absorb(state, tail);
  update_checksum(checksum, tail);
  absorb(state, checksum);

  Md2Digest digest;
  std::copy_n(state.begin(), kMd2Bytes, digest.begin());
  return digest;
}

}  // namespace outboard::abi
