// The ledger against a plain model of it, with calls and contexts that end at any point, and threads that
// race. OUTBOARD_LEDGER_STEPS=10000000 is the long run.
#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "server/quota/memory_ledger.h"

namespace outboard::server {
namespace {

constexpr uint64_t kLimit = 1 << 18;
constexpr uint32_t kDevices = 3;
constexpr uint64_t kOwners = 5;

uint64_t steps() {
  const char* text = std::getenv("OUTBOARD_LEDGER_STEPS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 300'000;
}

// What is alive, by key, and what is promised to calls under way.
class Model {
 public:
  struct Entry {
    uint32_t device = 0;
    uint64_t bytes = 0;
    uint64_t owner = 0;
  };
  struct Pending {
    MemoryLedger::Reservation reservation;
    uint32_t device = 0;
    uint64_t bytes = 0;
  };

  void step(MemoryLedger& ledger, std::mt19937_64& random) {
    const auto device = static_cast<uint32_t>(random() % kDevices);
    const uint64_t bytes = random() % 20'000;
    switch (random() % 16) {
      case 0:
      case 1:
      case 2:
      case 3: begin(ledger, device, bytes); break;
      case 4:
      case 5: commit(random); break;
      case 6: settle(random, bytes); break;
      case 7: abandon(random); break;
      case 8: measure(ledger, random, device, bytes % 3 == 0 ? 0 : bytes); break;
      case 9: end_owner(ledger, 1 + random() % kOwners, random); break;
      case 10: rename(ledger, random); break;
      case 11: crash(ledger, random); break;
      default: release(ledger, random); break;
    }
  }

  void compare(const MemoryLedger& ledger) const {
    for (uint32_t device = 0; device < kDevices; ++device) {
      const MemoryAccount account = ledger.account(device);
      ASSERT_EQ(account.committed_bytes, committed_[device]);
      ASSERT_EQ(account.reserved_bytes, promised_[device]);
    }
    ASSERT_EQ(ledger.allocations(), entries_.size());
  }
  uint64_t refused() const { return refused_; }

 private:
  static AllocationKey key_of(uint64_t id) { return {AllocationKind::kDeviceMemory, id}; }

  void put(uint64_t id, const Entry& entry) {
    drop(id);
    entries_[id] = entry;
    committed_[entry.device] += entry.bytes;
  }
  void drop(uint64_t id) {
    const auto it = entries_.find(id);
    if (it == entries_.end()) return;
    committed_[it->second.device] -= it->second.bytes;
    entries_.erase(it);
  }

  void begin(MemoryLedger& ledger, uint32_t device, uint64_t bytes) {
    auto reservation = ledger.reserve(device, bytes);
    const uint64_t used = committed_[device] + promised_[device];
    ASSERT_EQ(reservation.has_value(), used < kLimit ? bytes <= kLimit - used : bytes == 0);
    if (!reservation) {
      ++refused_;
      return;
    }
    promised_[device] += bytes;
    pending_.push_back({std::move(*reservation), device, bytes});
    if (pending_.size() > 64) abandon_last();
  }
  Pending take(std::mt19937_64& random) {
    std::swap(pending_[random() % pending_.size()], pending_.back());
    Pending taken = std::move(pending_.back());
    pending_.pop_back();
    promised_[taken.device] -= taken.bytes;
    return taken;
  }
  void commit(std::mt19937_64& random) {
    if (pending_.empty()) return;
    Pending taken = take(random);
    const uint64_t id = random() % 4096, owner = random() % (kOwners + 1);
    taken.reservation.commit(key_of(id), owner);
    put(id, {taken.device, taken.bytes, owner});
  }
  void settle(std::mt19937_64& random, uint64_t bytes) {
    if (pending_.empty()) return;
    Pending taken = take(random);
    const uint64_t id = random() % 4096;
    const bool within = taken.reservation.settle(key_of(id), bytes);
    put(id, {taken.device, bytes, 0});
    ASSERT_EQ(within, committed_[taken.device] <= kLimit);
  }
  void abandon_last() {
    promised_[pending_.back().device] -= pending_.back().bytes;
    pending_.pop_back();
  }
  void abandon(std::mt19937_64& random) {
    if (!pending_.empty()) (void)take(random);
  }
  void measure(MemoryLedger& ledger, std::mt19937_64& random, uint32_t device, uint64_t bytes) {
    const uint64_t id = 5000 + random() % 16;
    const bool within = ledger.measure(key_of(id), device, bytes);
    if (bytes == 0)
      drop(id);
    else
      put(id, {device, bytes, 0});
    if (bytes != 0) {
      ASSERT_EQ(within, committed_[device] <= kLimit);
    }
  }
  void end_owner(MemoryLedger& ledger, uint64_t owner, std::mt19937_64& random) {
    if (random() % 64 != 0) return;
    ledger.release_owned(owner);
    std::erase_if(entries_, [&](const auto& entry) {
      if (entry.second.owner != owner) return false;
      committed_[entry.second.device] -= entry.second.bytes;
      return true;
    });
  }
  void rename(MemoryLedger& ledger, std::mt19937_64& random) {
    const uint64_t from = random() % 4096, to = 1'000'000 + next_name_++;
    ledger.rename(key_of(from), key_of(to));
    const auto it = entries_.find(from);
    if (it == entries_.end()) return;
    const Entry entry = it->second;
    entries_.erase(it);
    entries_[to] = entry;
  }
  // Every call under way ends without a word.
  void crash(MemoryLedger&, std::mt19937_64& random) {
    if (random() % 256 != 0) return;
    while (!pending_.empty()) abandon_last();
  }
  void release(MemoryLedger& ledger, std::mt19937_64& random) {
    if (entries_.empty()) return;
    auto it = entries_.lower_bound(random() % 4096);
    if (it == entries_.end()) it = entries_.begin();
    const uint64_t id = it->first, bytes = it->second.bytes;
    drop(id);
    ASSERT_EQ(ledger.release(key_of(id)), bytes);
    ASSERT_EQ(ledger.release(key_of(id)), std::nullopt);
  }

  std::map<uint64_t, Entry> entries_;
  std::vector<Pending> pending_;
  uint64_t committed_[kDevices] = {};
  uint64_t promised_[kDevices] = {};
  uint64_t refused_ = 0;
  uint64_t next_name_ = 0;
};

TEST(MemoryLedgerProperty, NothingDriftsWhateverEndsWherever) {
  MemoryLedger ledger({kLimit, kLimit, kLimit});
  Model model;
  std::mt19937_64 random(20261124);
  const uint64_t count = steps();
  for (uint64_t i = 0; i < count && !::testing::Test::HasFatalFailure(); ++i) {
    model.step(ledger, random);
    model.compare(ledger);
  }
  EXPECT_GT(model.refused(), count / 1000);
}

// As many as fit must get their bytes, in every round, and nobody beyond.
TEST(MemoryLedgerProperty, SixtyFourRaceForTheLastBytes) {
  constexpr uint64_t kBytes = 137;
  constexpr size_t kThreads = 64, kRounds = 200;
  for (const uint64_t places : {uint64_t{1}, uint64_t{63}, uint64_t{64}}) {
    MemoryLedger ledger({1000 + places * kBytes});
    ledger.reserve(0, 1000)->commit({AllocationKind::kArray, 1});
    std::vector<size_t> granted(kRounds);
    std::mutex mutex;
    std::barrier gate(kThreads);
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (size_t round = 0; round < kRounds; ++round) {
          gate.arrive_and_wait();
          auto reservation = ledger.reserve(0, kBytes);
          const AllocationKey key{AllocationKind::kDeviceMemory, thread};
          if (reservation) {
            reservation->commit(key);
            std::lock_guard lock(mutex);
            ++granted[round];
          }
          gate.arrive_and_wait();
          if (reservation) ledger.release(key);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const size_t got : granted) EXPECT_EQ(got, places);
    EXPECT_LE(ledger.account(0).peak_bytes, 1000 + places * kBytes);
    EXPECT_EQ(ledger.account(0).committed_bytes, 1000u);
  }
}

}  // namespace
}  // namespace outboard::server
