#include <gtest/gtest.h>

#include "protocol/base/uuid.h"

namespace outboard {
namespace {

TEST(Uuid, TextThereAndBack) {
  const Uuid uuid = {0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71,
                     0x82, 0x93, 0xa4, 0xb5, 0xc6, 0xd7, 0xe8, 0xf9};
  EXPECT_EQ(gpu_uuid_text(uuid), "GPU-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9");
  EXPECT_EQ(parse_gpu_uuid(gpu_uuid_text(uuid)).value(), uuid);
  EXPECT_EQ(parse_gpu_uuid("GPU-0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9").value(), uuid);
}

TEST(Uuid, RefusesOtherForms) {
  for (const char* bad :
       {"", "GPU-", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "gpu-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "GPU-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f", "GPU-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f90",
        "GPU-0a1b2c3d4-e5f-6071-8293-a4b5c6d7e8f9", "GPU-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg"}) {
    const auto uuid = parse_gpu_uuid(bad);
    ASSERT_FALSE(uuid) << bad;
    EXPECT_EQ(uuid.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(Uuid, FromNameIsStableAndDistinct) {
  EXPECT_EQ(uuid_from_name("softgpu 0"), uuid_from_name("softgpu 0"));
  EXPECT_NE(uuid_from_name("softgpu 0"), uuid_from_name("softgpu 1"));
  EXPECT_NE(uuid_from_name(""), uuid_from_name("a"));
  EXPECT_EQ(uuid_from_name("x")[6] >> 4, 8);
}

}  // namespace
}  // namespace outboard
