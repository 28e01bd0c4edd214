// A client's code image in the form that a driver takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace outboard::server {

// Owns copies where it needs them; what it was made from must live as long. data() is valid as long
// as this, and a driver that is not told otherwise keeps nothing of it after loading.
class ModuleImage {
 public:
  // `sent` is one image (image_check.h), or several fat binaries one after the other: the first is
  // the program's own, the others are what relocatable device code has it linked with. Nothing if
  // one of them announces more than it holds, or is no image at all.
  static std::optional<ModuleImage> open(std::span<const std::byte> sent);

  const void* data() const {
    return parts_.size() > 1 ? static_cast<const void*>(wrapper_.get()) : parts_[0];
  }

 private:
  // What nvcc's programs pass; layout observed in CUDA 13.0's. Version 2 has `linked`.
  struct Wrapper {
    uint32_t magic = 0x466243B1;
    uint32_t version = 2;
    const void* image = nullptr;
    const void* const* linked = nullptr;  // ends with null
  };

  ModuleImage() = default;
  void add(std::span<const std::byte> part);

  std::vector<std::unique_ptr<std::byte[]>> copies_;
  std::vector<const void*> parts_;  // null behind the last one once there is a wrapper
  std::unique_ptr<Wrapper> wrapper_;
};

}  // namespace outboard::server
