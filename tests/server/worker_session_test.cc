// A worker's session against a scripted client and a driver that does as it is told.
#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "protocol/wire/messages_primary_context_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "tests/server/scripted_client.h"

namespace outboard::server::testing {
namespace {

using wire::Handle;

template <typename Reply>
Reply decode(const Answer& answer) {
  wire::Reader reader(answer.body);
  Reply reply;
  EXPECT_TRUE(Reply::decode(reader, reply));
  return reply;
}

SessionConfig with_lease(uint64_t memory_bytes) {
  SessionConfig config;
  config.hello.requested.memory_bytes = memory_bytes;
  return config;
}

std::vector<std::byte> ptx() {
  const auto text = std::as_bytes(std::span(".version 8.0\n", 14));  // with its zero
  return {text.begin(), text.end()};
}

wire::MemcpyDtoHRequest copy_from_device(uint64_t size_bytes) {
  wire::MemcpyDtoHRequest request;
  request.source = 1;
  request.size_bytes = size_bytes;
  return request;
}

wire::LoadModuleRequest load_module(uint32_t error_log_bytes) {
  wire::LoadModuleRequest request;
  request.module = {1, 1};
  request.error_log_bytes = error_log_bytes;
  return request;
}

TEST(WorkerSession, WelcomesWithTheDevices) {
  FakeDriver driver;
  SessionConfig config;
  config.session_id = 77;
  config.server_name = "lab";
  ScriptedClient client(driver.api(), config);
  EXPECT_EQ(client.welcome().session_id, 77u);
  EXPECT_EQ(client.welcome().server_name, "lab");
  EXPECT_EQ(client.welcome().driver_version, 13000);
  ASSERT_EQ(client.welcome().devices.size(), 1u);
  EXPECT_EQ(client.welcome().devices[0].name, "Fake device");
  EXPECT_EQ(client.welcome().devices[0].total_memory_bytes, 1u << 30);
  EXPECT_EQ(client.welcome().devices[0].attributes,
            (std::vector<wire::AttributeValue>{{CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                                               {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 2},
                                               {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 1024}}));
  const SessionEnd end = client.leave();
  EXPECT_TRUE(end.orderly) << end.reason;
  EXPECT_EQ(driver.count("cuDevicePrimaryCtxRetain"), 0u) << "a welcome must not create contexts";
}

TEST(WorkerSession, AQueryEndsAfterTheWelcome) {
  FakeDriver driver;
  SessionConfig config;
  config.hello.purpose = wire::SessionPurpose::kQuery;
  ScriptedClient client(driver.api(), config);
  EXPECT_TRUE(client.join().orderly);
}

TEST(WorkerSession, MakesTheCommandsContextCurrentOnce) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.call(wire::MemAllocRequest{.size_bytes = 256});
    EXPECT_EQ(answer.result, CUDA_SUCCESS);
    EXPECT_GE(decode<wire::MemAllocReply>(answer).address, 0x7000'0000'0000u);
  }
  EXPECT_EQ(driver.context_of_last_alloc(), reinterpret_cast<CUcontext>(0x111));
  EXPECT_EQ(driver.count("cuCtxSetCurrent"), 1u);
  EXPECT_EQ(driver.count("cuDevicePrimaryCtxRetain"), 1u);
  client.context = {};
  client.call(wire::MemAllocRequest{.size_bytes = 256});
  EXPECT_EQ(driver.context_of_last_alloc(), nullptr);
  client.context = {99, 1};
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 256}).result, CUDA_ERROR_INVALID_CONTEXT);
}

TEST(WorkerSession, FailuresOfUnansweredCommandsComeWithTheNextReplyOnce) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  driver.fail_next("cuMemFree", CUDA_ERROR_ILLEGAL_ADDRESS);
  client.send(wire::MemFreeRequest{.address = 2}, false);
  driver.fail_next("cuStreamCreate", CUDA_ERROR_OUT_OF_MEMORY);
  client.send(wire::StreamCreateRequest{.phStream = {1, 1}, .Flags = 0}, false);
  const Answer first = client.call(wire::MemAllocRequest{.size_bytes = 1});
  EXPECT_EQ(first.result, CUDA_SUCCESS);
  EXPECT_EQ(first.deferred, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(first.deferred_opcode, wire::Opcode::kMemFree);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 1}).deferred, CUDA_SUCCESS);
  // The stream that could not be created does not exist.
  EXPECT_EQ(client.call(wire::StreamSynchronizeRequest{.hStream = {1, 1}}).result, CUDA_ERROR_INVALID_HANDLE);
}

