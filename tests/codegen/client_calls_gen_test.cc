// Generated calls of the client: what they check by themselves, what they send, what they store.
#include <gtest/gtest.h>

#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_event_gen.h"
#include "protocol/wire/messages_graph_gen.h"
#include "protocol/wire/messages_mempool_gen.h"
#include "protocol/wire/messages_peer_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "protocol/wire/messages_tensormap_gen.h"
#include "protocol/wire/messages_texture_gen.h"
#include "protocol/wire/messages_vmm_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

using wire::Opcode;

class GeneratedCalls : public testing::Test {
 protected:
  explicit GeneratedCalls(int devices = 1, std::optional<std::string> visible = std::nullopt)
      : test_(devices, std::move(visible)) {
    test_.make_current();
  }

  CUgraph graph() {
    CUgraph graph = nullptr;
    EXPECT_EQ(calls::cuGraphCreate(client_, &graph, 0), CUDA_SUCCESS);
    return graph;
  }
  // A node as the server named it.
  static wire::Handle node_handle(uint32_t number) { return {wire::kServerIndexBase + number, 1}; }
  static CUgraphNode node(uint32_t number) {
    return reinterpret_cast<CUgraphNode>(handle_value(wire::HandleKind::kGraphNode, node_handle(number)));
  }
  size_t sent(Opcode opcode) { return test_.server.commands_of(opcode).size(); }

  ClientTest test_;
  Client& client_ = test_.client;
};

