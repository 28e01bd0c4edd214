// What programs say about managed memory, they are told when they ask.
#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBytes = 8 * kPage;

class ManagedTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    ASSERT_EQ(cuMemAllocManaged(&memory_, kBytes, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  }
  void TearDown() override {
    EXPECT_EQ(cuMemFree_v2(memory_), CUDA_SUCCESS);
    DriverTest::TearDown();
  }
  int ask(CUmem_range_attribute attribute, size_t from = 0, size_t bytes = kBytes) {
    int value = 77;
    EXPECT_EQ(cuMemRangeGetAttribute(&value, sizeof value, attribute, memory_ + from, bytes), CUDA_SUCCESS);
    return value;
  }
  std::vector<int> users(size_t room, size_t from = 0, size_t bytes = kBytes) {
    std::vector<int> found(room, 77);
    EXPECT_EQ(cuMemRangeGetAttribute(found.data(), room * sizeof(int), CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY,
                                     memory_ + from, bytes),
              CUDA_SUCCESS);
    return found;
  }
  CUresult say(CUmem_advise advice, CUdevice device, size_t from = 0, size_t bytes = kBytes) {
    return cuMemAdvise(memory_ + from, bytes, advice, device);
  }

  CUdeviceptr memory_ = 0;
};

TEST_F(ManagedTest, NothingWasSaidAtFirst) {
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_INVALID);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_INVALID);
  EXPECT_EQ(users(2), (std::vector<int>{CU_DEVICE_INVALID, CU_DEVICE_INVALID}));
}

TEST_F(ManagedTest, AnswersHoldForAllPagesOfARange) {
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_READ_MOSTLY, 0, kPage, 2 * kPage), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kPage, 2 * kPage), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kPage + 100, kPage), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, 2 * kPage, 2 * kPage), 0);
  EXPECT_EQ(say(CU_MEM_ADVISE_UNSET_READ_MOSTLY, 0, 2 * kPage, 1), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kPage, kPage), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, kPage, 2 * kPage), 0);
}

TEST_F(ManagedTest, PreferredLocations) {
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_PREFERRED_LOCATION, 1), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID), 1);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_PREFERRED_LOCATION, CU_DEVICE_CPU, 0, kPage), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION, 0, kPage), CU_DEVICE_CPU);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE, 0, kPage), CU_MEM_LOCATION_TYPE_HOST);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(say(CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION, 0), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION, 0, kPage), CU_DEVICE_INVALID);
  const CUmemLocation numa{.type = CU_MEM_LOCATION_TYPE_HOST_NUMA, .id = 0};
  EXPECT_EQ(cuMemAdvise_v2(memory_, kBytes, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, numa), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_HOST_NUMA);
}

TEST_F(ManagedTest, UsersArePutInOrderAndFillTheRoom) {
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_ACCESSED_BY, 1), CUDA_SUCCESS);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_ACCESSED_BY, 0), CUDA_SUCCESS);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_ACCESSED_BY, 0), CUDA_SUCCESS);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_ACCESSED_BY, CU_DEVICE_CPU, 0, kPage), CUDA_SUCCESS);
  EXPECT_EQ(users(3), (std::vector<int>{0, 1, CU_DEVICE_INVALID}));
  EXPECT_EQ(users(1), (std::vector<int>{0}));
  EXPECT_EQ(users(3, 0, kPage), (std::vector<int>{CU_DEVICE_CPU, 0, 1}));
  EXPECT_EQ(say(CU_MEM_ADVISE_UNSET_ACCESSED_BY, 0, kPage, kPage), CUDA_SUCCESS);
  EXPECT_EQ(users(2), (std::vector<int>{1, CU_DEVICE_INVALID}));
}

TEST_F(ManagedTest, PrefetchesAreRemembered) {
  EXPECT_EQ(cuMemPrefetchAsync(memory_, kBytes, 1, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), 1);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID), 1);
  EXPECT_EQ(cuMemPrefetchAsync(memory_, 1, CU_DEVICE_CPU, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, 0, 1), CU_DEVICE_CPU);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), CU_DEVICE_INVALID);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE), CU_MEM_LOCATION_TYPE_INVALID);
}

TEST_F(ManagedTest, ASuccessorAtTheSameAddressKnowsNothingOfIt) {
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_READ_MOSTLY, 0), CUDA_SUCCESS);
  const CUdeviceptr before = memory_;
  EXPECT_EQ(cuMemFree_v2(memory_), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAllocManaged(&memory_, kBytes, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  ASSERT_EQ(memory_, before);
  EXPECT_EQ(ask(CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
}

TEST_F(ManagedTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_PREFERRED_LOCATION, 2), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_ACCESSED_BY, -7), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_READ_MOSTLY, -7), CUDA_SUCCESS) << "it does not look at the device";
  EXPECT_EQ(say(static_cast<CUmem_advise>(99), 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_READ_MOSTLY, 0, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(say(CU_MEM_ADVISE_SET_READ_MOSTLY, 0, 0, kBytes + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemPrefetchAsync(memory_, kBytes, 2, nullptr), CUDA_ERROR_INVALID_DEVICE);
  char value[6] = {};
  EXPECT_EQ(cuMemRangeGetAttribute(value, 6, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, memory_, kBytes),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemRangeGetAttribute(value, 2, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, memory_, kBytes),
            CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::softgpu
