#include "server/softgpu/image/fatbin.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "server/softgpu/image/limits.h"

namespace outboard::softgpu::image {
namespace {

// Offsets inside an entry's header.
constexpr size_t kKindAt = 0;              // u16
constexpr size_t kHeaderBytesAt = 4;       // u32
constexpr size_t kPaddedBytesAt = 8;       // u64: from the end of this header to the next entry
constexpr size_t kCompressedBytesAt = 16;  // u32
constexpr size_t kSmAt = 28;               // u32
constexpr size_t kFlagsAt = 40;            // u64
constexpr size_t kExpandedBytesAt = 56;    // u64
constexpr uint32_t kSmallestEntryHeader = 64;
constexpr uint32_t kLargestEntryHeader = 4096;  // 128 is the largest seen; names may follow

constexpr uint64_t kFlagLz4 = 0x2000;
constexpr uint64_t kFlagZstd = 0x8000;

template <typename T>
T load(std::span<const std::byte> data, size_t at) {
  T value;
  std::memcpy(&value, data.data() + at, sizeof(value));
  return value;
}

tl::unexpected<Error> damaged(size_t entry, const std::string& why) {
  return fail(ErrorKind::kInvalidArgument,
              "Entry " + std::to_string(entry) + " of the fat binary " + why + ".");
}

// Reads the entry at the start of `rest`; *total_bytes is where the next one starts.
Result<FatbinEntry> read_entry(std::span<const std::byte> rest, size_t index, uint64_t* total_bytes) {
  if (rest.size() < kSmallestEntryHeader) return damaged(index, "is cut off in its header");
  const auto header_bytes = load<uint32_t>(rest, kHeaderBytesAt);
  const auto padded_bytes = load<uint64_t>(rest, kPaddedBytesAt);
  if (header_bytes < kSmallestEntryHeader || header_bytes > kLargestEntryHeader) {
    return damaged(index, "has a header of " + std::to_string(header_bytes) + " bytes, not 64 to 4096");
  }
  if (header_bytes > rest.size() || padded_bytes > rest.size() - header_bytes) {
    return damaged(index, "reaches beyond the end of its container");
  }
  FatbinEntry entry;
  entry.kind = static_cast<EntryKind>(load<uint16_t>(rest, kKindAt));
  entry.sm = load<uint32_t>(rest, kSmAt);
  entry.flags = load<uint64_t>(rest, kFlagsAt);
  const auto compressed_bytes = load<uint32_t>(rest, kCompressedBytesAt);
  entry.payload = rest.subspan(header_bytes, padded_bytes);
  entry.expanded_bytes = padded_bytes;
  if ((entry.flags & (kFlagLz4 | kFlagZstd)) != 0) {
    entry.compression = (entry.flags & kFlagZstd) != 0 ? Compression::kZstdFrame : Compression::kLz4Block;
    entry.expanded_bytes = load<uint64_t>(rest, kExpandedBytesAt);
    if (compressed_bytes > padded_bytes)
      return damaged(index, "says that it is compressed to more bytes than it has");
    if (compressed_bytes != 0) entry.payload = entry.payload.first(compressed_bytes);
  }
  *total_bytes = header_bytes + padded_bytes;
  return entry;
}

}  // namespace

Result<uint64_t> fatbin_bytes(std::span<const std::byte> header) {
  if (header.size() < kFatbinHeaderBytes || load<uint32_t>(header, 0) != kFatbinMagic) {
    return fail(ErrorKind::kInvalidArgument, "The program image does not start with a fat binary header.");
  }
  const auto version = load<uint16_t>(header, 4);
  const auto header_bytes = load<uint16_t>(header, 6);
  const auto entries_bytes = load<uint64_t>(header, 8);
  if (version != 1 || header_bytes != kFatbinHeaderBytes) {
    return fail(ErrorKind::kUnsupported, "The fat binary has format version " + std::to_string(version) +
                                             " with a header of " + std::to_string(header_bytes) +
                                             " bytes; only version 1 with 16 bytes is known.");
  }
  if (entries_bytes > kMaxContainerBytes) {
    return fail(ErrorKind::kInvalidArgument, "The fat binary says that it has " +
                                                 std::to_string(entries_bytes) + " bytes; the limit is " +
                                                 std::to_string(kMaxContainerBytes) + ".");
  }
  return kFatbinHeaderBytes + entries_bytes;
}

Result<std::vector<FatbinEntry>> read_fatbin(std::span<const std::byte> data) {
  const auto total = fatbin_bytes(data);
  if (!total) return fail(total);
  if (*total > data.size()) {
    return fail(ErrorKind::kInvalidArgument, "The fat binary says that it has " + std::to_string(*total) +
                                                 " bytes, but only " + std::to_string(data.size()) +
                                                 " are there.");
  }
  std::span<const std::byte> rest = data.subspan(kFatbinHeaderBytes, *total - kFatbinHeaderBytes);
  std::vector<FatbinEntry> entries;
  while (!rest.empty()) {
    if (entries.size() == kMaxEntries) {
      return fail(ErrorKind::kInvalidArgument,
                  "The fat binary has more than " + std::to_string(kMaxEntries) + " entries.");
    }
    uint64_t entry_bytes = 0;
    auto entry = read_entry(rest, entries.size(), &entry_bytes);
    if (!entry) return fail(entry);
    entries.push_back(*entry);
    rest = rest.subspan(entry_bytes);
  }
  return entries;
}

std::vector<FatbinEntry> rank_ptx(const std::vector<FatbinEntry>& entries, uint32_t device_sm) {
  std::vector<FatbinEntry> ranked;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(ranked),
               [](const FatbinEntry& e) { return e.kind == EntryKind::kPtx; });
  std::sort(ranked.begin(), ranked.end(), [&](const FatbinEntry& a, const FatbinEntry& b) {
    const bool a_fits = a.sm <= device_sm;
    const bool b_fits = b.sm <= device_sm;
    if (a_fits != b_fits) return a_fits;
    if (a.sm != b.sm) return a_fits ? a.sm > b.sm : a.sm < b.sm;
    if (std::popcount(a.flags) != std::popcount(b.flags))
      return std::popcount(a.flags) < std::popcount(b.flags);
    return a.payload.data() < b.payload.data();  // in the order of the container
  });
  return ranked;
}

}  // namespace outboard::softgpu::image
