// Generated dispatch: from a command's bytes to the driver's function and back, and what it refuses.
#include <gtest/gtest.h>

#include <random>

#include "protocol/wire/messages_array_gen.h"
#include "protocol/wire/messages_event_gen.h"
#include "protocol/wire/messages_graph_gen.h"
#include "protocol/wire/messages_mempool_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "protocol/wire/messages_texture_gen.h"
#include "server/worker/dispatch_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::Handle;
using wire::HandleKind;

// What the driver's functions below saw; they have no user data.
struct Seen {
  int calls = 0;
  size_t nodes_there = 0;
  size_t dependencies = 0;
  uint64_t attribute = 0;
  void* pointer = nullptr;
  CUarray array = nullptr;
  CUdevice device = 0;
};
Seen seen;

template <typename T>
T native(uintptr_t value) {
  return reinterpret_cast<T>(value);
}

class GeneratedDispatch : public testing::Test {
 protected:
  GeneratedDispatch() { seen = {}; }

  template <typename Request>
  DispatchOutcome run(const Request& request, typename Request::Reply* reply = nullptr) {
    wire::Writer body;
    request.encode(body);
    CommandOutput out;
    DispatchOutcome outcome = run_bytes(Request::kOpcode, body.view(), out);
    if (reply != nullptr && out.body.size() != 0) {
      wire::Reader reader(out.body.view());
      EXPECT_TRUE(Request::Reply::decode(reader, *reply));
    }
    return outcome;
  }

  DispatchOutcome run_bytes(wire::Opcode opcode, std::span<const std::byte> bytes, CommandOutput& out) {
    wire::Reader reader(bytes);
    worker_.begin_command(opcode, ++sequence_);
    return dispatch(worker_, opcode, reader, {}, out);
  }

  void name(HandleKind kind, Handle handle, uintptr_t value) {
    ASSERT_TRUE(session_.objects.insert(kind, handle, value, {}));
  }

  DriverApi driver_;  // everything is not supported until a test says otherwise
  SessionState session_{driver_, 1, MemoryLedger::kUnlimited, Logger{}, [](uint64_t) {}, [](uint64_t) {}};
  Worker worker_{session_};
  uint64_t sequence_ = 0;
};

