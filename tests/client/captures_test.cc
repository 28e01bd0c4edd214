// Which captures forbid which thread what, and what a program's functions are told.
#include "client-lib/state/captures.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "client-lib/session/host_functions.h"
#include "client-lib/state/graph_store.h"
#include "client-lib/state/memory_map.h"

namespace outboard::client {
namespace {

constexpr wire::Handle kStream{1, 1}, kOther{2, 1}, kContext{1, 1};

size_t forbidding_elsewhere(const Captures& captures, CUstreamCaptureMode mode) {
  size_t count = 0;
  std::thread([&] { count = captures.forbidding(mode).size(); }).join();
  return count;
}

TEST(Captures, TheModesDecideWhoIsForbidden) {
  Captures captures;
  EXPECT_FALSE(captures.any());
  EXPECT_TRUE(captures.forbidding(CU_STREAM_CAPTURE_MODE_GLOBAL).empty());
  const struct {
    CUstreamCaptureMode mode;
    size_t here_global, here_local, there_global, there_local;
  } rows[] = {{CU_STREAM_CAPTURE_MODE_GLOBAL, 1, 1, 1, 0},
              {CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, 1, 1, 0, 0},
              {CU_STREAM_CAPTURE_MODE_RELAXED, 0, 0, 0, 0}};
  for (const auto& row : rows) {
    captures.begin(kStream, kContext, row.mode, false);
    EXPECT_TRUE(captures.any());
    EXPECT_EQ(captures.forbidding(CU_STREAM_CAPTURE_MODE_GLOBAL).size(), row.here_global);
    EXPECT_EQ(captures.forbidding(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).size(), row.here_local);
    EXPECT_TRUE(captures.forbidding(CU_STREAM_CAPTURE_MODE_RELAXED).empty());
    EXPECT_EQ(forbidding_elsewhere(captures, CU_STREAM_CAPTURE_MODE_GLOBAL), row.there_global);
    EXPECT_EQ(forbidding_elsewhere(captures, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), row.there_local);
    EXPECT_EQ(forbidding_elsewhere(captures, CU_STREAM_CAPTURE_MODE_RELAXED), 0u);
    captures.end(kStream);
    EXPECT_FALSE(captures.any());
  }
}

TEST(Captures, OnlyARelaxedOneMayBeEndedElsewhere) {
  Captures captures;
  captures.begin(kStream, kContext, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, true);
  captures.begin(kOther, kContext, CU_STREAM_CAPTURE_MODE_RELAXED, false);
  EXPECT_TRUE(captures.may_end(kStream));
  EXPECT_TRUE(captures.into_graph(kStream));
  EXPECT_FALSE(captures.into_graph(kOther));
  std::thread([&] {
    EXPECT_FALSE(captures.may_end(kStream));
    EXPECT_TRUE(captures.may_end(kOther));
  }).join();
}

TEST(Captures, AStreamIsSureUntilSomethingWentWrong) {
  Captures captures;
  captures.begin(kStream, kContext, CU_STREAM_CAPTURE_MODE_RELAXED, false);
  EXPECT_TRUE(captures.sure(kStream));
  EXPECT_FALSE(captures.sure(kOther));
  captures.doubt();
  EXPECT_FALSE(captures.sure(kStream));
}

TEST(HostFunctions, ARepeatingOneRunsUntilItIsGone) {
  std::atomic<uint64_t> done{0};
  HostFunctions functions([&](uint64_t) { ++done; });
  std::atomic<uint64_t> runs{0};
  std::promise<uint64_t> gone;
  const uint64_t number = functions.add_repeating([&](uint64_t told) { runs += told; },
                                                  [&](uint64_t told) { gone.set_value(told); });
  EXPECT_TRUE(functions.pending());
  for (int i = 0; i < 3; ++i) functions.reached(number);
  functions.gone(number);
  functions.reached(number);  // too late: nobody is called
  EXPECT_EQ(gone.get_future().get(), number);
  EXPECT_EQ(runs, 3 * number);
  EXPECT_EQ(done, 3u);
}

TEST(HostFunctions, ADestructorIsNothingThatStreamsWaitFor) {
  std::atomic<uint64_t> done{0};
  HostFunctions functions([&](uint64_t) { ++done; });
  std::promise<void> destroyed;
  const uint64_t number = functions.add_repeating({}, [&](uint64_t) { destroyed.set_value(); });
  EXPECT_FALSE(functions.pending());
  functions.gone(number);
  destroyed.get_future().wait();
  EXPECT_EQ(done, 0u);
}

TEST(GraphStore, ANodesStorageServesTheNextNodeOfItsIndex) {
  GraphStore store;
  NodeStorage& first = store.storage(5);
  first.parameters.resize(10);
  EXPECT_EQ(&store.storage(5), &first);
  EXPECT_NE(&store.storage(6), &first);
  store.add_callback(3, {{nullptr, &first}, {}});
  ASSERT_TRUE(store.callback(3));
  EXPECT_EQ(store.callback(3)->host.userData, &first);
  store.remove_callback(3);
  EXPECT_FALSE(store.callback(3));
}

TEST(MemoryMap, WhatTheDriverSaysReplacesWhatWasBelieved) {
  MemoryMap map;
  for (uint64_t base : {0x1000, 0x2000, 0x4000}) {
    MemoryRange range;
    range.base = base;
    range.bytes = 0x1000;
    ASSERT_TRUE(map.insert(range));
  }
  MemoryRange wide;
  wide.base = 0x1800;
  wide.bytes = 0x1000;
  wide.kind = MemoryKind::kGraph;
  map.replace(wide);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.find(0x2000)->kind, MemoryKind::kGraph);
  EXPECT_FALSE(map.find(0x1000));
  EXPECT_TRUE(map.find(0x4000));
}

}  // namespace
}  // namespace outboard::client
