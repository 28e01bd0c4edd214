#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "client-lib/state/process_life.h"
#include "client-lib/state/thread_state.h"

namespace outboard::client {
namespace {

// Runs `body` in a forked child and returns its exit status.
template <typename Function>
int in_child(Function body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ProcessLife, StartsFreshAndBecomesReady) {
  ProcessLife life;
  EXPECT_FALSE(life.ready());
  EXPECT_EQ(life.phase(), LifePhase::kFresh);
  life.set_ready();
  EXPECT_TRUE(life.ready());
  life.set_ending();
  EXPECT_FALSE(life.ready());
  EXPECT_EQ(life.phase(), LifePhase::kEnding);
}

TEST(ProcessLife, AChildOfAnInitialisedParentKnowsIt) {
  ProcessLife life;
  life.set_ready();
  EXPECT_EQ(in_child([&] { return static_cast<int>(life.phase()); }), static_cast<int>(LifePhase::kForked));
  EXPECT_TRUE(life.ready());
}

TEST(ProcessLife, AForkBeforeInitialisationIsHarmless) {
  ProcessLife life;
  EXPECT_EQ(in_child([&] {
              if (life.phase() != LifePhase::kFresh) return 1;
              life.set_ready();
              return life.ready() ? 0 : 2;
            }),
            0);
  EXPECT_EQ(life.phase(), LifePhase::kFresh);
}

TEST(ThreadStates, EveryThreadAndEveryOwnerHasItsOwn) {
  ThreadStates first(nullptr);
  ThreadStates second(nullptr);
  first.mine().contexts.push_back({1, 1});
  EXPECT_TRUE(second.mine().contexts.empty());
  EXPECT_EQ(first.mine().current().index, 1u);
  std::thread([&] { EXPECT_TRUE(first.mine().current().is_null()); }).join();
}

TEST(ThreadStates, AnEndingThreadIsReportedOnce) {
  int ended = 0;
  size_t depth = 0;
  ThreadStates states([&](ThreadState& state) {
    ++ended;
    depth = state.contexts.size();
  });
  std::thread([&] {
    states.mine().contexts.resize(3);
    (void)states.mine();
  }).join();
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(depth, 3u);
}

TEST(ThreadStates, AThreadMayOutliveTheOwner) {
  int ended = 0;
  auto states = std::make_unique<ThreadStates>([&](ThreadState&) { ++ended; });
  std::thread([&] {
    (void)states->mine();
    states.reset();
  }).join();
  EXPECT_EQ(ended, 0);
}

TEST(ThreadStates, ASuccessorAtTheSameAddressStartsEmpty) {
  auto states = std::make_unique<ThreadStates>(nullptr);
  states->mine().contexts.push_back({1, 1});
  for (int i = 0; i < 8; ++i) {
    states = std::make_unique<ThreadStates>(nullptr);
    EXPECT_TRUE(states->mine().contexts.empty());
    states->mine().contexts.push_back({1, 1});
  }
}

}  // namespace
}  // namespace outboard::client
