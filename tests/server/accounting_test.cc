// Every way to device memory passes the session's account, and gives back what it took.
#include <gtest/gtest.h>

#include "protocol/wire/messages_array_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_mempool_gen.h"
#include "protocol/wire/messages_vmm_gen.h"
#include "server/worker/charge.h"
#include "tests/server/scripted_client.h"

namespace outboard::server::testing {
namespace {

constexpr uint64_t kLease = 1 << 20;

class Accounting : public ::testing::Test {
 protected:
  static SessionConfig lease() {
    SessionConfig config;
    config.hello.requested.memory_bytes = kLease;
    return config;
  }
  uint64_t used() {
    wire::MemGetInfoReply reply;
    const Answer answer = client_.call(wire::MemGetInfoRequest{});
    wire::Reader reader(answer.body);
    EXPECT_TRUE(wire::MemGetInfoReply::decode(reader, reply));
    return kLease - reply.free_bytes;
  }
  template <typename Request>
  CUresult call(const Request& request) {
    return client_.call(request).result;
  }

  FakeDriver driver_;
  ScriptedClient client_{driver_.api(), lease()};
};

CUDA_ARRAY3D_DESCRIPTOR box(size_t width, size_t height, size_t depth, unsigned flags = 0) {
  return {.Width = width,
          .Height = height,
          .Depth = depth,
          .Format = CU_AD_FORMAT_FLOAT,
          .NumChannels = 2,
          .Flags = flags};
}

TEST_F(Accounting, Arrays) {
  const CUDA_ARRAY_DESCRIPTOR flat{.Width = 100, .Height = 0, .Format = CU_AD_FORMAT_HALF, .NumChannels = 4};
  EXPECT_EQ(call(wire::ArrayCreateV2Request{{1, 1}, flat}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 100u * 2 * 4);
  EXPECT_EQ(call(wire::Array3DCreateV2Request{{2, 1}, box(10, 20, 30)}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 800u + 6000 * 8);
  EXPECT_EQ(call(wire::Array3DCreateV2Request{{3, 1}, box(1000, 1000, 0)}), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver_.count("cuArray3DCreate"), 1u) << "the driver is not asked";
  driver_.fail_next("cuArray3DCreate", CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(call(wire::Array3DCreateV2Request{{3, 1}, box(1, 1, 1)}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(used(), 800u + 6000 * 8);
  client_.send(wire::ArrayDestroyRequest{{2, 1}}, false);
  EXPECT_EQ(used(), 800u);
}

TEST_F(Accounting, Mipmaps) {
  EXPECT_EQ(call(wire::MipmappedArrayCreateRequest{{1, 1}, box(64, 32, 0), 3}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 8u * (64 * 32 + 32 * 16 + 16 * 8));
  client_.send(wire::MipmappedArrayDestroyRequest{{1, 1}}, false);
  EXPECT_EQ(used(), 0u);
}

TEST(ArrayBytes, FollowsShapeAndFormat) {
  EXPECT_EQ(array_bytes(box(3, 0, 0)), 3u * 8);
  EXPECT_EQ(array_bytes(box(3, 5, 0)), 15u * 8);
  EXPECT_EQ(array_bytes(box(3, 5, 7)), 105u * 8);
  EXPECT_EQ(array_bytes(box(SIZE_MAX, SIZE_MAX, 2)), UINT64_MAX);
  EXPECT_EQ(array_bytes(box(64, 64, 1, CUDA_ARRAY3D_SPARSE)), 0u) << "its memory comes later";
  CUDA_ARRAY3D_DESCRIPTOR blocks = box(16, 16, 0);
  blocks.Format = CU_AD_FORMAT_BC1_UNORM;
  EXPECT_EQ(array_bytes(blocks), 128u);
  // Layers stay as many in every level; more levels than there can be are none.
  EXPECT_EQ(mipmap_bytes(box(4, 4, 6, CUDA_ARRAY3D_LAYERED), 9), 8u * 6 * (16 + 4 + 1));
  EXPECT_EQ(mipmap_bytes(box(4, 4, 4), 9), 8u * (64 + 8 + 1));
}

TEST_F(Accounting, ManagedMemory) {
  EXPECT_EQ(call(wire::MemAllocManagedRequest{4096, CU_MEM_ATTACH_GLOBAL}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 4096u);
  EXPECT_EQ(call(wire::MemAllocManagedRequest{kLease, CU_MEM_ATTACH_GLOBAL}), CUDA_ERROR_OUT_OF_MEMORY);
}

wire::MemCreateRequest physical(wire::Handle handle, uint64_t bytes) {
  wire::MemCreateRequest request;
  request.handle = handle;
  request.size = bytes;
  request.prop.value.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  request.prop.value.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  return request;
}

TEST_F(Accounting, PhysicalMemoryIsPaidForWhileItIsMapped) {
  constexpr uint64_t kAddress = 0x10'0000'0000;
  EXPECT_EQ(call(physical({1, 1}, 5000)), CUDA_SUCCESS);
  EXPECT_EQ(used(), 5000u);
  EXPECT_EQ(call(wire::MemMapRequest{kAddress, 5000, 0, {1, 1}, 0}), CUDA_SUCCESS);
  EXPECT_EQ(call(wire::MemReleaseRequest{{1, 1}}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 5000u) << "the mapping keeps it";
  EXPECT_EQ(call(wire::MemReleaseRequest{{1, 1}}), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call(wire::MemUnmapRequest{kAddress, 5000}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 0u);
  EXPECT_EQ(call(physical({2, 1}, kLease + 1)), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(Accounting, HostMemoryThatTheDeviceUses) {
  constexpr uint64_t kAddress = 0x1100'0000'0000;
  EXPECT_EQ(call(wire::MirrorMapRequest{kAddress, 8192}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 8192u);
  EXPECT_EQ(call(wire::MirrorUnmapRequest{kAddress, 8192}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 0u);
  driver_.take_address(kAddress);
  EXPECT_EQ(call(wire::MirrorMapRequest{kAddress, 8192}), CUDA_ERROR_ALREADY_MAPPED);
  driver_.take_address(0);
  driver_.fail_next("cuMemSetAccess", CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(call(wire::MirrorMapRequest{kAddress, 8192}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(used(), 0u);
  EXPECT_EQ(driver_.count("cuMemAddressReserve"), driver_.count("cuMemAddressFree"));
  EXPECT_EQ(driver_.count("cuMemCreate"), driver_.count("cuMemRelease"));
  EXPECT_EQ(driver_.count("cuMemMap"), driver_.count("cuMemUnmap"));
}

TEST_F(Accounting, MirroredContentMovesInAStreamOfItsOwn) {
  const std::vector<std::byte> data(100, std::byte{1});
  client_.send(wire::MirrorWriteRequest{0x1000}, false, data);
  const Answer answer = client_.call(wire::MirrorReadRequest{0x1000, 50});
  EXPECT_EQ(answer.result, CUDA_SUCCESS);
  EXPECT_EQ(answer.bulk, std::vector<std::byte>(50, std::byte{0x5a}));
  EXPECT_EQ(driver_.count("cuMemcpyHtoDAsync 100"), 1u);
  EXPECT_EQ(driver_.count("cuStreamCreate"), 1u);
}

}  // namespace
}  // namespace outboard::server::testing
