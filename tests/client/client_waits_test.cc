// Which waits ask the server, and which the client can answer itself.
#include <gtest/gtest.h>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

class Waits : public testing::Test {
 protected:
  Waits() {
    test_.make_current();
    EXPECT_EQ(calls::cuStreamCreate(client_, &stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    pointer_ = test_.memory(0x2000'0000'0000, 64);
    load_kernel();
    EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  }
  void load_kernel() {
    test_.server.on(wire::Opcode::kLoadModule, [](const SeenCommand&) {
      wire::LoadModuleReply reply;
      reply.enumerated = true;
      wire::FunctionDescription kernel;
      kernel.name = "kernel";
      kernel.layout_known = true;
      kernel.attributes = {{CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 512}};
      reply.functions.push_back(kernel);
      return answer_with(reply);
    });
    CUmodule module = nullptr;
    EXPECT_EQ(calls::cuModuleLoadData(client_, &module, ".version 9.0\n"), CUDA_SUCCESS);
    EXPECT_EQ(calls::cuModuleGetFunction(client_, &kernel_, module, "kernel"), CUDA_SUCCESS);
  }
  void launch(CUstream stream) {
    EXPECT_EQ(calls::cuLaunchKernel(client_, kernel_, 1, 1, 1, 32, 1, 1, 0, stream, nullptr, nullptr),
              CUDA_SUCCESS);
  }
  size_t asked() { return test_.server.commands_of(wire::Opcode::kStreamSynchronize).size(); }
  size_t ordered() { return test_.server.commands_of(wire::Opcode::kStreamOrder).size(); }
  void copy_in() {
    const char data[16] = {};
    EXPECT_EQ(calls::cuMemcpyHtoDAsync_v2(client_, pointer_, data, sizeof data, stream_), CUDA_SUCCESS);
  }
  CUstream stream_ = nullptr;
  CUdeviceptr pointer_ = 0;
  CUfunction kernel_ = nullptr;
  ClientTest test_;
  Client& client_ = test_.client;
};

TEST_F(Waits, AStreamThatIsKnownToBeIdleIsNotAskedFor) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuStreamQuery(client_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(asked(), 1u);
  EXPECT_TRUE(test_.server.commands_of(wire::Opcode::kStreamQuery).empty());
  EXPECT_EQ(ordered(), 0u);
}

TEST_F(Waits, CopiesToTheDeviceAreOrderedAndNotWaitedFor) {
  copy_in();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  const auto orders = test_.server.commands_of(wire::Opcode::kStreamOrder, 1);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_FALSE(orders[0].wants_reply);
  const auto copies = test_.server.commands_of(wire::Opcode::kMemcpyHtoD);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(orders[0].as<wire::StreamOrderRequest>().stream, copies[0].as<wire::MemcpyHtoDRequest>().stream);
  EXPECT_GT(orders[0].sequence, copies[0].sequence);
  EXPECT_EQ(asked(), 1u);
}

TEST_F(Waits, KernelsAreWaitedFor) {
  for (size_t i = 2; i < 5; ++i) {
    launch(stream_);
    copy_in();
    EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
    EXPECT_EQ(asked(), i);
  }
  EXPECT_EQ(ordered(), 0u);
}

TEST_F(Waits, KernelsOfOtherStreamsAreNot) {
  CUstream other = nullptr;
  ASSERT_EQ(calls::cuStreamCreate(client_, &other, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  launch(other);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(asked(), 1u);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(asked(), 2u);
  launch(nullptr);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(asked(), 3u);
}

TEST_F(Waits, DataFromTheDeviceSaysThatTheStreamIsIdle) {
  launch(stream_);
  test_.server.on(wire::Opcode::kMemcpyDtoH, [](const SeenCommand&) {
    return answer_with(wire::MemcpyDtoHReply{}, std::vector<std::byte>(16));
  });
  char data[16];
  EXPECT_EQ(calls::cuMemcpyDtoHAsync_v2(client_, data, pointer_, sizeof data, stream_), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(asked(), 1u);
}

TEST_F(Waits, ACaptureAnywhereSendsEveryWaitToTheServer) {
  ASSERT_EQ(calls::cuStreamBeginCapture_v2(client_, nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  test_.server.on(wire::Opcode::kStreamSynchronize,
                  [](const SeenCommand&) { return Answer{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, {}, {}}; });
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(asked(), 3u);
}

TEST_F(Waits, AWaitThatIsNotSentStillReportsWhatWentWrong) {
  test_.server.defer(CUDA_ERROR_ILLEGAL_ADDRESS, wire::Opcode::kLaunchKernel);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(calls::cuStreamSynchronize(client_, stream_), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(calls::cuStreamQuery(client_, stream_), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST_F(Waits, ContextsAreWaitedForOnceAsLongAsNothingIsAdded) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(calls::cuCtxSynchronize(client_), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kContextSynchronize).size(), 1u);
  launch(stream_);
  EXPECT_EQ(calls::cuCtxSynchronize(client_), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kContextSynchronize).size(), 2u);
}

}  // namespace
}  // namespace outboard::client
