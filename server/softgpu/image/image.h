// From what a program passes to cuModuleLoadData, cuLibraryLoadData or cuLinkAddData to PTX text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::softgpu::image {

// Compute capability 9.0, the device's unless its configuration says otherwise: the one value for which
// every scanned package's host code agrees with the PTX that it carries.
inline constexpr uint32_t kDefaultSm = 90;

// nvcc's registration record, {magic, version 1 or 2, pointer to a container, pointer}. In version 2
// (relocatable device code) the last pointer is a NULL-terminated list of containers, one per
// translation unit, that were linked ahead of time.
inline constexpr uint32_t kWrapperMagic = 0x466243b1;

struct Image {
  // PTX texts without a final NUL; more than one when translation units have to be linked.
  std::vector<std::string> ptx_units;
  // Plain PTX text, that is, made for this driver and not one of several choices.
  bool is_text = false;
  // What was found, for logs: "fat binary with PTX 80 (chosen), SASS 80 90".
  std::string summary;
};

// Fails with kInvalidArgument for a damaged image, and with kUnsupported, naming what is there, for
// one without PTX: SASS is machine code of a real GPU and cannot run here.

// Of several PTX texts the one for the newest compute capability up to `device_sm` (10 * major + minor) is
// taken, or else the oldest.

// An image of known length: a container, an ELF, or PTX text (a final NUL is optional). Wrappers
// hold pointers and are refused. Safe for hostile input.
Result<Image> open_image(std::span<const std::byte> data, uint32_t device_sm = kDefaultSm);

// The device code of a host object file or an archive of such: all its fat binaries together. Safe for
// hostile input.
Result<Image> open_objects(std::span<const std::byte> data, uint32_t device_sm = kDefaultSm);

// An image as the driver API passes it, without a length: any of the above or a wrapper. Trusts the
// sizes in it as far as the limits in limits.h go, because there is nothing else to go by.
Result<Image> open_image_at(const void* data, uint32_t device_sm = kDefaultSm);

// Length of the image at `data` by its own headers, PTX text with its NUL. Wrappers are refused.
Result<uint64_t> image_bytes_at(const void* data);

}  // namespace outboard::softgpu::image
