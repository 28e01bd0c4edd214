#include "protocol/abi/hmac_md2.h"

#include <algorithm>
#include <vector>

namespace outboard::abi {
namespace {

constexpr uint8_t kInnerPad = 0x36;  // RFC 2104 §2
constexpr uint8_t kOuterPad = 0x5C;

Md2Digest keyed(const Md2Digest& key, uint8_t pad, std::span<const uint8_t> message) {
  std::vector<uint8_t> padded;
  padded.reserve(kMd2Bytes + message.size());
  for (uint8_t byte : key) padded.push_back(static_cast<uint8_t>(byte ^ pad));
  padded.insert(padded.end(), message.begin(), message.end());
  return md2(padded);
}

}  // namespace

Md2Digest hmac_md2(std::span<const uint8_t> key, std::span<const uint8_t> message) {
  Md2Digest block_key{};  // digest and block have the same size in MD2
  if (key.size() > kMd2Bytes) {
    block_key = md2(key);
  } else {
    std::copy(key.begin(), key.end(), block_key.begin());
  }
  return keyed(block_key, kOuterPad, keyed(block_key, kInnerPad, message));
}

}  // namespace outboard::abi
