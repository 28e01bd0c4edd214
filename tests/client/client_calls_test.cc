// What calls check by themselves, and what they put on the wire.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/host_function_thread.h"
#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_link_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

constexpr uint64_t kBase = 0x2000'0000'0000;

class Calls : public testing::Test {
 protected:
  Calls() { test_.make_current(); }

  // A module with one kernel (int, 8-byte pointer) of at most 512 threads.
  CUmodule module() {
    test_.server.on(wire::Opcode::kLoadModule, [](const SeenCommand&) {
      wire::LoadModuleReply reply;
      reply.enumerated = true;
      wire::FunctionDescription kernel;
      kernel.name = "kernel";
      kernel.layout_known = true;
      kernel.parameters = {{0, 4}, {8, 8}};
      kernel.attributes = {{CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 512},
                           {CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 64},
                           {CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 49088}};
      reply.functions.push_back(kernel);
      return answer_with(reply);
    });
    CUmodule module = nullptr;
    EXPECT_EQ(calls::cuModuleLoadData(client_, &module, ".version 9.0\n"), CUDA_SUCCESS);
    return module;
  }
  CUfunction kernel() {
    CUfunction function = nullptr;
    EXPECT_EQ(calls::cuModuleGetFunction(client_, &function, module(), "kernel"), CUDA_SUCCESS);
    return function;
  }
  CUresult launch(CUfunction function, unsigned grid, unsigned block, unsigned shared = 0,
                  void** parameters = nullptr, void** extra = nullptr, CUstream stream = nullptr) {
    return calls::cuLaunchKernel(client_, function, grid, 1, 1, block, 1, 1, shared, stream, parameters,
                                 extra);
  }

  ClientTest test_;
  Client& client_ = test_.client;
};