TEST_F(GeneratedCalls, CreatingDoesNotWaitAndNamesTheObject) {
  CUevent event = nullptr;
  ASSERT_EQ(calls::cuEventCreate(client_, &event, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
  ASSERT_NE(event, nullptr);
  const SeenCommand seen = test_.server.commands_of(Opcode::kEventCreate, 1).at(0);
  EXPECT_FALSE(seen.wants_reply);
  EXPECT_EQ(seen.as<wire::EventCreateRequest>().Flags, unsigned{CU_EVENT_DISABLE_TIMING});
}

TEST_F(GeneratedCalls, ChecksComeBeforeTheWire) {
  CUevent event = nullptr;
  EXPECT_EQ(calls::cuEventCreate(client_, &event, 0x100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuEventCreate(client_, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuEventQuery(client_, nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuEventQuery(client_, reinterpret_cast<CUevent>(0x1234)), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuStreamDestroy_v2(client_, nullptr), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuStreamDestroy_v2(client_, CU_STREAM_LEGACY), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(sent(Opcode::kEventCreate) + sent(Opcode::kEventQuery) + sent(Opcode::kStreamDestroyV2), 0u);
}

TEST_F(GeneratedCalls, ADestroyedHandleIsDead) {
  CUevent event = nullptr;
  ASSERT_EQ(calls::cuEventCreate(client_, &event, 0), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuEventQuery(client_, event), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuEventDestroy_v2(client_, event), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuEventQuery(client_, event), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(calls::cuEventDestroy_v2(client_, event), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(GeneratedCalls, WhatTheServerRefusedToCreateHasNoHandle) {
  test_.server.on(Opcode::kGraphClone,
                  [](const SeenCommand&) { return Answer{CUDA_ERROR_OUT_OF_MEMORY, {}, {}}; });
  const CUgraph original = graph();
  CUgraph clone = original;
  EXPECT_EQ(calls::cuGraphClone(client_, &clone, original), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(clone, original);  // untouched
  const wire::Handle refused =
      test_.server.commands_of(Opcode::kGraphClone, 1).at(0).as<wire::GraphCloneRequest>().phGraphClone;
  EXPECT_FALSE(client_.handles().alive(wire::HandleKind::kGraph, refused));
}

TEST_F(GeneratedCalls, SpecialStreamsTravelAsThemselves) {
  CUevent event = nullptr;
  ASSERT_EQ(calls::cuEventCreate(client_, &event, 0), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuEventRecord(client_, event, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuEventRecord(client_, event, CU_STREAM_LEGACY), CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(Opcode::kEventRecord, 2);
  EXPECT_EQ(seen.at(0).as<wire::EventRecordRequest>().hStream, (wire::Handle{0, 0}));
  EXPECT_EQ(seen.at(1).as<wire::EventRecordRequest>().hStream, (wire::Handle{0, 1}));
}

TEST_F(GeneratedCalls, ArraysOfHandles) {
  const CUgraph g = graph();
  const CUgraphNode from[] = {node(1), node(2)};
  const CUgraphNode to[] = {node(3), node(3)};
  EXPECT_EQ(calls::cuGraphAddDependencies(client_, g, from, to, 2), CUDA_SUCCESS);
  const auto request = test_.server.commands_of(Opcode::kGraphAddDependencies, 1)
                           .at(0)
                           .as<wire::GraphAddDependenciesRequest>();
  EXPECT_EQ(request.from, (std::vector<wire::Handle>{node_handle(1), node_handle(2)}));
  EXPECT_EQ(request.to, (std::vector<wire::Handle>{node_handle(3), node_handle(3)}));

  const CUgraphNode dead = reinterpret_cast<CUgraphNode>(0x77);
  EXPECT_EQ(calls::cuGraphAddDependencies(client_, g, from, &dead, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(calls::cuGraphAddDependencies(client_, g, nullptr, nullptr, 2), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GeneratedCalls, ListsComeInTwoCallsAndTheRestOfTheRoomIsNull) {
  const CUgraph g = graph();
  test_.server.on(Opcode::kGraphGetNodes, [&](const SeenCommand& command) {
    wire::GraphGetNodesReply reply;
    reply.numNodes = 2;
    if (command.as<wire::GraphGetNodesRequest>().wants_nodes) reply.nodes = {node_handle(4), node_handle(5)};
    return answer_with(reply);
  });
  size_t count = 99;
  ASSERT_EQ(calls::cuGraphGetNodes(client_, g, nullptr, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2u);
  CUgraphNode nodes[4];
  std::memset(nodes, 0xEE, sizeof nodes);
  count = 4;
  ASSERT_EQ(calls::cuGraphGetNodes(client_, g, nodes, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(nodes[0], node(4));
  EXPECT_EQ(nodes[3], nullptr);
  // What the server named can be used like what we made.
  CUgraphNodeType type{};
  EXPECT_EQ(calls::cuGraphNodeGetType(client_, nodes[1], &type), CUDA_SUCCESS);
  EXPECT_EQ(
      test_.server.commands_of(Opcode::kGraphNodeGetType, 1).at(0).as<wire::GraphNodeGetTypeRequest>().node,
      node_handle(5));
}

TEST_F(GeneratedCalls, AttributesHaveTheSizeOfTheirKind) {
  CUmemoryPool pool = nullptr;
  CUmemPoolProps properties{};
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  ASSERT_EQ(calls::cuMemPoolCreate(client_, &pool, &properties), CUDA_SUCCESS);
  uint64_t threshold = 1u << 20;
  ASSERT_EQ(calls::cuMemPoolSetAttribute(client_, pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold),
            CUDA_SUCCESS);
  int reuse = 1;
  ASSERT_EQ(calls::cuMemPoolSetAttribute(client_, pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &reuse),
            CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(Opcode::kMemPoolSetAttribute, 2);
  EXPECT_EQ(seen.at(0).as<wire::MemPoolSetAttributeRequest>().value.size(), 8u);
  EXPECT_EQ(seen.at(1).as<wire::MemPoolSetAttributeRequest>().value.size(), 4u);
  EXPECT_EQ(calls::cuMemPoolSetAttribute(client_, pool, static_cast<CUmemPool_attribute>(77), &reuse),
            CUDA_ERROR_INVALID_VALUE);

  test_.server.on(Opcode::kMemPoolGetAttribute, [](const SeenCommand&) {
    wire::MemPoolGetAttributeReply reply;
    reply.value.resize(8, std::byte{0x11});
    return answer_with(reply);
  });
  uint64_t used = 0;
  EXPECT_EQ(calls::cuMemPoolGetAttribute(client_, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used),
            CUDA_SUCCESS);
  EXPECT_EQ(used, 0x1111111111111111u);
  // A server that answers with another size must not make us write beyond the application's variable.
  int narrow[2] = {5, 5};
  EXPECT_NE(calls::cuMemPoolGetAttribute(client_, pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, narrow),
            CUDA_SUCCESS);
  EXPECT_EQ(narrow[1], 5);
}

TEST_F(GeneratedCalls, PointersThatCannotTravelAreRefused) {
  CUmemoryPool pool = nullptr;
  CUmemPoolProps properties{};
  properties.win32SecurityAttributes = &properties;
  EXPECT_EQ(calls::cuMemPoolCreate(client_, &pool, &properties), CUDA_ERROR_NOT_SUPPORTED);
}

TEST_F(GeneratedCalls, OptionalStructsMayBeNull) {
  CUarray array = nullptr;
  CUDA_ARRAY_DESCRIPTOR shape{4, 4, CU_AD_FORMAT_FLOAT, 1};
  ASSERT_EQ(calls::cuArrayCreate_v2(client_, &array, &shape), CUDA_SUCCESS);
  CUDA_RESOURCE_DESC resource{};
  resource.resType = CU_RESOURCE_TYPE_ARRAY;
  resource.res.array.hArray = array;
  CUDA_TEXTURE_DESC texture{};
  CUtexObject object = 0;
  test_.server.on(Opcode::kTexObjectCreate, [](const SeenCommand&) {
    wire::TexObjectCreateReply reply;
    reply.pTexObject = 0x123456789A;
    return answer_with(reply);
  });
  ASSERT_EQ(calls::cuTexObjectCreate(client_, &object, &resource, &texture, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(object, 0x123456789Au);
  const auto command = test_.server.commands_of(Opcode::kTexObjectCreate, 1).at(0);
  const auto request = command.as<wire::TexObjectCreateRequest>();
  EXPECT_TRUE(request.has_pTexDesc);
  EXPECT_FALSE(request.has_pResViewDesc);
  EXPECT_FALSE(request.pResDesc.res_array_hArray.is_null());
  EXPECT_EQ(request.pResDesc.value.res.array.hArray, nullptr);
}

TEST_F(GeneratedCalls, ResultsThatComeWithAFailure) {
  CUgraphExec exec = nullptr;
  const CUgraph g = graph();
  ASSERT_EQ(calls::cuGraphInstantiateWithFlags(client_, &exec, g, 0), CUDA_SUCCESS);
  test_.server.on(Opcode::kGraphExecUpdateV2, [](const SeenCommand&) {
    wire::GraphExecUpdateV2Reply reply;
    reply.resultInfo.value.result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    Answer answer = answer_with(reply);
    answer.result = CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    return answer;
  });
  CUgraphExecUpdateResultInfo info{};
  EXPECT_EQ(calls::cuGraphExecUpdate_v2(client_, exec, g, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}

TEST_F(GeneratedCalls, ArraysShorterThanTheirCount) {
  const cuuint64_t sizes[3] = {64, 32, 16};
  const cuuint64_t strides[2] = {256, 8192};
  const cuuint32_t box[3] = {8, 8, 1};
  const cuuint32_t steps[3] = {1, 1, 1};
  CUtensorMap map;
  ASSERT_EQ(calls::cuTensorMapEncodeTiled(client_, &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 3,
                                          reinterpret_cast<void*>(0x7000), sizes, strides, box, steps,
                                          CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
                                          CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
            CUDA_SUCCESS);
  const auto command = test_.server.commands_of(Opcode::kTensorMapEncodeTiled, 1).at(0);
  const auto request = command.as<wire::TensorMapEncodeTiledRequest>();
  EXPECT_EQ(request.globalDim.size(), 3u);
  EXPECT_EQ(request.globalStrides.size(), 2u);
  EXPECT_EQ(request.globalAddress, 0x7000u);
}

// The application numbers devices as CUDA_VISIBLE_DEVICES says; the server has its own numbers.
class GeneratedCallsOnOtherDevices : public GeneratedCalls {
 protected:
  GeneratedCallsOnOtherDevices() : GeneratedCalls(3, "2,0") {}
};

TEST_F(GeneratedCallsOnOtherDevices, DeviceNumbersAreTranslated) {
  int can = 0;
  ASSERT_EQ(calls::cuDeviceCanAccessPeer(client_, &can, 0, 1), CUDA_SUCCESS);
  const auto request =
      test_.server.commands_of(Opcode::kDeviceCanAccessPeer, 1).at(0).as<wire::DeviceCanAccessPeerRequest>();
  EXPECT_EQ(request.dev, 2);
  EXPECT_EQ(request.peerDev, 0);
  EXPECT_EQ(calls::cuDeviceCanAccessPeer(client_, &can, 0, 2), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(GeneratedCallsOnOtherDevices, AlsoInsideStructs) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  size_t granularity = 0;
  ASSERT_EQ(calls::cuMemGetAllocationGranularity(client_, &granularity, &properties,
                                                 CU_MEM_ALLOC_GRANULARITY_MINIMUM),
            CUDA_SUCCESS);
  CUmemAccessDesc access[2] = {{{CU_MEM_LOCATION_TYPE_DEVICE, 1}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE},
                               {{CU_MEM_LOCATION_TYPE_HOST, 1}, CU_MEM_ACCESS_FLAGS_PROT_READ}};
  ASSERT_EQ(calls::cuMemSetAccess(client_, 0x1000, 4096, access, 2), CUDA_SUCCESS);
  const auto asked = test_.server.commands_of(Opcode::kMemGetAllocationGranularity, 1).at(0);
  EXPECT_EQ(asked.as<wire::MemGetAllocationGranularityRequest>().prop.value.location.id, 2);
  const auto set = test_.server.commands_of(Opcode::kMemSetAccess, 1).at(0).as<wire::MemSetAccessRequest>();
  ASSERT_EQ(set.desc.size(), 2u);
  EXPECT_EQ(set.desc[0].value.location.id, 0);  // device 1 of the application
  EXPECT_EQ(set.desc[1].value.location.id, 1);  // a host: not a device number
}

}  // namespace
}  // namespace outboard::client
