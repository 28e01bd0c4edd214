#include "server/softgpu/device/virtual_memory.h"

#include "server/softgpu/device/limits.h"
#include "tests/softgpu/device/platform_fixture.h"

namespace outboard::softgpu {
namespace {

class VirtualMemoryTest : public PlatformTest {
 protected:
  std::shared_ptr<PhysicalMemory> make(uint64_t bytes) {
    std::shared_ptr<PhysicalMemory> memory;
    EXPECT_EQ(PhysicalMemory::create(context_->device(), bytes, {}, &memory), CUDA_SUCCESS);
    return memory;
  }
  VirtualMemory& vm() { return platform_->virtual_memory(); }
};

TEST_F(VirtualMemoryTest, AtTheAddressAskedFor) {
  uint64_t first = 0;
  ASSERT_EQ(vm().reserve(4 * kGranuleBytes, 0, 0, &first), CUDA_SUCCESS);
  ASSERT_EQ(vm().release(first, 4 * kGranuleBytes), CUDA_SUCCESS);
  uint64_t again = 0;
  ASSERT_EQ(vm().reserve(4 * kGranuleBytes, 0, first, &again), CUDA_SUCCESS);
  EXPECT_EQ(again, first);
  uint64_t other = 0;
  ASSERT_EQ(vm().reserve(kGranuleBytes, 0, first, &other), CUDA_SUCCESS);  // taken: elsewhere
  EXPECT_NE(other, first);
}

TEST_F(VirtualMemoryTest, ContentFollowsThePhysicalMemory) {
  uint64_t range = 0;
  ASSERT_EQ(vm().reserve(2 * kGranuleBytes, 0, 0, &range), CUDA_SUCCESS);
  const auto memory = make(kGranuleBytes);
  ASSERT_EQ(vm().map(range, kGranuleBytes, 0, memory), CUDA_SUCCESS);
  EXPECT_EQ(vm().map(range, kGranuleBytes, 0, memory), CUDA_ERROR_INVALID_VALUE);
  EXPECT_FALSE(platform_->memory().find(range)->readable);
  ASSERT_EQ(vm().set_access(range, kGranuleBytes, CU_MEM_ACCESS_FLAGS_PROT_READWRITE), CUDA_SUCCESS);
  EXPECT_TRUE(platform_->memory().find(range)->writable);
  *reinterpret_cast<int*>(range) = 42;
  ASSERT_EQ(vm().unmap(range, kGranuleBytes), CUDA_SUCCESS);
  EXPECT_FALSE(platform_->memory().find(range));
  ASSERT_EQ(vm().map(range + kGranuleBytes, kGranuleBytes, 0, memory), CUDA_SUCCESS);
  ASSERT_EQ(vm().set_access(range + kGranuleBytes, kGranuleBytes, CU_MEM_ACCESS_FLAGS_PROT_READ),
            CUDA_SUCCESS);
  EXPECT_EQ(*reinterpret_cast<int*>(range + kGranuleBytes), 42);
}

TEST_F(VirtualMemoryTest, MistakesAreRefused) {
  uint64_t range = 0;
  EXPECT_EQ(vm().reserve(kGranuleBytes + 1, 0, 0, &range), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(vm().reserve(2 * kGranuleBytes, 0, 0, &range), CUDA_SUCCESS);
  const auto memory = make(kGranuleBytes);
  EXPECT_EQ(vm().map(range, 2 * kGranuleBytes, 0, memory),
            CUDA_ERROR_INVALID_VALUE);  // larger than the memory
  EXPECT_EQ(vm().map(range + 2 * kGranuleBytes, kGranuleBytes, 0, memory),
            CUDA_ERROR_INVALID_VALUE);  // outside
  ASSERT_EQ(vm().map(range, kGranuleBytes, 0, memory), CUDA_SUCCESS);
  EXPECT_EQ(vm().release(range, 2 * kGranuleBytes), CUDA_ERROR_INVALID_VALUE);  // still mapped
  EXPECT_EQ(vm().unmap(range, 2 * kGranuleBytes), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(vm().unmap(range, kGranuleBytes), CUDA_SUCCESS);
  EXPECT_EQ(vm().release(range, 2 * kGranuleBytes), CUDA_SUCCESS);
}

TEST_F(VirtualMemoryTest, PhysicalMemoryCountsAgainstTheDevice) {
  const uint64_t all = context_->device().total_bytes();
  auto memory = make(all);
  std::shared_ptr<PhysicalMemory> more;
  EXPECT_EQ(PhysicalMemory::create(context_->device(), kGranuleBytes, {}, &more), CUDA_ERROR_OUT_OF_MEMORY);
  memory.reset();
  EXPECT_EQ(context_->device().free_bytes(), all);
}

}  // namespace
}  // namespace outboard::softgpu
