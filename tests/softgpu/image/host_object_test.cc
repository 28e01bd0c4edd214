#include "server/softgpu/image/host_object.h"

#include <gtest/gtest.h>

#include "server/softgpu/image/image.h"
#include "tests/softgpu/image/host_objects.h"

namespace outboard::softgpu::image {
namespace {

const std::string kOne = ".version 9.0\n.target sm_90\n.address_size 64\n// one\n";
const std::string kTwo = ".version 9.0\n.target sm_90\n.address_size 64\n// two\n";

// Two containers as nvcc places them: the second one at a multiple of eight behind zeros.
std::vector<std::byte> two_containers() {
  auto out = container({entry(1, 90, kOne)});
  out.resize(out.size() + 16);
  append(out, container({entry(2, 90, "machine code"), entry(1, 90, kTwo, kZstdFlags)}));
  return out;
}

TEST(HostObject, AllContainersOfBothSections) {
  for (const char* name : {".nv_fatbin", "__nv_relfatbin"}) {
    const auto image = open_objects(object(name, two_containers()));
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(image->ptx_units, (std::vector<std::string>{kOne, kTwo})) << name;
  }
}

TEST(HostObject, ArchivesInTheirOrder) {
  auto odd = object(".nv_fatbin", container({entry(1, 90, kTwo)}));
  if (odd.size() % 2 == 0) odd.resize(odd.size() + 1);
  const auto image = open_objects(archive({bytes_of("symbol table"), odd, bytes_of("odd"),
                                           object("__nv_relfatbin", container({entry(1, 90, kOne)}))}));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->ptx_units, (std::vector<std::string>{kTwo, kOne}));
}

TEST(HostObject, WithoutDeviceCodeItIsRefused) {
  for (const auto& data : {object(".text", two_containers()), archive({}),
                           object(".nv_fatbin", container({entry(2, 90, "machine code")}))}) {
    const auto image = open_objects(data);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().kind, ErrorKind::kUnsupported);
  }
  EXPECT_EQ(open_objects(bytes_of(kOne)).error().kind, ErrorKind::kInvalidArgument);
}

TEST(HostObject, TruncationsAreRefusedOrHarmless) {
  const auto whole = archive({object("__nv_relfatbin", two_containers())});
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    // In memory of exactly that size, so that a sanitizer sees a read behind its end.
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(bytes));
    const auto image = open_objects(cut);
    EXPECT_FALSE(image) << bytes;
  }
}

}  // namespace
}  // namespace outboard::softgpu::image
