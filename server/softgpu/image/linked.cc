#include "server/softgpu/image/linked.h"

#include <cstring>

#include "server/softgpu/image/fatbin.h"
#include "server/softgpu/image/image.h"

namespace outboard::softgpu::image {
namespace {

constexpr uint32_t kEntryHeaderBytes = 64;
constexpr uint64_t kFlagsLinux64Bit = 0x11;

template <typename T>
void put(std::vector<std::byte>& to, size_t at, T value) {
  std::memcpy(to.data() + at, &value, sizeof(value));
}

}  // namespace

std::vector<std::byte> make_linked_image(const std::vector<std::string>& units) {
  std::vector<std::byte> out(kFatbinHeaderBytes);
  for (const std::string& unit : units) {
    const size_t at = out.size();
    const uint64_t padded = (unit.size() + 1 + 7) / 8 * 8;  // with a NUL
    out.resize(at + kEntryHeaderBytes + padded);
    put<uint16_t>(out, at, static_cast<uint16_t>(EntryKind::kPtx));
    put<uint16_t>(out, at + 2, 0x0101);
    put<uint32_t>(out, at + 4, kEntryHeaderBytes);
    put<uint64_t>(out, at + 8, padded);
    put<uint32_t>(out, at + 28, kDefaultSm);
    put<uint64_t>(out, at + 40, kFlagsLinux64Bit | kFlagLinkUnit);
    std::memcpy(out.data() + at + kEntryHeaderBytes, unit.data(), unit.size());
  }
  put<uint32_t>(out, 0, kFatbinMagic);
  put<uint16_t>(out, 4, 1);
  put<uint16_t>(out, 6, static_cast<uint16_t>(kFatbinHeaderBytes));
  put<uint64_t>(out, 8, out.size() - kFatbinHeaderBytes);
  return out;
}

}  // namespace outboard::softgpu::image