TEST_F(GeneratedDispatch, ACreatedObjectHasTheClientsHandle) {
  driver_.cuEventCreate = [](CUevent* event, unsigned) {
    return *event = native<CUevent>(0x51), CUDA_SUCCESS;
  };
  driver_.cuEventQuery = [](CUevent event) {
    return event == native<CUevent>(0x51) ? CUDA_ERROR_NOT_READY : CUDA_ERROR_UNKNOWN;
  };
  EXPECT_EQ(run(wire::EventCreateRequest{.phEvent = {7, 2}}).result, CUDA_SUCCESS);
  EXPECT_EQ(run(wire::EventQueryRequest{.hEvent = {7, 2}}).result, CUDA_ERROR_NOT_READY);
  EXPECT_EQ(run(wire::EventQueryRequest{.hEvent = {7, 1}}).result, CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GeneratedDispatch, WhatTheDriverRefusedToCreateIsUnknown) {
  EXPECT_EQ(run(wire::EventCreateRequest{.phEvent = {7, 2}}).result, CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(run(wire::EventQueryRequest{.hEvent = {7, 2}}).result, CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(session_.objects.count(), 0u);
}

TEST_F(GeneratedDispatch, CreatingUnderATakenHandleEndsTheSession) {
  driver_.cuEventCreate = [](CUevent* event, unsigned) {
    return *event = native<CUevent>(0x51), CUDA_SUCCESS;
  };
  EXPECT_TRUE(run(wire::EventCreateRequest{.phEvent = {7, 2}}).violation.empty());
  EXPECT_FALSE(run(wire::EventCreateRequest{.phEvent = {7, 3}}).violation.empty());
}

TEST_F(GeneratedDispatch, ADestroyNobodyWaitsForForgetsTheObjectInAnyCase) {
  name(HandleKind::kEvent, {7, 2}, 0x51);
  EXPECT_EQ(run(wire::EventDestroyV2Request{.hEvent = {7, 2}}).result, CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(session_.objects.count(), 0u);
}

TEST_F(GeneratedDispatch, ADestroyWithReplyForgetsOnSuccessOnly) {
  name(HandleKind::kGraphNode, {7, 2}, 0x51);
  EXPECT_EQ(run(wire::GraphDestroyNodeRequest{.hNode = {7, 2}}).result, CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(session_.objects.count(), 1u);
  driver_.cuGraphDestroyNode = [](CUgraphNode) { return CUDA_SUCCESS; };
  EXPECT_EQ(run(wire::GraphDestroyNodeRequest{.hNode = {7, 2}}).result, CUDA_SUCCESS);
  EXPECT_EQ(session_.objects.count(), 0u);
}

TEST_F(GeneratedDispatch, AWaitIsDeferredAndResolvesItsHandlesBefore) {
  name(HandleKind::kEvent, {7, 2}, 0x51);
  driver_.cuEventSynchronize = [](CUevent event) {
    return ++seen.calls, event == native<CUevent>(0x51) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
  };
  const DispatchOutcome outcome = run(wire::EventSynchronizeRequest{.hEvent = {7, 2}});
  ASSERT_TRUE(outcome.deferred);
  EXPECT_EQ(seen.calls, 0);
  session_.objects.erase(HandleKind::kEvent, {7, 2});  // by a later command of another thread
  CommandOutput out;
  EXPECT_EQ(outcome.deferred(out), CUDA_SUCCESS);
  EXPECT_FALSE(run(wire::EventSynchronizeRequest{.hEvent = {7, 2}}).deferred);
}

CUresult three_nodes(CUgraph, CUgraphNode* nodes, size_t* count) {
  seen.nodes_there = *count;
  const size_t room = nodes == nullptr ? 0 : *count;
  for (size_t i = 0; i < room; ++i) nodes[i] = i < 3 ? native<CUgraphNode>(0x100 + 16 * i) : nullptr;
  *count = nodes == nullptr ? 3 : std::min<size_t>(room, 3);
  return CUDA_SUCCESS;
}

TEST_F(GeneratedDispatch, ListsComeInTwoCalls) {
  name(HandleKind::kGraph, {1, 1}, 0x10);
  name(HandleKind::kGraphNode, {9, 9}, 0x110);  // the client made the second one itself
  driver_.cuGraphGetNodes = &three_nodes;
  wire::GraphGetNodesReply count;
  EXPECT_EQ(
      run(wire::GraphGetNodesRequest{.hGraph = {1, 1}, .wants_nodes = false, .numNodes = 77}, &count).result,
      CUDA_SUCCESS);
  EXPECT_EQ(count.numNodes, 3u);
  EXPECT_TRUE(count.nodes.empty());

  wire::GraphGetNodesReply list;
  EXPECT_EQ(
      run(wire::GraphGetNodesRequest{.hGraph = {1, 1}, .wants_nodes = true, .numNodes = 5}, &list).result,
      CUDA_SUCCESS);
  ASSERT_EQ(list.nodes.size(), 3u);
  EXPECT_GE(list.nodes[0].index, wire::kServerIndexBase);
  EXPECT_EQ(list.nodes[1], (Handle{9, 9}));

  wire::GraphGetNodesReply part;
  EXPECT_EQ(
      run(wire::GraphGetNodesRequest{.hGraph = {1, 1}, .wants_nodes = true, .numNodes = 2}, &part).result,
      CUDA_SUCCESS);
  EXPECT_EQ(part.nodes.size(), 2u);
}

TEST_F(GeneratedDispatch, ARoomOfAnySizeIsBounded) {
  name(HandleKind::kGraph, {1, 1}, 0x10);
  driver_.cuGraphGetNodes = &three_nodes;
  run(wire::GraphGetNodesRequest{.hGraph = {1, 1}, .wants_nodes = true, .numNodes = ~uint64_t{0}});
  EXPECT_EQ(seen.nodes_there, limits::kArrayElements);
}

TEST_F(GeneratedDispatch, AnArrayShorterThanItSaysEndsTheSession) {
  name(HandleKind::kGraph, {1, 1}, 0x10);
  name(HandleKind::kGraphNode, {2, 1}, 0x20);
  name(HandleKind::kGraphNode, {3, 1}, 0x30);
  driver_.cuGraphAddDependencies = [](CUgraph, const CUgraphNode*, const CUgraphNode*, size_t count) {
    return ++seen.calls, seen.dependencies = count, CUDA_SUCCESS;
  };
  wire::GraphAddDependenciesRequest request{
      .hGraph = {1, 1}, .from = {{2, 1}}, .to = {{3, 1}}, .numDependencies = 1000};
  EXPECT_FALSE(run(request).violation.empty());
  EXPECT_EQ(seen.calls, 0);
  request.numDependencies = 1;
  EXPECT_EQ(run(request).result, CUDA_SUCCESS);
  EXPECT_EQ(seen.dependencies, 1u);
}

TEST_F(GeneratedDispatch, AttributesHaveTheSizeOfTheirKind) {
  name(HandleKind::kMemoryPool, {1, 1}, 0x10);
  driver_.cuMemPoolSetAttribute = [](CUmemoryPool, CUmemPool_attribute, void* value) {
    return std::memcpy(&seen.attribute, value, 8), CUDA_SUCCESS;
  };
  const uint64_t threshold = 0x1122334455667788;
  wire::MemPoolSetAttributeRequest request{.pool = {1, 1},
                                           .attr = CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                                           .value = std::as_bytes(std::span(&threshold, 1))};
  EXPECT_EQ(run(request).result, CUDA_SUCCESS);
  EXPECT_EQ(seen.attribute, threshold);
  request.value = request.value.first(4);
  EXPECT_FALSE(run(request).violation.empty());
  request.attr = 999;
  EXPECT_EQ(run(request).result, CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GeneratedDispatch, PointersInStructsNeverReachTheDriver) {
  driver_.cuMemPoolCreate = [](CUmemoryPool* pool, const CUmemPoolProps* properties) {
    return seen.pointer = properties->win32SecurityAttributes, seen.device = properties->location.id,
           *pool = native<CUmemoryPool>(0x10), CUDA_SUCCESS;
  };
  wire::MemPoolCreateRequest request{.pool = {1, 1}, .poolProps = {}};
  request.poolProps.value.location = {CU_MEM_LOCATION_TYPE_DEVICE, 3};
  request.poolProps.value.win32SecurityAttributes = &request;
  EXPECT_EQ(run(request).result, CUDA_SUCCESS);
  EXPECT_EQ(seen.pointer, nullptr);
  EXPECT_EQ(seen.device, 3);
}

TEST_F(GeneratedDispatch, HandlesInUnionsAreThoseThatTheTypeNames) {
  name(HandleKind::kArray, {4, 1}, 0x44);
  driver_.cuSurfObjectCreate = [](CUsurfObject* object, const CUDA_RESOURCE_DESC* resource) {
    return seen.array = resource->res.array.hArray, *object = 0xABCDEF, CUDA_SUCCESS;
  };
  wire::SurfObjectCreateRequest request;
  request.pResDesc.value.resType = CU_RESOURCE_TYPE_ARRAY;
  request.pResDesc.res_array_hArray = {4, 1};
  wire::SurfObjectCreateReply reply;
  EXPECT_EQ(run(request, &reply).result, CUDA_SUCCESS);
  EXPECT_EQ(seen.array, native<CUarray>(0x44));
  EXPECT_EQ(reply.pSurfObject, 0xABCDEFu);  // the driver's own value: kernels use it
  request.pResDesc.res_array_hArray = {4, 2};
  EXPECT_EQ(run(request).result, CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GeneratedDispatch, SomeResultsComeWithTheFailure) {
  name(HandleKind::kGraphExec, {1, 1}, 0x10);
  name(HandleKind::kGraph, {2, 1}, 0x20);
  name(HandleKind::kGraphNode, {3, 1}, 0x30);
  driver_.cuGraphExecUpdate_v2 = [](CUgraphExec, CUgraph, CUgraphExecUpdateResultInfo* info) {
    info->result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    info->errorNode = native<CUgraphNode>(0x30);
    return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
  };
  wire::GraphExecUpdateV2Reply reply;
  const auto outcome = run(wire::GraphExecUpdateV2Request{.hGraphExec = {1, 1}, .hGraph = {2, 1}}, &reply);
  EXPECT_EQ(outcome.result, CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(reply.resultInfo.value.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
  EXPECT_EQ(reply.resultInfo.errorNode, (Handle{3, 1}));
  EXPECT_EQ(reply.resultInfo.value.errorNode, nullptr);
  EXPECT_TRUE(reply.resultInfo.errorFromNode.is_null());
}

TEST_F(GeneratedDispatch, NumbersThatAreNoOpcodeEndTheSession) {
  for (const uint16_t number : {uint16_t{0}, uint16_t(wire::kLastOpcode + 1), uint16_t{0xFFFF}}) {
    CommandOutput out;
    EXPECT_NE(run_bytes(static_cast<wire::Opcode>(number), {}, out).violation.find(std::to_string(number)),
              std::string::npos);
  }
}

// Hostile bodies: whatever they are, they end as a result or as a sentence.
TEST_F(GeneratedDispatch, RandomBodiesAreHarmless) {
  std::mt19937 random(20130);
  std::vector<std::byte> body;
  for (uint16_t number = 1; number <= wire::kLastOpcode; ++number) {
    for (int round = 0; round < 50; ++round) {
      body.resize(random() % 24);
      // Small numbers mostly, so that many bodies pass the decoder.
      for (std::byte& byte : body) byte = std::byte(random() % 4 == 0 ? random() : random() % 3);
      CommandOutput out;
      const DispatchOutcome outcome = run_bytes(static_cast<wire::Opcode>(number), body, out);
      EXPECT_TRUE(outcome.violation.empty() || outcome.violation.back() == '.') << outcome.violation;
    }
  }
}

}  // namespace
}  // namespace outboard::server