TEST(WorkerSession, UnknownHandlesAreAnswersNotViolations) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  EXPECT_EQ(client.call(wire::StreamSynchronizeRequest{.hStream = {5, 1}}).result, CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(client.call(wire::GetGlobalRequest{.module = {5, 1}, .name = "x"}).result,
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 1}).result, CUDA_SUCCESS);
}

TEST(WorkerSession, AWaitDoesNotHoldUpWhatComesBehindIt) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  driver.close_gate();
  const uint64_t waiting = client.send(wire::StreamSynchronizeRequest{.hStream = {}}, true);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 1}).result, CUDA_SUCCESS);
  EXPECT_GE(client.acknowledged(), waiting) << "a wait that has begun is acknowledged";
  driver.open_gate();
  EXPECT_EQ(client.wait(waiting).result, CUDA_SUCCESS);
}

// The client has answered a wait itself: what comes later may rely on the stream's copies.
TEST(WorkerSession, AnOrderHoldsUpWhatComesBehindIt) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::MemcpyHtoDRequest{.destination = 1, .stream = {}, .asynchronous = true}, false,
              std::vector<std::byte>(8));
  client.send(wire::StreamOrderRequest{.stream = {}}, false);
  client.send(wire::StreamOrderRequest{.stream = {7, 1}}, false);
  const Answer answer = client.call(wire::MemAllocRequest{.size_bytes = 1});
  EXPECT_EQ(answer.result, CUDA_SUCCESS);
  EXPECT_EQ(answer.deferred, CUDA_ERROR_INVALID_HANDLE) << "of the stream that there is not";
  const auto calls = driver.calls();
  const auto at = [&](const char* call) {
    return std::find(calls.begin(), calls.end(), call) - calls.begin();
  };
  EXPECT_LT(at("cuMemcpyHtoDAsync 8"), at("cuStreamSynchronize"));
  EXPECT_LT(at("cuStreamSynchronize"), at("cuMemAlloc"));
}

TEST(WorkerSession, ManyWaitsAtOnceAreAllAnswered) {
  FakeDriver driver;
  SessionConfig config;
  config.max_waiters = 3;
  ScriptedClient client(driver.api(), config);
  driver.close_gate();
  std::vector<uint64_t> waits;
  for (int i = 0; i < 20; ++i)
    waits.push_back(client.send(wire::StreamSynchronizeRequest{.hStream = {}}, true));
  client.call(wire::MemAllocRequest{.size_bytes = 1});
  driver.open_gate();
  for (const uint64_t sequence : waits) EXPECT_EQ(client.wait(sequence).result, CUDA_SUCCESS);
}

TEST(WorkerSession, CopiesComeAsBulk) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  const std::vector<std::byte> data(1000, std::byte{7});
  client.send(wire::MemcpyHtoDRequest{.destination = 1, .stream = {}, .asynchronous = false}, false, data);
  const Answer answer = client.call(copy_from_device(5000));
  EXPECT_EQ(answer.deferred, CUDA_SUCCESS);
  EXPECT_EQ(answer.bulk, std::vector<std::byte>(5000, std::byte{0x5a}));
  EXPECT_EQ(driver.count("cuMemcpyHtoDAsync 1000"), 1u);
  driver.fail_next("cuMemcpyDtoHAsync", CUDA_ERROR_ILLEGAL_ADDRESS);
  const Answer failed = client.call(copy_from_device(5000));
  EXPECT_EQ(failed.result, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_TRUE(failed.bulk.empty()) << "memory of the server must not leak to a client";
}

TEST(WorkerSession, LaunchesWithPackedParameters) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  const auto image = ptx();
  ASSERT_EQ(client.call(load_module(0), image).result, CUDA_SUCCESS);
  client.send(wire::BindFunctionRequest{.module = {1, 1}, .name = "add", .function = {1, 1}}, false);
  const std::vector<std::byte> parameters(24, std::byte{9});
  wire::LaunchKernelRequest launch;
  launch.function = {1, 1};
  launch.grid_x = launch.grid_y = launch.grid_z = launch.block_x = launch.block_y = launch.block_z = 1;
  launch.parameters = parameters;
  client.send(launch, false);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 1}).deferred, CUDA_SUCCESS);
  EXPECT_EQ(driver.count("cuModuleGetFunction add"), 1u);
  EXPECT_EQ(driver.last_parameters(), parameters);
  EXPECT_EQ(client.leave().totals.launches, 1u);
}

