#include "protocol/abi/context_local_storage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace outboard::abi {
namespace {

void* at(uintptr_t value) { return reinterpret_cast<void*>(value); }

struct Call {
  void *context, *key, *value;
  friend bool operator==(const Call&, const Call&) = default;
};
std::vector<Call> g_calls;  // destructors are plain functions: the only place they can write to
void record(void* context, void* key, void* value) { g_calls.push_back({context, key, value}); }

class ContextLocalStorageTest : public testing::Test {
 protected:
  void SetUp() override { g_calls.clear(); }
  void* value_of(void* context, void* key) {
    void* value = at(0xdead);
    return storage_.get(context, key, &value) ? value : nullptr;
  }
  ContextLocalStorage storage_;
};

TEST_F(ContextLocalStorageTest, KeepsValuesByContextAndKey) {
  storage_.put(at(1), at(100), at(7), nullptr);
  storage_.put(at(2), at(100), at(8), nullptr);
  storage_.put(at(1), at(200), at(9), nullptr);
  EXPECT_EQ(value_of(at(1), at(100)), at(7));
  EXPECT_EQ(value_of(at(2), at(100)), at(8));
  EXPECT_EQ(value_of(at(1), at(200)), at(9));
  EXPECT_EQ(value_of(at(2), at(200)), nullptr);
}

TEST_F(ContextLocalStorageTest, LeavesTheOutputAloneWhenThereIsNothing) {
  void* value = at(0xdead);
  EXPECT_FALSE(storage_.get(at(1), at(100), &value));
  EXPECT_EQ(value, at(0xdead));
}

TEST_F(ContextLocalStorageTest, ANullValueIsAValue) {
  storage_.put(at(1), at(100), nullptr, nullptr);
  void* value = at(0xdead);
  EXPECT_TRUE(storage_.get(at(1), at(100), &value));
  EXPECT_EQ(value, nullptr);
}

TEST_F(ContextLocalStorageTest, ReplacingKeepsTheNewDestructorAndCallsNone) {
  storage_.put(at(1), at(100), at(7), nullptr);
  storage_.put(at(1), at(100), at(8), &record);
  EXPECT_TRUE(g_calls.empty());
  EXPECT_EQ(storage_.drop_context(at(1)), 1u);
  EXPECT_EQ(g_calls, (std::vector<Call>{{at(1), at(100), at(8)}}));
}

TEST_F(ContextLocalStorageTest, RemovingCallsNoDestructor) {
  storage_.put(at(1), at(100), at(7), &record);
  EXPECT_TRUE(storage_.remove(at(1), at(100)));
  EXPECT_FALSE(storage_.remove(at(1), at(100)));
  EXPECT_EQ(value_of(at(1), at(100)), nullptr);
  EXPECT_EQ(storage_.drop_context(at(1)), 0u);
  EXPECT_TRUE(g_calls.empty());
}

TEST_F(ContextLocalStorageTest, DroppingAContextLeavesTheOthers) {
  storage_.put(at(1), at(100), at(7), &record);
  storage_.put(at(2), at(100), at(8), &record);
  EXPECT_EQ(storage_.drop_context(at(1)), 1u);
  EXPECT_EQ(g_calls, (std::vector<Call>{{at(1), at(100), at(7)}}));
  EXPECT_EQ(value_of(at(1), at(100)), nullptr);
  EXPECT_EQ(value_of(at(2), at(100)), at(8));
  storage_.put(at(1), at(100), at(9), &record);  // the handle lives on after a reset
  EXPECT_EQ(value_of(at(1), at(100)), at(9));
}

ContextLocalStorage* g_reentered = nullptr;
void reenter(void* context, void* key, void*) { g_reentered->put(context, key, at(42), nullptr); }

TEST_F(ContextLocalStorageTest, ADestructorMayCallBack) {
  g_reentered = &storage_;
  storage_.put(at(1), at(100), at(7), &reenter);
  storage_.drop_context(at(1));
  EXPECT_EQ(value_of(at(1), at(100)), at(42));
}

// Contexts come and go while readers look one up: a reader sees its own value or nothing, never
// what belongs to another context, though nodes are reused all the time.
TEST_F(ContextLocalStorageTest, ReadersNeverSeeAnothersValue) {
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<uint64_t> found{0};
  storage_.put(at(1), at(100), at(1), nullptr);
  std::vector<std::thread> readers;
  for (uintptr_t context = 1; context <= 3; ++context) {
    readers.emplace_back([&, context] {
      while (!stop) {
        void* value = nullptr;
        if (!storage_.get(at(context), at(100), &value)) continue;
        found++;
        if (value != at(context)) wrong++;
      }
    });
  }
  for (uintptr_t round = 0; round < 20000; ++round) {
    const uintptr_t context = 2 + round % 200;
    storage_.put(at(context), at(100), at(context), nullptr);
    storage_.remove(at(context), at(100));
  }
  while (found == 0) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(value_of(at(1), at(100)), at(1));
}

}  // namespace
}  // namespace outboard::abi
