// Program images: ELF, fat binaries, compressed entries, text. What is accepted has texts; what is
// not is refused with a reason.
#include "server/softgpu/image/image.h"
#include "server/softgpu/image/limits.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outboard;
  const auto image = softgpu::image::open_image(std::as_bytes(std::span(data, size)));
  if (!image) {
    OUTBOARD_EXPECT(!image.error().message.empty());
    OUTBOARD_EXPECT(image.error().kind == ErrorKind::kInvalidArgument ||
                    image.error().kind == ErrorKind::kUnsupported);
    return 0;
  }
  OUTBOARD_EXPECT(!image->ptx_units.empty());
  for (const std::string& unit : image->ptx_units) {
    OUTBOARD_EXPECT(unit.size() <= softgpu::image::kMaxEntryBytes);
    OUTBOARD_EXPECT(unit.find('\0') == std::string::npos);
  }
  return 0;
}
