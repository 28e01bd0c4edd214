#include "server/softgpu/image/decompress.h"

#include <lz4.h>
#include <zstd.h>

#include <limits>
#include <string>

#include "server/softgpu/image/limits.h"

namespace outboard::softgpu::image {
namespace {

tl::unexpected<Error> damaged(const char* format, uint64_t expanded_bytes, const std::string& why) {
  return fail(ErrorKind::kInvalidArgument,
              std::string("The ") + format + " data of a program image entry does not expand to the " +
                  std::to_string(expanded_bytes) + " bytes that its header promises: " + why + ".");
}

Status expand_lz4(std::span<const std::byte> input, std::span<std::byte> output) {
  if (input.size() > std::numeric_limits<int>::max()) {
    return damaged("LZ4", output.size(), "the input is too large");
  }
  const int got =
      LZ4_decompress_safe(reinterpret_cast<const char*>(input.data()), reinterpret_cast<char*>(output.data()),
                          static_cast<int>(input.size()), static_cast<int>(output.size()));
  if (got < 0) return damaged("LZ4", output.size(), "the block is malformed");
  if (static_cast<size_t>(got) != output.size()) {
    return damaged("LZ4", output.size(), "it expands to " + std::to_string(got) + " bytes");
  }
  return {};
}

// The bytes of the frame, if they can expand to that many. Padding after it is allowed, so only the
// first frame counts. No memory is taken for sizes that the frame itself contradicts: a block has at
// least four bytes and expands to at most 128 KiB.
Result<size_t> zstd_frame_bytes(std::span<const std::byte> input, uint64_t expanded_bytes) {
  const size_t frame_bytes = ZSTD_findFrameCompressedSize(input.data(), input.size());
  if (ZSTD_isError(frame_bytes)) return damaged("zstd", expanded_bytes, ZSTD_getErrorName(frame_bytes));
  const unsigned long long said = ZSTD_getFrameContentSize(input.data(), input.size());
  if (said != ZSTD_CONTENTSIZE_UNKNOWN && said != expanded_bytes)
    return damaged("zstd", expanded_bytes, "its frame says " + std::to_string(said));
  if (expanded_bytes / ZSTD_BLOCKSIZE_MAX > frame_bytes / 4)
    return damaged("zstd", expanded_bytes, "the input is too small for that");
  return frame_bytes;
}

Status expand_zstd(std::span<const std::byte> input, std::span<std::byte> output) {
  const size_t got = ZSTD_decompress(output.data(), output.size(), input.data(), input.size());
  if (ZSTD_isError(got)) return damaged("zstd", output.size(), ZSTD_getErrorName(got));
  if (got != output.size()) {
    return damaged("zstd", output.size(), "it expands to " + std::to_string(got) + " bytes");
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> decompress(Compression compression, std::span<const std::byte> input,
                                          uint64_t expanded_bytes) {
  if (expanded_bytes > kMaxEntryBytes) {
    return fail(ErrorKind::kInvalidArgument, "A program image entry says that it expands to " +
                                                 std::to_string(expanded_bytes) + " bytes; the limit is " +
                                                 std::to_string(kMaxEntryBytes) + ".");
  }
  if (compression == Compression::kNone) return std::vector<std::byte>(input.begin(), input.end());
  // LZ4 expands at most about 255 times: a tiny input that asks for much is refused before the memory
  // is taken.
  if (compression == Compression::kLz4Block && expanded_bytes / 256 > input.size() + 64) {
    return damaged("LZ4", expanded_bytes, "the input is too small for that");
  }
  if (compression == Compression::kZstdFrame) {
    const Result<size_t> frame_bytes = zstd_frame_bytes(input, expanded_bytes);
    if (!frame_bytes) return fail(frame_bytes);
    input = input.first(*frame_bytes);
  }
  std::vector<std::byte> output(expanded_bytes);
  const Status status =
      compression == Compression::kLz4Block ? expand_lz4(input, output) : expand_zstd(input, output);
  if (!status) return fail(status);
  return output;
}

}  // namespace outboard::softgpu::image