TEST(WorkerSession, AFailedLoadStillTellsTheLog) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  driver.fail_next("cuModuleLoadDataEx", CUDA_ERROR_INVALID_PTX);
  const auto image = ptx();
  const Answer answer = client.call(load_module(4096), image);
  EXPECT_EQ(answer.result, CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(decode<wire::LoadModuleReply>(answer).error_log, "line 3: what is this?");
  const std::vector<std::byte> damaged(100, std::byte{1});
  EXPECT_EQ(client.call(load_module(0), damaged).result, CUDA_ERROR_INVALID_IMAGE);
  EXPECT_EQ(driver.count("cuModuleLoadDataEx"), 1u) << "a damaged image must not reach the driver";
}

TEST(WorkerSession, ALeaseLimitsAndIsWhatTheClientSees) {
  FakeDriver driver;
  ScriptedClient client(driver.api(), with_lease(1000));
  EXPECT_EQ(client.welcome().devices[0].total_memory_bytes, 1000u);
  const Answer first = client.call(wire::MemAllocRequest{.size_bytes = 600});
  EXPECT_EQ(first.result, CUDA_SUCCESS);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 401}).result, CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver.count("cuMemAlloc"), 1u);
  driver.fail_next("cuMemAlloc", CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 400}).result, CUDA_ERROR_OUT_OF_MEMORY);
  auto info = decode<wire::MemGetInfoReply>(client.call(wire::MemGetInfoRequest{}));
  EXPECT_EQ(info.total_bytes, 1000u);
  EXPECT_EQ(info.free_bytes, 400u) << "a failed allocation gives its reservation back";
  client.send(wire::MemFreeRequest{.address = decode<wire::MemAllocReply>(first).address}, false);
  info = decode<wire::MemGetInfoReply>(client.call(wire::MemGetInfoRequest{}));
  EXPECT_EQ(info.free_bytes, 1000u);
}

TEST(WorkerSession, HostFunctionsRunInTheClient) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::LaunchHostFunctionRequest{.stream = {}, .callback = 42}, false);
  client.call(wire::MemAllocRequest{.size_bytes = 1});
  std::thread driver_thread([&] { driver.run_host_function(); });
  const wire::Notice notice = client.wait_for_notice();
  EXPECT_EQ(notice.kind, wire::Notice::Kind::kHostFunction);
  EXPECT_EQ(notice.number, 42u);
  client.send(wire::HostFunctionDoneRequest{.callback = 42}, false);
  driver_thread.join();
}

// A driver may block in any call until the host function has run, and the client says so later in
// the same stream.
TEST(WorkerSession, ABlockedDriverDoesNotKeepTheClientFromFinishingItsHostFunction) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::LaunchHostFunctionRequest{.stream = {}, .callback = 42}, false);
  client.call(wire::MemAllocRequest{.size_bytes = 1});
  driver.close_gate();
  driver.block_copies();
  std::thread driver_thread([&] {
    driver.run_host_function();
    driver.open_gate();
  });
  client.wait_for_notice();
  const std::vector<std::byte> data(1000);
  client.send(wire::MemcpyHtoDRequest{.destination = 1, .stream = {}, .asynchronous = true}, false, data);
  driver.fail_next("cuMemFree", CUDA_ERROR_INVALID_VALUE);
  client.send(wire::MemFreeRequest{.address = 9}, false);
  client.send(wire::HostFunctionDoneRequest{.callback = 42}, false);
  const Answer answer = client.call(wire::MemAllocRequest{.size_bytes = 1});
  EXPECT_EQ(answer.deferred, CUDA_ERROR_INVALID_VALUE);
  driver_thread.join();
  const auto calls = driver.calls();
  const auto at = [&](const char* call) {
    return std::find(calls.begin(), calls.end(), call) - calls.begin();
  };
  EXPECT_LT(at("cuMemcpyHtoDAsync 1000"), at("cuMemFree")) << "order is kept";
}

TEST(WorkerSession, AHostFunctionMayTouchMirroredMemoryWhileTheDriverIsBlocked) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::LaunchHostFunctionRequest{.stream = {}, .callback = 42}, false);
  client.call(wire::MemAllocRequest{.size_bytes = 1});
  driver.let_other_streams_pass();
  driver.close_gate();
  std::thread driver_thread([&] { driver.run_host_function(); });
  client.wait_for_notice();
  // The backlog is stuck in this one until the host function has returned...
  const std::vector<std::byte> data(1000);
  client.send(wire::MemcpyHtoDRequest{.destination = 1, .stream = {}, .asynchronous = false}, false, data);
  // ...which needs this one.
  client.send(wire::MirrorWriteRequest{0x1000}, false, std::vector<std::byte>(10));
  EXPECT_EQ(client.call(wire::MirrorReadRequest{0x1000, 50}).bulk.size(), 50u);
  client.send(wire::HostFunctionDoneRequest{.callback = 42}, false);
  driver_thread.join();
  driver.open_gate();
  EXPECT_EQ(client.call(wire::MemAllocRequest{.size_bytes = 1}).result, CUDA_SUCCESS);
}