TEST_F(Calls, NothingWithoutAContext) {
  ASSERT_EQ(calls::cuCtxSetCurrent(client_, nullptr), CUDA_SUCCESS);
  CUdeviceptr pointer = 0;
  CUstream stream = nullptr;
  CUmodule module = nullptr;
  EXPECT_EQ(calls::cuMemAlloc_v2(client_, &pointer, 16), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuStreamCreate(client_, &stream, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuModuleLoadData(client_, &module, ".version 9.0\n"), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuCtxSynchronize(client_), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuCtxPopCurrent_v2(client_, nullptr), CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(Calls, TheContextStackIsAStack) {
  CUcontext primary = nullptr;
  CUcontext made = nullptr;
  ASSERT_EQ(calls::cuCtxGetCurrent(client_, &primary), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuCtxCreate_v2(client_, &made, 0, 0), CUDA_SUCCESS);
  CUcontext current = nullptr;
  EXPECT_EQ(calls::cuCtxGetCurrent(client_, &current), CUDA_SUCCESS);
  EXPECT_EQ(current, made);
  EXPECT_EQ(calls::cuCtxDestroy_v2(client_, made), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuCtxGetCurrent(client_, &current), CUDA_SUCCESS);
  EXPECT_EQ(current, primary);
  EXPECT_EQ(calls::cuCtxDestroy_v2(client_, made), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuCtxSetCurrent(client_, made), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuCtxDestroy_v2(client_, primary), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(calls::cuCtxSetCurrent(client_, reinterpret_cast<CUcontext>(0x1234)), CUDA_ERROR_INVALID_CONTEXT);
}

TEST_F(Calls, ADestroyedContextTakesItsObjectsWithIt) {
  CUcontext made = nullptr;
  ASSERT_EQ(calls::cuCtxCreate_v2(client_, &made, 0, 0), CUDA_SUCCESS);
  CUstream stream = nullptr;
  ASSERT_EQ(calls::cuStreamCreate(client_, &stream, 0), CUDA_SUCCESS);
  const CUdeviceptr pointer = test_.memory(kBase, 64);
  ASSERT_EQ(calls::cuCtxDestroy_v2(client_, made), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, stream), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuMemFree_v2(client_, pointer), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, PrimaryContextsCountTheirUsers) {
  CUcontext context = nullptr;
  ASSERT_EQ(calls::cuDevicePrimaryCtxRetain(client_, &context, 0), CUDA_SUCCESS);
  unsigned flags = 0;
  int active = 0;
  EXPECT_EQ(calls::cuDevicePrimaryCtxRelease_v2(client_, 0), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuDevicePrimaryCtxGetState(client_, 0, &flags, &active), CUDA_SUCCESS);
  EXPECT_EQ(active, 1);
  EXPECT_EQ(calls::cuDevicePrimaryCtxRelease_v2(client_, 0), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuDevicePrimaryCtxGetState(client_, 0, &flags, &active), CUDA_SUCCESS);
  EXPECT_EQ(active, 0);
  EXPECT_EQ(calls::cuDevicePrimaryCtxRelease_v2(client_, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kPrimaryContextRetain).size(), 1u);
}

TEST_F(Calls, LaunchesPackTheirParameters) {
  int number = 0x11223344;
  uint64_t pointer = 0x5566778899AABBCC;
  void* parameters[] = {&number, &pointer};
  ASSERT_EQ(launch(kernel(), 3, 64, 128, parameters), CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(wire::Opcode::kLaunchKernel, 1);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].wants_reply);
  EXPECT_EQ(seen[0].context.index, 1u);
  const auto request = seen[0].as<wire::LaunchKernelRequest>();
  EXPECT_EQ(request.grid_x, 3u);
  EXPECT_EQ(request.block_x, 64u);
  EXPECT_EQ(request.shared_bytes, 128u);
  ASSERT_EQ(request.parameters.size(), 16u);
  EXPECT_EQ(std::memcmp(request.parameters.data(), &number, 4), 0);
  EXPECT_EQ(std::memcmp(request.parameters.data() + 8, &pointer, 8), 0);
}

TEST_F(Calls, LaunchesTakeAPackedBufferToo) {
  uint64_t buffer[2] = {1, 2};
  size_t size = sizeof buffer;
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                   CU_LAUNCH_PARAM_END};
  const CUfunction function = kernel();
  ASSERT_EQ(launch(function, 1, 1, 0, nullptr, extra), CUDA_SUCCESS);
  const auto request = test_.server.commands_of(wire::Opcode::kLaunchKernel, 1)[0];
  EXPECT_EQ(request.as<wire::LaunchKernelRequest>().parameters.size(), sizeof buffer);
  void* both[] = {buffer, buffer};
  EXPECT_EQ(launch(function, 1, 1, 0, both, extra), CUDA_ERROR_INVALID_VALUE);
  void* unknown[] = {reinterpret_cast<void*>(9), buffer, CU_LAUNCH_PARAM_END};
  EXPECT_EQ(launch(function, 1, 1, 0, nullptr, unknown), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, ImpossibleLaunchesAreRefusedAtOnce) {
  const CUfunction function = kernel();
  int number = 0;
  uint64_t pointer = 0;
  void* parameters[] = {&number, &pointer};
  EXPECT_EQ(launch(nullptr, 1, 1, 0, parameters), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(launch(function, 0, 1, 0, parameters), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 0, 0, parameters), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 1025, 0, parameters), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 513, 0, parameters), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  EXPECT_EQ(launch(function, 0x80000000u, 1, 0, parameters), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuLaunchKernel(client_, function, 1, 65536, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuLaunchKernel(client_, function, 1, 1, 1, 1, 1, 65, 0, nullptr, parameters, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 1, 49089, parameters), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 1, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
  void* hole[] = {&number, nullptr};
  EXPECT_EQ(launch(function, 1, 1, 0, hole), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(function, 1, 1, 0, parameters, nullptr, reinterpret_cast<CUstream>(0x77)),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_TRUE(test_.server.commands_of(wire::Opcode::kLaunchKernel).empty());
  // More dynamic shared memory may be asked for first.
  EXPECT_EQ(
      calls::cuFuncSetAttribute(client_, function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000),
      CUDA_SUCCESS);
  EXPECT_EQ(launch(function, 1, 1, 49089, parameters), CUDA_SUCCESS);
  EXPECT_EQ(
      calls::cuFuncSetAttribute(client_, function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232448),
      CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuFuncSetAttribute(client_, function, CU_FUNC_ATTRIBUTE_NUM_REGS, 1),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, ACooperativeLaunchIsJudgedAtOnce) {
  test_.server.on(wire::Opcode::kLaunchKernel, [](const SeenCommand& seen) {
    EXPECT_TRUE(seen.wants_reply);
    EXPECT_TRUE(seen.as<wire::LaunchKernelRequest>().cooperative);
    return Answer{CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, {}, {}};
  });
  int number = 0;
  uint64_t pointer = 0;
  void* parameters[] = {&number, &pointer};
  EXPECT_EQ(
      calls::cuLaunchCooperativeKernel(client_, kernel(), 1000000, 1, 1, 64, 1, 1, 0, nullptr, parameters),
      CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
}

TEST_F(Calls, FunctionsAreKnownWithTheLoad) {
  const CUmodule loaded = module();
  CUfunction function = nullptr;
  EXPECT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, "nothing"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuModuleGetFunction(client_, &function, nullptr, "kernel"), CUDA_ERROR_INVALID_HANDLE);
  ASSERT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, "kernel"), CUDA_SUCCESS);
  CUfunction again = nullptr;
  ASSERT_EQ(calls::cuModuleGetFunction(client_, &again, loaded, "kernel"), CUDA_SUCCESS);
  EXPECT_EQ(function, again);
  int threads = 0;
  EXPECT_EQ(calls::cuFuncGetAttribute(client_, &threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function),
            CUDA_SUCCESS);
  EXPECT_EQ(threads, 512);
  size_t offset = 0;
  size_t size = 0;
  EXPECT_EQ(calls::cuFuncGetParamInfo(client_, function, 1, &offset, &size), CUDA_SUCCESS);
  EXPECT_EQ(offset, 8u);
  EXPECT_EQ(calls::cuFuncGetParamInfo(client_, function, 2, &offset, &size), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kBindFunction, 1).size(), 1u);
  EXPECT_TRUE(test_.server.commands_of(wire::Opcode::kFunctionGetAttribute).empty());
  ASSERT_EQ(calls::cuModuleUnload(client_, loaded), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuModuleUnload(client_, loaded), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuFuncGetAttribute(client_, &threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function),
            CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(Calls, DriversThatCannotListFunctionsAreAskedByName) {
  test_.server.on(wire::Opcode::kLoadModule,
                  [](const SeenCommand&) { return answer_with(wire::LoadModuleReply{}); });
  test_.server.on(wire::Opcode::kGetFunction, [](const SeenCommand& seen) {
    if (seen.as<wire::GetFunctionRequest>().name != "kernel") return Answer{CUDA_ERROR_NOT_FOUND, {}, {}};
    wire::GetFunctionReply reply;
    reply.description.layout_known = true;
    reply.description.parameters = {{0, 4}};
    return answer_with(reply);
  });
  CUmodule loaded = nullptr;
  ASSERT_EQ(calls::cuModuleLoadData(client_, &loaded, ".version 9.0\n"), CUDA_SUCCESS);
  CUfunction function = nullptr;
  EXPECT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, "other"), CUDA_ERROR_NOT_FOUND);
  ASSERT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, "kernel"), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuModuleGetFunction(client_, &function, loaded, "kernel"), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kGetFunction).size(), 2u);
  int number = 1;
  void* parameters[] = {&number};
  EXPECT_EQ(launch(function, 1, 1, 0, parameters), CUDA_SUCCESS);
}

