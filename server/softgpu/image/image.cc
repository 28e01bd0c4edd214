#include "server/softgpu/image/image.h"

#include <algorithm>
#include <cstring>

#include "server/softgpu/image/elf.h"
#include "server/softgpu/image/fatbin.h"
#include "server/softgpu/image/host_object.h"
#include "server/softgpu/image/limits.h"
#include "server/softgpu/image/linked.h"

namespace outboard::softgpu::image {
namespace {

struct Wrapper {
  uint32_t magic;
  uint32_t version;
  const void* container;
  const void* const* prelinked;
};

template <typename T>
T peek(const void* data) {
  T value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

std::string kind_name(const FatbinEntry& entry) {
  switch (entry.kind) {
    case EntryKind::kPtx: return "PTX " + std::to_string(entry.sm);
    case EntryKind::kElf: return "SASS " + std::to_string(entry.sm);
    case EntryKind::kLtoIr: return "LTO-IR " + std::to_string(entry.sm);
  }
  return "kind " + std::to_string(static_cast<unsigned>(entry.kind)) + " " + std::to_string(entry.sm);
}

std::string summary_of(const std::vector<FatbinEntry>& entries) {
  std::string text = "fat binary with ";
  if (entries.empty()) return text + "no entries";
  for (size_t i = 0; i < entries.size(); ++i) text += (i == 0 ? "" : ", ") + kind_name(entries[i]);
  return text;
}

tl::unexpected<Error> no_ptx(const std::string& what) {
  return fail(ErrorKind::kUnsupported,
              "The program image (" + what +
                  ") holds no PTX. SASS is the machine code of a real GPU and cannot run on the "
                  "software device; build the program with PTX, for example nvcc -arch=compute_90.");
}

// PTX text never contains control characters other than white space; this tells text from garbage
// before a parser sees it.
bool looks_like_text(std::span<const std::byte> data) {
  const size_t sample = std::min<size_t>(data.size(), 256);
  return sample != 0 && std::all_of(data.begin(), data.begin() + sample, [](std::byte b) {
           const auto c = static_cast<unsigned char>(b);
           return c >= 0x20 || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\v';
         });
}

// PTX ends at its NUL, if it has one.
std::span<const std::byte> trim_at_nul(std::span<const std::byte> data) {
  const void* nul = data.empty() ? nullptr : std::memchr(data.data(), 0, data.size());
  if (nul == nullptr) return data;
  return data.first(static_cast<size_t>(static_cast<const std::byte*>(nul) - data.data()));
}

std::string to_text(std::span<const std::byte> data) {
  const auto text = trim_at_nul(data);
  return std::string(reinterpret_cast<const char*>(text.data()), text.size());
}

// Adds the best PTX of the container to `image`. A container with none leaves it as it is.
Status add_best_ptx(std::span<const std::byte> container, uint32_t device_sm, Image* image) {
  const auto entries = read_fatbin(container);
  if (!entries) return fail(entries);
  image->summary += (image->summary.empty() ? "" : "; ") + summary_of(*entries);
  const auto ranked = rank_ptx(*entries, device_sm);
  if (ranked.empty()) return {};
  uint64_t linked_bytes = 0;
  for (const FatbinEntry& entry : ranked) {
    linked_bytes += (entry.flags & kFlagLinkUnit) != 0 ? std::min(entry.expanded_bytes, kMaxLinkedBytes) : 0;
  }
  if (linked_bytes > kMaxLinkedBytes) {
    return fail(ErrorKind::kInvalidArgument, "The units of a linked program image expand to " +
                                                 std::to_string(linked_bytes) + " bytes; the limit is " +
                                                 std::to_string(kMaxLinkedBytes) + ".");
  }
  for (const FatbinEntry& entry : ranked) {
    const auto text = decompress(entry.compression, entry.payload, entry.expanded_bytes);
    if (!text) return fail(text);
    image->ptx_units.push_back(to_text(*text));
    // Usually alternatives, of which the first is the best; only a linked image has parts.
    if ((entry.flags & kFlagLinkUnit) == 0) break;
  }
  return {};
}

Result<std::span<const std::byte>> container_at(const void* data) {
  if (data == nullptr)
    return fail(ErrorKind::kInvalidArgument, "The fat binary wrapper holds a null pointer.");
  const auto* bytes = static_cast<const std::byte*>(data);
  const auto total = fatbin_bytes({bytes, kFatbinHeaderBytes});
  if (!total) return fail(total);
  return std::span<const std::byte>(bytes, *total);
}

Result<Image> open_wrapper(const Wrapper& wrapper, uint32_t device_sm) {
  if (wrapper.version != 1 && wrapper.version != 2) {
    return fail(ErrorKind::kUnsupported, "The fat binary wrapper has version " +
                                             std::to_string(wrapper.version) +
                                             "; versions 1 and 2 are known.");
  }
  Image image;
  // Linked programs carry SASS in the main container; the PTX of each unit is in the list.
  for (uint32_t i = 0;
       wrapper.version == 2 && wrapper.prelinked != nullptr && wrapper.prelinked[i] != nullptr; ++i) {
    if (i == kMaxPrelinked)
      return fail(ErrorKind::kInvalidArgument, "The fat binary wrapper lists too many containers.");
    const auto unit = container_at(wrapper.prelinked[i]);
    if (!unit) return fail(unit);
    if (const Status status = add_best_ptx(*unit, device_sm, &image); !status) return fail(status);
  }
  if (image.ptx_units.empty()) {
    const auto container = container_at(wrapper.container);
    if (!container) return fail(container);
    if (const Status status = add_best_ptx(*container, device_sm, &image); !status) return fail(status);
  }
  if (image.ptx_units.empty()) return no_ptx(image.summary);
  return image;
}

Result<std::span<const std::byte>> text_at(const void* data) {
  const auto* text = static_cast<const char*>(data);
  const size_t length = strnlen(text, kMaxPtxTextBytes);
  if (length == kMaxPtxTextBytes) {
    return fail(ErrorKind::kInvalidArgument,
                "The PTX text has no end within " + std::to_string(kMaxPtxTextBytes) + " bytes.");
  }
  return std::span<const std::byte>(reinterpret_cast<const std::byte*>(text), length + 1);
}

Result<std::span<const std::byte>> elf_at(const void* data) {
  const auto* bytes = static_cast<const std::byte*>(data);
  // No length is known: the headers are read in place, as the format says where they are.
  const auto info = read_elf({bytes, kMaxContainerBytes});
  if (!info) return fail(info);
  return std::span<const std::byte>(bytes, info->bytes);
}

Result<std::span<const std::byte>> extent_at(const void* data) {
  if (data == nullptr) return fail(ErrorKind::kInvalidArgument, "The program image pointer is null.");
  // Byte by byte: a PTX text may be shorter than a magic number.
  const auto* bytes = static_cast<const unsigned char*>(data);
  if (bytes[0] == 0x7f && bytes[1] == 'E' && bytes[2] == 'L' && bytes[3] == 'F') return elf_at(data);
  if (bytes[0] == (kFatbinMagic & 0xff) && peek<uint32_t>(data) == kFatbinMagic) return container_at(data);
  return text_at(data);
}

}  // namespace

Result<Image> open_image(std::span<const std::byte> data, uint32_t device_sm) {
  Image image;
  if (is_elf(data)) {
    const auto info = read_elf(data);
    if (!info) return fail(info);
    return no_ptx("an ELF for SASS " + std::to_string(info->sm));
  }
  if (data.size() >= kFatbinHeaderBytes && peek<uint32_t>(data.data()) == kFatbinMagic) {
    if (const Status status = add_best_ptx(data, device_sm, &image); !status) return fail(status);
    if (image.ptx_units.empty()) return no_ptx(image.summary);
    return image;
  }
  if (data.size() > kMaxPtxTextBytes || !looks_like_text(trim_at_nul(data))) {
    return fail(ErrorKind::kInvalidArgument,
                "The program image is neither a fat binary, nor an ELF, nor PTX text.");
  }
  image.summary = "PTX text";
  image.is_text = true;
  image.ptx_units.push_back(to_text(data));
  return image;
}

Result<Image> open_objects(std::span<const std::byte> data, uint32_t device_sm) {
  const auto containers = fatbins_of_objects(data);
  if (!containers) return fail(containers);
  Image image;
  for (const auto container : *containers) {
    if (const Status status = add_best_ptx(container, device_sm, &image); !status) return fail(status);
  }
  if (image.ptx_units.empty())
    return no_ptx(image.summary.empty() ? "host objects without device code" : image.summary);
  return image;
}

Result<Image> open_image_at(const void* data, uint32_t device_sm) {
  if (data == nullptr) return fail(ErrorKind::kInvalidArgument, "The program image pointer is null.");
  const auto* bytes = static_cast<const unsigned char*>(data);
  if (bytes[0] == (kWrapperMagic & 0xff) && peek<uint32_t>(data) == kWrapperMagic) {
    return open_wrapper(peek<Wrapper>(data), device_sm);
  }
  const auto extent = extent_at(data);
  if (!extent) return fail(extent);
  return open_image(*extent, device_sm);
}

Result<uint64_t> image_bytes_at(const void* data) {
  const auto extent = extent_at(data);
  if (!extent) return fail(extent);
  return extent->size();
}

}  // namespace outboard::softgpu::image
