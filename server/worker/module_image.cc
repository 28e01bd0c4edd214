#include "server/worker/module_image.h"

#include <cstring>

#include "server/worker/image_check.h"

namespace outboard::server {
namespace {

constexpr uint32_t kFatBinaryMagic = 0xBA55ED50;
constexpr size_t kHeaderBytes = 16;      // u32 magic, u16 version, u16 header size, u64 size of the entries
constexpr size_t kMostParts = 4096 + 1;  // as many as a client sends

bool is_fat_binary(std::span<const std::byte> sent) {
  uint32_t magic = 0;
  if (sent.size() < kHeaderBytes) return false;
  std::memcpy(&magic, sent.data(), sizeof magic);
  return magic == kFatBinaryMagic;
}

// Of a fat binary that is within its bounds.
size_t fat_binary_bytes(std::span<const std::byte> sent) {
  uint16_t header_bytes = 0;
  uint64_t entries_bytes = 0;
  std::memcpy(&header_bytes, sent.data() + 6, sizeof header_bytes);
  std::memcpy(&entries_bytes, sent.data() + 8, sizeof entries_bytes);
  return header_bytes + entries_bytes;
}

}  // namespace

// Images are read as structs, so they must be aligned as memory from an allocator is.
void ModuleImage::add(std::span<const std::byte> part) {
  const std::byte* at = part.data();
  if (reinterpret_cast<uintptr_t>(at) % alignof(std::max_align_t) != 0) {
    auto& copy = copies_.emplace_back(std::make_unique_for_overwrite<std::byte[]>(part.size()));
    std::memcpy(copy.get(), at, part.size());
    at = copy.get();
  }
  parts_.push_back(at);
}

std::optional<ModuleImage> ModuleImage::open(std::span<const std::byte> sent) {
  ModuleImage image;
  if (!image_is_bounded(sent)) return std::nullopt;
  if (!is_fat_binary(sent)) {
    image.add(sent);
    return image;
  }
  // A file's content ends with a zero byte of the client's; that is no further part.
  while (is_fat_binary(sent)) {
    if (image.parts_.size() == kMostParts || !image_is_bounded(sent)) return std::nullopt;
    const size_t bytes = fat_binary_bytes(sent);
    image.add(sent.first(bytes));
    sent = sent.subspan(bytes);
  }
  if (image.parts_.size() > 1) {
    image.parts_.push_back(nullptr);
    image.wrapper_ = std::make_unique<Wrapper>();
    image.wrapper_->image = image.parts_[0];
    image.wrapper_->linked = image.parts_.data() + 1;
  }
  return image;
}

}  // namespace outboard::server
