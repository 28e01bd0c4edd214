// What stream-ordered pools, modules and contexts hold counts against the lease, used or not.
#include <gtest/gtest.h>

#include "protocol/wire/messages_context_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_mempool_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "protocol/wire/messages_primary_context_gen.h"
#include "tests/server/scripted_client.h"

namespace outboard::server::testing {
namespace {

constexpr uint64_t kLease = 16 << 20;
constexpr uint64_t kMiB = 1 << 20;

class PoolAccounting : public ::testing::Test {
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
  // 0 if it is refused.
  CUdeviceptr take(uint64_t bytes) {
    const Answer answer = client_.call(wire::MemAllocAsyncRequest{bytes, {}, {}});
    wire::MemAllocAsyncReply reply;
    wire::Reader reader(answer.body);
    if (answer.result != CUDA_SUCCESS) return 0;
    EXPECT_TRUE(wire::MemAllocAsyncReply::decode(reader, reply));
    return reply.address;
  }
  void free(CUdeviceptr address) { client_.send(wire::MemFreeAsyncRequest{address, {}}, false); }
  CUresult allocate(uint64_t bytes) { return client_.call(wire::MemAllocRequest{bytes}).result; }
  CUresult load(const std::string& ptx, wire::Handle module) {
    wire::LoadModuleRequest request;
    request.module = module;
    return client_.call(request, std::as_bytes(std::span(ptx.c_str(), ptx.size() + 1))).result;
  }

  FakeDriver driver_;
  ScriptedClient client_{driver_.api(), lease()};
};

TEST_F(PoolAccounting, KeptMemoryIsPaidForUntilItIsGivenBack) {
  const CUdeviceptr first = take(6 * kMiB), second = take(4 * kMiB);
  EXPECT_EQ(used(), 10 * kMiB);
  free(first);
  free(second);
  EXPECT_EQ(used(), 10 * kMiB) << "the pool keeps it";
  EXPECT_NE(take(3 * kMiB), 0u);
  EXPECT_EQ(used(), 10 * kMiB) << "and gives it out again";
  wire::MemPoolCreateRequest pool;
  pool.pool = {1, 1};
  pool.poolProps.value.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  EXPECT_EQ(client_.call(pool).result, CUDA_SUCCESS);
  EXPECT_EQ(client_.call(wire::MemPoolTrimToRequest{{1, 1}, 0}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 3 * kMiB);
}

TEST_F(PoolAccounting, WhoIsShortOfMemoryGetsWhatPoolsOnlyKeep) {
  free(take(12 * kMiB));
  EXPECT_EQ(used(), 12 * kMiB);
  EXPECT_EQ(allocate(10 * kMiB), CUDA_SUCCESS);
  EXPECT_EQ(driver_.count("cuMemPoolTrimTo"), 1u);
  EXPECT_EQ(used(), 10 * kMiB);
  EXPECT_EQ(allocate(7 * kMiB), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(take(7 * kMiB), 0u);
  EXPECT_EQ(driver_.count("cuMemAllocFromPoolAsync"), 1u) << "the driver is not asked";
  EXPECT_NE(take(6 * kMiB), 0u) << "to the last byte";
}

TEST_F(PoolAccounting, PiecesOfTheDriverCount) {
  driver_.set_pool_grain(4 * kMiB);
  EXPECT_NE(take(100), 0u);
  EXPECT_EQ(used(), 4 * kMiB);
  EXPECT_EQ(allocate(10 * kMiB), CUDA_SUCCESS);
  EXPECT_NE(take(3 * kMiB), 0u) << "within the piece";
  // 2 MiB are left, and the driver would take 4.
  EXPECT_EQ(take(2 * kMiB), 0u);
  EXPECT_EQ(driver_.count("cuMemFreeAsync"), 1u);
  EXPECT_EQ(used(), 16 * kMiB) << "until the device has reached the free";
  EXPECT_EQ(allocate(2 * kMiB), CUDA_SUCCESS);
  EXPECT_EQ(used(), 16 * kMiB);
}

TEST_F(PoolAccounting, ADestroyedPoolLeavesWhatItGaveOut) {
  wire::MemPoolCreateRequest pool;
  pool.pool = {1, 1};
  pool.poolProps.value.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  EXPECT_EQ(client_.call(pool).result, CUDA_SUCCESS);
  const CUdeviceptr first = take(6 * kMiB), second = take(2 * kMiB);
  free(second);
  client_.send(wire::MemPoolDestroyRequest{{1, 1}}, false);
  EXPECT_EQ(used(), 6 * kMiB);
  free(first);
  EXPECT_EQ(used(), 0u);
}

TEST_F(PoolAccounting, VariablesOfModules) {
  EXPECT_EQ(load(".global .align 8 .b8 buffer[5000];\n.const .b32 table[10];", {1, 1}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 5040u);
  EXPECT_EQ(load(".global .b8 buffer[16777216];", {2, 1}), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver_.count("cuModuleLoadDataEx"), 1u) << "the driver is not asked";
  driver_.fail_next("cuModuleLoadDataEx", CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(load(".global .b8 buffer[100];", {2, 1}), CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(used(), 5040u);
  EXPECT_EQ(client_.call(wire::UnloadModuleRequest{{1, 1}, 0}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 0u);
}

TEST_F(PoolAccounting, HeapsCountFromWhenKernelsMayUseThem) {
  const std::string uses_heap = ".extern .func (.param .b64 r) malloc (.param .b64 n);";
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_MALLOC_HEAP_SIZE, 20 * kMiB}).result,
            CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(load(uses_heap, {1, 1}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 8 * kMiB);
  EXPECT_EQ(load(uses_heap, {2, 1}), CUDA_SUCCESS);
  EXPECT_EQ(used(), 8 * kMiB) << "one heap for all";
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_MALLOC_HEAP_SIZE, 12 * kMiB}).result,
            CUDA_SUCCESS);
  EXPECT_EQ(used(), 12 * kMiB);
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_PRINTF_FIFO_SIZE, 2 * kMiB}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 14 * kMiB);
  driver_.fail_next("cuCtxSetLimit", CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_PRINTF_FIFO_SIZE, kMiB}).result,
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(used(), 14 * kMiB);
  // 2 processors of 1024 threads.
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_STACK_SIZE, 1024}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 14 * kMiB);
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_STACK_SIZE, 1536}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 15 * kMiB);
  EXPECT_EQ(client_.call(wire::CtxSetLimitRequest{CU_LIMIT_STACK_SIZE, UINT64_MAX}).result,
            CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(PoolAccounting, AContextTakesItsMemoryAlong) {
  EXPECT_EQ(allocate(kMiB), CUDA_SUCCESS);
  EXPECT_EQ(load(".global .b8 buffer[100];", {1, 1}), CUDA_SUCCESS);
  EXPECT_NE(take(3 * kMiB), 0u);
  EXPECT_EQ(used(), 4 * kMiB + 100);
  EXPECT_EQ(client_.call(wire::PrimaryContextResetRequest{0}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(), 3 * kMiB) << "pools are the device's";
}

}  // namespace
}  // namespace outboard::server::testing
