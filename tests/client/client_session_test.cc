// How a client begins, ends and loses a session.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_context_gen.h"
#include "protocol/wire/messages_event_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

Client::Options failing(ErrorKind kind, int* attempts) {
  Client::Options options;
  options.connect = [kind, attempts]() -> Result<Connection> {
    ++*attempts;
    return fail(kind, "No.");
  };
  return options;
}

TEST(ClientInit, FailuresBecomeTheErrorThatFits) {
  const std::pair<ErrorKind, CUresult> cases[] = {
      {ErrorKind::kDisconnected, CUDA_ERROR_NO_DEVICE},
      {ErrorKind::kNotFound, CUDA_ERROR_NO_DEVICE},
      {ErrorKind::kUnsupported, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH},
      {ErrorKind::kOverloaded, CUDA_ERROR_SYSTEM_NOT_READY},
      {ErrorKind::kPermissionDenied, CUDA_ERROR_NOT_PERMITTED}};
  for (const auto& [kind, result] : cases) {
    int attempts = 0;
    Client client(failing(kind, &attempts));
    EXPECT_EQ(client.gate(), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(client.initialize(0), result);
    EXPECT_EQ(client.gate(), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(client.initialize(0), result);
    EXPECT_EQ(attempts, 2) << "cuInit must try again: a server may have come up";
  }
}

TEST(ClientInit, FlagsMustBeZero) {
  int attempts = 0;
  Client client(failing(ErrorKind::kDisconnected, &attempts));
  EXPECT_EQ(client.initialize(1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(attempts, 0);
}

TEST(ClientInit, TheVersionIsTheServersEvenBeforeInit) {
  ScriptedServer server;
  int connects = 0;
  Client::Options options;
  options.connect = [&] {
    ++connects;
    return server.connect();
  };
  Client client(std::move(options));
  EXPECT_EQ(client.driver_version(), 13000);
  EXPECT_EQ(client.gate(), CUDA_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(client.initialize(0), CUDA_SUCCESS);
  EXPECT_EQ(client.initialize(0), CUDA_SUCCESS);
  EXPECT_EQ(client.driver_version(), 13000);
  EXPECT_EQ(connects, 1);
}

TEST(ClientInit, AFailedQuestionForTheVersionAnswersTheNextInit) {
  int attempts = 0;
  Client client(failing(ErrorKind::kUnsupported, &attempts));
  EXPECT_EQ(client.driver_version(), CUDA_VERSION);
  EXPECT_EQ(client.driver_version(), CUDA_VERSION);
  EXPECT_EQ(client.initialize(0), CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(client.initialize(0), CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
  EXPECT_EQ(attempts, 2);
}

TEST(ClientInit, NoVisibleDeviceIsNoDevice) {
  ScriptedServer server(2);
  Client::Options options;
  options.connect = [&] { return server.connect(); };
  options.visible_devices = "";
  Client client(std::move(options));
  EXPECT_EQ(client.initialize(0), CUDA_ERROR_NO_DEVICE);
}

TEST(ClientInit, VisibleDevicesAreRenumbered) {
  ClientTest test(3, "2,0");
  int count = 0;
  EXPECT_EQ(calls::cuDeviceGetCount(test.client, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2);
  char name[64];
  EXPECT_EQ(calls::cuDeviceGetName(test.client, name, sizeof name, 0), CUDA_SUCCESS);
  EXPECT_STREQ(name, "Scripted device 2");
  EXPECT_EQ(calls::cuDeviceGetName(test.client, name, sizeof name, 2), CUDA_ERROR_INVALID_DEVICE);
  CUdevice device = -1;
  EXPECT_EQ(calls::cuDeviceGetByPCIBusId(test.client, &device, "00:00.0"), CUDA_SUCCESS);
  EXPECT_EQ(device, 1);
  EXPECT_EQ(calls::cuDeviceGetByPCIBusId(test.client, &device, "0000:01:00.0"), CUDA_ERROR_INVALID_VALUE);
  test.make_current();
  EXPECT_EQ(calls::cuCtxGetDevice(test.client, &device), CUDA_SUCCESS);
  EXPECT_EQ(device, 0);
  // On the wire it is the server's device 2, whose primary context has index 3.
  ASSERT_EQ(calls::cuCtxSynchronize(test.client), CUDA_SUCCESS);
  EXPECT_EQ(test.server.commands().back().as<wire::ContextSynchronizeRequest>().context.index, 3u);
}

TEST(ClientSession, ALostConnectionIsToldByEveryCall) {
  ClientTest test;
  test.make_current();
  test.server.hang_up();
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_DEVICE_UNAVAILABLE);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_DEVICE_UNAVAILABLE);
  CUevent event = nullptr;
  EXPECT_EQ(calls::cuEventCreate(test.client, &event, 0), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

TEST(ClientSession, ACallInFlightEndsWithTheConnection) {
  ClientTest test;
  test.make_current();
  test.server.on(wire::Opcode::kContextSynchronize, [&](const SeenCommand&) {
    test.server.hang_up();
    return Answer{};
  });
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

TEST(ClientSession, GarbageFromTheServerEndsTheSession) {
  ClientTest test;
  test.make_current();
  test.server.on(wire::Opcode::kContextSynchronize, [&](const SeenCommand&) {
    const std::vector<std::byte> garbage(64, std::byte{0xEE});
    test.server.send_raw(garbage);
    return Answer{};
  });
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

TEST(ClientSession, AReplyThatCannotBeReadEndsTheSession) {
  ClientTest test;
  test.make_current();
  test.server.on(wire::Opcode::kMemGetInfo, [](const SeenCommand&) {
    return Answer{CUDA_SUCCESS, std::vector<std::byte>(1, std::byte{0xFF}), {}};
  });
  size_t free = 0;
  size_t total = 0;
  EXPECT_EQ(calls::cuMemGetInfo_v2(test.client, &free, &total), CUDA_ERROR_DEVICE_UNAVAILABLE);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

TEST(ClientSession, AnEarlierErrorSurfacesAtTheNextCallThatWaits) {
  ClientTest test;
  test.make_current();
  test.server.defer(CUDA_ERROR_INVALID_VALUE, wire::Opcode::kLaunchKernel);
  // Asking for memory does not synchronise: it keeps its own result.
  size_t free = 0;
  size_t total = 0;
  EXPECT_EQ(calls::cuMemGetInfo_v2(test.client, &free, &total), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_SUCCESS) << "told once";
}

TEST(ClientSession, AStickyErrorIsRepeatedUntilTheReset) {
  ClientTest test;
  test.make_current();
  test.server.defer(CUDA_ERROR_ILLEGAL_ADDRESS, wire::Opcode::kLaunchKernel);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_ERROR_ILLEGAL_ADDRESS);
  CUevent event = nullptr;
  EXPECT_EQ(calls::cuEventCreate(test.client, &event, 0), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(calls::cuDevicePrimaryCtxReset_v2(test.client, 0), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_SUCCESS);
}

TEST(ClientSession, AForkedChildIsNotInitialised) {
  ClientTest test;
  test.make_current();
  const pid_t child = fork();
  if (child == 0) {
    const bool right = test.client.gate() == CUDA_ERROR_NOT_INITIALIZED &&
                       test.client.initialize(0) == CUDA_ERROR_NOT_INITIALIZED;
    _exit(right ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_SUCCESS);
}

TEST(ClientSession, TheEndOfTheProcessSaysGoodbyeAndClosesTheGate) {
  ClientTest test;
  test.make_current();
  test.server.acknowledge(false);
  CUevent first = nullptr;
  CUevent second = nullptr;
  ASSERT_EQ(calls::cuEventCreate(test.client, &first, 0), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuEventCreate(test.client, &second, 0), CUDA_SUCCESS);
  test.client.end_of_process();
  EXPECT_EQ(test.client.gate(), CUDA_ERROR_DEINITIALIZED);
  EXPECT_EQ(test.client.initialize(0), CUDA_ERROR_DEINITIALIZED);
  EXPECT_TRUE(test.server.saw_goodbye());
  EXPECT_EQ(test.server.commands_of(wire::Opcode::kEventCreate).size(), 2u) << "what had gathered was sent";
}

TEST(ClientSession, PerThreadStreamsAreMadeOnceAndEndWithTheirThread) {
  ClientTest test;
  test.make_current();
  CUcontext context = nullptr;
  ASSERT_EQ(calls::cuCtxGetCurrent(test.client, &context), CUDA_SUCCESS);
  std::thread([&] {
    ASSERT_EQ(calls::cuCtxSetCurrent(test.client, context), CUDA_SUCCESS);
    EXPECT_EQ(calls::cuStreamSynchronize(test.client, CU_STREAM_PER_THREAD), CUDA_SUCCESS);
    EXPECT_EQ(calls::cuStreamSynchronize(test.client, CU_STREAM_PER_THREAD), CUDA_SUCCESS);
  }).join();
  EXPECT_EQ(calls::cuStreamSynchronize(test.client, CU_STREAM_PER_THREAD), CUDA_SUCCESS);
  const auto created = test.server.commands_of(wire::Opcode::kStreamCreate);
  ASSERT_EQ(created.size(), 2u);
  const auto mine = created[0].as<wire::StreamCreateRequest>().phStream;
  EXPECT_FALSE(mine == created[1].as<wire::StreamCreateRequest>().phStream);
  EXPECT_EQ(created[0].as<wire::StreamCreateRequest>().Flags, unsigned{CU_STREAM_DEFAULT});
  const auto destroyed = test.server.commands_of(wire::Opcode::kStreamDestroyV2, 1);
  ASSERT_EQ(destroyed.size(), 1u);
  EXPECT_EQ(destroyed[0].as<wire::StreamDestroyV2Request>().hStream, mine);
  const auto waits = test.server.commands_of(wire::Opcode::kStreamSynchronize);
  EXPECT_EQ(waits[0].as<wire::StreamSynchronizeRequest>().hStream, mine);
}

TEST(ClientSession, AWaitingThreadDoesNotHoldUpOthers) {
  ClientTest test;
  test.make_current();
  CUcontext context = nullptr;
  ASSERT_EQ(calls::cuCtxGetCurrent(test.client, &context), CUDA_SUCCESS);
  for (int round = 0; round < 50; ++round) {
    std::thread waiter([&] {
      ASSERT_EQ(calls::cuCtxSetCurrent(test.client, context), CUDA_SUCCESS);
      EXPECT_EQ(calls::cuCtxSynchronize(test.client), CUDA_SUCCESS);
    });
    CUevent event = nullptr;
    EXPECT_EQ(calls::cuEventCreate(test.client, &event, 0), CUDA_SUCCESS);
    EXPECT_EQ(calls::cuEventDestroy_v2(test.client, event), CUDA_SUCCESS);
    waiter.join();
  }
}

}  // namespace
}  // namespace outboard::client