TEST_F(Calls, JitLogsReachTheCallersBuffers) {
  test_.server.on(wire::Opcode::kLoadModule, [](const SeenCommand& seen) {
    const auto request = seen.as<wire::LoadModuleRequest>();
    EXPECT_EQ(request.error_log_bytes, 16u);
    EXPECT_EQ(request.info_log_bytes, 0u);
    EXPECT_EQ(request.jit_options.size(), 1u);
    wire::LoadModuleReply reply;
    reply.error_log = "line 3, column 7: no such instruction";
    Answer answer = answer_with(reply);
    answer.result = CUDA_ERROR_INVALID_PTX;
    return answer;
  });
  char log[16] = "untouched";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                            CU_JIT_OPTIMIZATION_LEVEL};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log), reinterpret_cast<void*>(2)};
  CUmodule loaded = nullptr;
  EXPECT_EQ(calls::cuModuleLoadDataEx(client_, &loaded, ".version 9.0\n", 3, options, values),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_STREQ(log, "line 3, column ");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values[1]), 15u);
  EXPECT_EQ(calls::cuModuleLoadDataEx(client_, &loaded, ".version 9.0\n", 1, nullptr, values),
            CUDA_ERROR_INVALID_VALUE);
}

// Adding a part writes back how much of the logs it filled; the next call has all of their room again.
TEST_F(Calls, ALinksLogsHaveTheirRoomInEveryCall) {
  test_.server.on(wire::Opcode::kLinkAddData,
                  [](const SeenCommand&) { return answer_with(wire::LinkAddDataReply()); });
  test_.server.on(wire::Opcode::kLinkComplete, [](const SeenCommand&) {
    wire::LinkCompleteReply reply;
    reply.error_log = "undefined: sin";
    Answer answer = answer_with(reply);
    answer.result = CUDA_ERROR_INVALID_PTX;
    return answer;
  });
  char log[16] = "untouched";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER};
  void* values[] = {reinterpret_cast<void*>(sizeof log), log};
  CUlinkState link = nullptr;
  ASSERT_EQ(calls::cuLinkCreate_v2(client_, 2, options, values, &link), CUDA_SUCCESS);
  char text[] = ".version 9.0";
  EXPECT_EQ(
      calls::cuLinkAddData_v2(client_, link, CU_JIT_INPUT_PTX, text, sizeof text, "", 0, nullptr, nullptr),
      CUDA_SUCCESS);
  EXPECT_STREQ(log, "");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values[0]), 0u);
  void* image = nullptr;
  size_t bytes = 0;
  EXPECT_EQ(calls::cuLinkComplete(client_, link, &image, &bytes), CUDA_ERROR_INVALID_PTX);
  EXPECT_STREQ(log, "undefined: sin");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values[0]), 14u);
  EXPECT_EQ(calls::cuLinkDestroy(client_, link), CUDA_SUCCESS);
}

