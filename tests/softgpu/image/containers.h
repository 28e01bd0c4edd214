// Builds fat binaries for tests, field by field.
#pragma once

#include <lz4.h>
#include <zstd.h>

#include <cstring>
#include <string>
#include <vector>

namespace outboard::softgpu::image {

inline constexpr uint64_t kPlainFlags = 0x11;
inline constexpr uint64_t kLz4Flags = 0x2011;
inline constexpr uint64_t kZstdFlags = 0x8011;

template <typename T>
void put(std::vector<std::byte>& to, size_t at, T value) {
  std::memcpy(to.data() + at, &value, sizeof(value));
}

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

inline std::vector<std::byte> compress(const std::string& text, uint64_t flags) {
  if (flags == kPlainFlags) return bytes_of(text);
  std::vector<std::byte> out(text.size() * 2 + 128);
  size_t got = 0;
  if (flags == kZstdFlags) {
    got = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  } else {
    got = static_cast<size_t>(LZ4_compress_default(text.data(), reinterpret_cast<char*>(out.data()),
                                                   static_cast<int>(text.size()),
                                                   static_cast<int>(out.size())));
  }
  out.resize(got);
  return out;
}

// An entry with a 64-byte header; the payload is padded to 8 bytes.
inline std::vector<std::byte> entry(uint16_t kind, uint32_t sm, const std::string& content,
                                    uint64_t flags = kPlainFlags) {
  const std::vector<std::byte> payload = compress(content, flags);
  const uint64_t padded = (payload.size() + 7) / 8 * 8;
  std::vector<std::byte> out(64 + padded);
  put<uint16_t>(out, 0, kind);
  put<uint16_t>(out, 2, 0x0101);
  put<uint32_t>(out, 4, 64);
  put<uint64_t>(out, 8, padded);
  if (flags != kPlainFlags) {
    put<uint32_t>(out, 16, static_cast<uint32_t>(payload.size()));
    put<uint64_t>(out, 56, content.size());
  }
  put<uint32_t>(out, 28, sm);
  put<uint64_t>(out, 40, flags);
  std::copy(payload.begin(), payload.end(), out.begin() + 64);
  return out;
}

inline void append(std::vector<std::byte>& to, const std::vector<std::byte>& what) {
  const size_t before = to.size();
  to.resize(before + what.size());
  if (!what.empty()) std::memcpy(to.data() + before, what.data(), what.size());
}

inline std::vector<std::byte> container(const std::vector<std::vector<std::byte>>& entries) {
  std::vector<std::byte> out(16);
  for (const auto& e : entries) append(out, e);
  put<uint32_t>(out, 0, 0xBA55ED50);
  put<uint16_t>(out, 4, 1);
  put<uint16_t>(out, 6, 16);
  put<uint64_t>(out, 8, out.size() - 16);
  return out;
}

}  // namespace outboard::softgpu::image