TEST(WorkerSession, AClientThatDiesReleasesTheDriverFromItsHostFunction) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::LaunchHostFunctionRequest{.stream = {}, .callback = 42}, false);
  client.call(wire::MemAllocRequest{.size_bytes = 1});
  std::thread driver_thread([&] { driver.run_host_function(); });
  client.wait_for_notice();
  EXPECT_FALSE(client.hang_up().orderly);
  driver_thread.join();
}

TEST(WorkerSession, WhatKernelsPrintComesBeforeTheWaitEnds) {
  FakeDriver driver;
  SessionConfig config;
  config.take_output = [] { return std::string("hello from thread 0\n"); };
  ScriptedClient client(driver.api(), config);
  client.call(wire::StreamSynchronizeRequest{.hStream = {}});
  ASSERT_EQ(client.notices().size(), 1u);
  EXPECT_EQ(client.notices()[0].kind, wire::Notice::Kind::kDeviceOutput);
  EXPECT_EQ(client.notices()[0].text, "hello from thread 0\n");
}

TEST(WorkerSession, WhatTheDriverSaysOfFailedKernelsComesBeforeTheWaitEnds) {
  FakeDriver driver;
  SessionConfig config;
  config.take_errors = [] { return std::string("a.cu:3: kernel: Assertion `x` failed.\n"); };
  ScriptedClient client(driver.api(), config);
  client.call(wire::StreamSynchronizeRequest{.hStream = {}});
  ASSERT_EQ(client.notices().size(), 1u);
  EXPECT_EQ(client.notices()[0].kind, wire::Notice::Kind::kDeviceErrors);
  EXPECT_EQ(client.notices()[0].text, "a.cu:3: kernel: Assertion `x` failed.\n");
}

// A client uses numbers again as soon as what they named is gone with something else.
TEST(WorkerSession, WhatComesAndGoesWithOthersLeavesNothing) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  for (uint32_t round = 1; round <= 300; ++round) {
    wire::LoadModuleRequest load = load_module(0);
    load.module = {1, round};
    ASSERT_EQ(client.call(load, ptx()).result, CUDA_SUCCESS);
    for (uint32_t function = 1; function <= 3; ++function)
      client.send(wire::BindFunctionRequest{load.module, 0, "f", {function, round}}, false);
    client.send(wire::StreamCreateRequest{.phStream = {1, round}}, false);
    if (round % 2 == 0) client.send(wire::UnloadModuleRequest{load.module, 0}, false);
    ASSERT_EQ(client.call(wire::PrimaryContextResetRequest{0}).result, CUDA_SUCCESS);
    ASSERT_EQ(client.session().totals().objects, 0u) << "round " << round;
  }
  EXPECT_EQ(driver.count("cuModuleUnload"), 150u);
  EXPECT_TRUE(client.leave().orderly);
}

TEST(WorkerSession, EndsAreToldApart) {
  FakeDriver driver;
  {
    ScriptedClient client(driver.api());
    const SessionEnd end = client.hang_up();
    EXPECT_FALSE(end.orderly);
    EXPECT_NE(end.reason.find("without a goodbye"), std::string::npos) << end.reason;
  }
  ScriptedClient client(driver.api());
  client.call(wire::MemAllocRequest{.size_bytes = 10});
  client.session().stop("The server is shutting down.");
  const auto goodbye = client.wait_for_goodbye();
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->kind, ErrorKind::kDisconnected);
  EXPECT_EQ(goodbye->message, "The server is shutting down.");
  const SessionEnd end = client.join();
  EXPECT_TRUE(end.orderly);
  EXPECT_EQ(end.totals.commands, 1u);
  EXPECT_EQ(end.totals.memory_bytes, 10u);
  EXPECT_GT(end.totals.bytes_received, 0u);
}

TEST(WorkerSession, AHeartbeatIsAnswered) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send_frame({.kind = wire::Heartbeat{.wants_answer = true}});
  client.session().stop("enough");
  EXPECT_TRUE(client.wait_for_goodbye());
}

}  // namespace
}  // namespace outboard::server::testing