TEST_F(Calls, BadImagesAreRefusedAtOnce) {
  CUmodule loaded = nullptr;
  EXPECT_EQ(calls::cuModuleLoadData(client_, &loaded, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuModuleLoadData(client_, &loaded, "no image"), CUDA_ERROR_INVALID_IMAGE);
  EXPECT_EQ(calls::cuModuleLoad(client_, &loaded, "/nonexistent/file.ptx"), CUDA_ERROR_FILE_NOT_FOUND);
  EXPECT_TRUE(test_.server.commands_of(wire::Opcode::kLoadModule).empty());
}

TEST_F(Calls, CopiesTakeTheirDirectionFromTheAddresses) {
  const CUdeviceptr device = test_.memory(kBase, 64);
  char host[64] = "outboard";
  char other[64] = "";
  const auto address = [](void* p) { return reinterpret_cast<CUdeviceptr>(p); };
  ASSERT_EQ(calls::cuMemcpy(client_, device, address(host), 64, CU_STREAM_LEGACY), CUDA_SUCCESS);
  const auto up = test_.server.commands_of(wire::Opcode::kMemcpyHtoD, 1);
  ASSERT_EQ(up.size(), 1u);
  EXPECT_FALSE(up[0].wants_reply);
  EXPECT_EQ(std::memcmp(up[0].bulk.data(), host, 64), 0);
  test_.server.on(wire::Opcode::kMemcpyDtoH, [](const SeenCommand& seen) {
    const auto size = seen.as<wire::MemcpyDtoHRequest>().size_bytes;
    return Answer{CUDA_SUCCESS, {}, std::vector<std::byte>(size, std::byte{'x'})};
  });
  ASSERT_EQ(calls::cuMemcpy(client_, address(other), device + 60, 4, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_STREQ(other, "xxxx");
  ASSERT_EQ(calls::cuMemcpy(client_, device, device + 32, 32, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kMemcpyDtoD, 1).size(), 1u);
  ASSERT_EQ(calls::cuMemcpy(client_, address(other), address(host), 64, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_STREQ(other, "outboard");
}

TEST_F(Calls, BadRangesAreRefusedAtOnce) {
  const CUdeviceptr device = test_.memory(kBase, 64);
  char host[128] = {};
  EXPECT_EQ(calls::cuMemcpyHtoD_v2(client_, device, host, 65, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemcpyHtoD_v2(client_, device + 1, host, 64, CU_STREAM_LEGACY),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemcpyHtoD_v2(client_, device, nullptr, 4, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemcpyHtoD_v2(client_, 0, host, 4, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemcpyDtoH_v2(client_, host, device, 65, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemsetD8_v2(client_, device, 0, 65, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemsetD32_v2(client_, device + 2, 0, 1, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemsetD32_v2(client_, device, 0, ~size_t{0} / 2, CU_STREAM_LEGACY),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemFree_v2(client_, device + 8), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemFree_v2(client_, device), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuMemFree_v2(client_, device), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemFree_v2(client_, 0), CUDA_SUCCESS);
}

TEST_F(Calls, AnAddressThatOnlyTheServerKnowsIsJudgedByIt) {
  test_.server.on(wire::Opcode::kMemcpyHtoD, [](const SeenCommand& seen) {
    EXPECT_TRUE(seen.wants_reply);
    return Answer{CUDA_ERROR_INVALID_VALUE, {}, {}};
  });
  int value = 0;
  EXPECT_EQ(calls::cuMemcpyHtoD_v2(client_, 0xDEAD0000, &value, 4, CU_STREAM_LEGACY),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, LargeCopiesTravelInChunks) {
  constexpr size_t kBytes = 2 * limits::kBulkChunkBytes + 1000;
  const CUdeviceptr device = test_.memory(kBase, kBytes);
  std::vector<std::byte> host(kBytes);
  for (size_t i = 0; i < kBytes; ++i) host[i] = static_cast<std::byte>(i * 7 + i / 4096);
  std::vector<std::byte> on_server(kBytes);
  test_.server.on(wire::Opcode::kMemcpyHtoD, [&](const SeenCommand& seen) {
    std::memcpy(&on_server[seen.as<wire::MemcpyHtoDRequest>().destination - kBase], seen.bulk.data(),
                seen.bulk.size());
    return Answer{};
  });
  test_.server.on(wire::Opcode::kMemcpyDtoH, [&](const SeenCommand& seen) {
    const auto request = seen.as<wire::MemcpyDtoHRequest>();
    const auto* from = &on_server[request.source - kBase];
    return Answer{CUDA_SUCCESS, {}, {from, from + request.size_bytes}};
  });
  ASSERT_EQ(calls::cuMemcpyHtoD_v2(client_, device, host.data(), kBytes, CU_STREAM_LEGACY), CUDA_SUCCESS);
  std::vector<std::byte> back(kBytes);
  ASSERT_EQ(calls::cuMemcpyDtoH_v2(client_, back.data(), device, kBytes, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kMemcpyHtoD).size(), 3u);
  EXPECT_TRUE(back == host);
}

TEST_F(Calls, RectanglesArePackedRowByRow) {
  const CUdeviceptr device = test_.memory(kBase, 4096);
  char host[4][8] = {"abcdefg", "ABCDEFG", "hijklmn", "HIJKLMN"};
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = host;
  copy.srcPitch = 8;
  copy.srcXInBytes = 1;
  copy.srcY = 1;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = device;
  copy.dstPitch = 512;
  copy.WidthInBytes = 3;
  copy.Height = 2;
  ASSERT_EQ(calls::cuMemcpy2D_v2(client_, &copy, CU_STREAM_LEGACY), CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(wire::Opcode::kCopyRegionFromHost, 1)[0];
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(seen.bulk.data()), seen.bulk.size()), "BCDijk");
  const auto request = seen.as<wire::CopyRegionFromHostRequest>();
  EXPECT_EQ(request.destination.address, device);
  EXPECT_EQ(request.destination.pitch_bytes, 512u);
  EXPECT_EQ(request.height, 2u);

  std::swap(copy.srcMemoryType, copy.dstMemoryType);
  copy.srcDevice = device;
  copy.srcPitch = 512;
  copy.srcXInBytes = copy.srcY = 0;
  copy.dstHost = host;
  copy.dstPitch = 8;
  copy.dstXInBytes = 2;
  test_.server.on(wire::Opcode::kCopyRegionToHost, [](const SeenCommand&) {
    std::vector<std::byte> bulk(6);
    std::memcpy(bulk.data(), "123456", 6);
    return Answer{CUDA_SUCCESS, {}, bulk};
  });
  ASSERT_EQ(calls::cuMemcpy2D_v2(client_, &copy, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_STREQ(host[0], "ab123fg");
  EXPECT_STREQ(host[1], "AB456FG");
  copy.dstPitch = 4;
  EXPECT_EQ(calls::cuMemcpy2D_v2(client_, &copy, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, PointersAreKnown) {
  const CUdeviceptr device = test_.memory(kBase, 4096);
  unsigned type = 0;
  ASSERT_EQ(calls::cuPointerGetAttribute(client_, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, device + 100),
            CUDA_SUCCESS);
  EXPECT_EQ(type, unsigned{CU_MEMORYTYPE_DEVICE});
  void* pinned = nullptr;
  ASSERT_EQ(calls::cuMemHostAlloc(client_, &pinned, 100, 0), CUDA_SUCCESS);
  const auto host = reinterpret_cast<CUdeviceptr>(pinned);
  ASSERT_EQ(calls::cuPointerGetAttribute(client_, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, host),
            CUDA_SUCCESS);
  EXPECT_EQ(type, unsigned{CU_MEMORYTYPE_HOST});
  EXPECT_EQ(calls::cuPointerGetAttribute(client_, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 0x1000),
            CUDA_ERROR_INVALID_VALUE);
  int ordinal = 7;
  CUpointer_attribute ids[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
  void* data[] = {&type, &ordinal};
  EXPECT_EQ(calls::cuPointerGetAttributes(client_, 2, ids, data, 0x1000), CUDA_SUCCESS);
  EXPECT_EQ(type, 0u);
  EXPECT_EQ(ordinal, static_cast<int>(CU_DEVICE_INVALID));
  EXPECT_EQ(calls::cuPointerGetAttributes(client_, 2, ids, data, device), CUDA_SUCCESS);
  EXPECT_EQ(ordinal, 0);
  EXPECT_EQ(calls::cuMemFreeHost(client_, static_cast<char*>(pinned) + 8), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuMemFreeHost(client_, pinned), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuMemFreeHost(client_, pinned), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(Calls, HostFunctionsRunHereWhenTheStreamGetsThere) {
  static std::atomic<int> ran{0};
  ran = 0;
  int amount = 5;
  ASSERT_EQ(
      calls::cuLaunchHostFunc(
          client_, nullptr,
          [](void* data) { ran += on_host_function_thread() ? *static_cast<int*>(data) : 1000; }, &amount),
      CUDA_SUCCESS);
  const auto launched = test_.server.commands_of(wire::Opcode::kLaunchHostFunction, 1);
  ASSERT_EQ(launched.size(), 1u);
  const uint64_t number = launched[0].as<wire::LaunchHostFunctionRequest>().callback;
  EXPECT_EQ(ran, 0);
  wire::Envelope envelope;
  envelope.kind = wire::Notice{wire::Notice::Kind::kHostFunction, {}, number + 1000};  // unknown: ignored
  test_.server.send(envelope);
  envelope.kind = wire::Notice{wire::Notice::Kind::kHostFunction, {}, number};
  test_.server.send(envelope);
  const auto done = test_.server.commands_of(wire::Opcode::kHostFunctionDone, 1);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].as<wire::HostFunctionDoneRequest>().callback, number);
  EXPECT_EQ(ran, 5);
  EXPECT_FALSE(on_host_function_thread());
  EXPECT_EQ(calls::cuLaunchHostFunc(client_, nullptr, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::client
