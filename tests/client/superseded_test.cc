// Forms of before CUDA 3.2 that name no device address.
#include <gtest/gtest.h>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_array_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

class Superseded : public testing::Test {
 protected:
  Superseded() { test_.make_current(); }

  CUarray array() {
    const CUDA_ARRAY_DESCRIPTOR_v1 descriptor{100, 40, CU_AD_FORMAT_FLOAT, 2};
    CUarray made = nullptr;
    EXPECT_EQ(calls::cuArrayCreate(client_, &made, &descriptor), CUDA_SUCCESS);
    return made;
  }

  ClientTest test_;
  Client& client_ = test_.client;
};

TEST_F(Superseded, MemoryBeyondFourGigabytesReadsAsTheMost) {
  test_.server.on(wire::Opcode::kMemGetInfo, [](const SeenCommand&) {
    wire::MemGetInfoReply reply;
    reply.free_bytes = 0xffff'fffe;
    reply.total_bytes = uint64_t{6} << 30;
    return answer_with(reply);
  });
  unsigned free_bytes = 0;
  unsigned total_bytes = 0;
  EXPECT_EQ(calls::cuMemGetInfo(client_, &free_bytes, &total_bytes), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes, 0xffff'fffeu);
  EXPECT_EQ(total_bytes, UINT32_MAX);
  EXPECT_EQ(calls::cuMemGetInfo(client_, nullptr, &total_bytes), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Superseded, DescriptorsOfArraysAreWidened) {
  ASSERT_NE(array(), nullptr);
  const auto seen = test_.server.commands_of(wire::Opcode::kArrayCreateV2, 1);
  ASSERT_EQ(seen.size(), 1u);
  const auto request = seen[0].as<wire::ArrayCreateV2Request>();
  EXPECT_EQ(request.pAllocateArray.Width, 100u);
  EXPECT_EQ(request.pAllocateArray.Height, 40u);
  EXPECT_EQ(request.pAllocateArray.Format, CU_AD_FORMAT_FLOAT);
  EXPECT_EQ(request.pAllocateArray.NumChannels, 2u);
}

TEST_F(Superseded, DescriptorsOfArraysComeBackNarrow) {
  const CUarray made = array();
  test_.server.on(wire::Opcode::kArray3DGetDescriptorV2, [](const SeenCommand&) {
    wire::Array3DGetDescriptorV2Reply reply;
    reply.pArrayDescriptor = {100, 40, 3, CU_AD_FORMAT_HALF, 4, CUDA_ARRAY3D_LAYERED};
    return answer_with(reply);
  });
  CUDA_ARRAY3D_DESCRIPTOR_v1 descriptor{};
  EXPECT_EQ(calls::cuArray3DGetDescriptor(client_, &descriptor, made), CUDA_SUCCESS);
  EXPECT_EQ(descriptor.Width, 100u);
  EXPECT_EQ(descriptor.Height, 40u);
  EXPECT_EQ(descriptor.Depth, 3u);
  EXPECT_EQ(descriptor.Format, CU_AD_FORMAT_HALF);
  EXPECT_EQ(descriptor.NumChannels, 4u);
  EXPECT_EQ(descriptor.Flags, unsigned{CUDA_ARRAY3D_LAYERED});
}

TEST_F(Superseded, BoxesAreWidenedFieldByField) {
  const CUarray made = array();
  std::vector<uint8_t> host(64 * 10 * 3, 7);
  CUDA_MEMCPY3D_v1 copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = host.data();
  copy.srcPitch = 64;
  copy.srcHeight = 10;
  copy.srcXInBytes = 4;
  copy.srcY = 1;
  copy.srcZ = 1;
  copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  copy.dstArray = made;
  copy.dstXInBytes = 8;
  copy.dstY = 2;
  copy.dstZ = 1;
  copy.WidthInBytes = 16;
  copy.Height = 3;
  copy.Depth = 2;
  EXPECT_EQ(calls::cuMemcpy3D(client_, &copy), CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(wire::Opcode::kCopyRegionFromHost, 1);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].bulk, std::vector<std::byte>(16 * 3 * 2, std::byte{7}));
  const auto request = seen[0].as<wire::CopyRegionFromHostRequest>();
  EXPECT_EQ(request.destination.x_bytes, 8u);
  EXPECT_EQ(request.destination.y, 2u);
  EXPECT_EQ(request.destination.z, 1u);
  EXPECT_EQ(request.width_bytes, 16u);
  EXPECT_EQ(request.height, 3u);
  EXPECT_EQ(request.depth, 2u);
  EXPECT_EQ(calls::cuMemcpy3D(client_, nullptr), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::client
