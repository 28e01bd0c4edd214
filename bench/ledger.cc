// What a decision about memory costs: a promise, its commit, and giving it back, in an account of many
// allocations; alone, and with threads that want the same account.
//   bench_ledger [ALLOCATIONS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "server/quota/memory_ledger.h"

namespace outboard::server {
namespace {

constexpr uint64_t kRounds = 1'000'000;

AllocationKey key_of(uint64_t id) { return {AllocationKind::kDeviceMemory, id * 512}; }

void decide(MemoryLedger& ledger, uint64_t first_id) {
  for (uint64_t i = 0; i < kRounds; ++i) {
    auto reservation = ledger.reserve(0, 512);
    if (!reservation) std::abort();
    reservation->commit(key_of(first_id + i % 64));
    ledger.release(key_of(first_id + i % 64));
  }
}

void measure(uint64_t allocations, unsigned threads) {
  MemoryLedger ledger({uint64_t{1} << 40});
  for (uint64_t id = 0; id < allocations; ++id) ledger.reserve(0, 512)->commit(key_of(id));
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread)
    running.emplace_back([&, thread] { decide(ledger, allocations + 64 * uint64_t{thread}); });
  for (std::thread& one : running) one.join();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  std::printf("%llu allocations, %u threads: %.0f ns for a promise, its commit and its release\n",
              static_cast<unsigned long long>(allocations), threads, took.count() / kRounds / threads);
}

}  // namespace
}  // namespace outboard::server

int main(int argc, char** argv) {
  const uint64_t allocations = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  for (const unsigned threads : {1u, 4u}) outboard::server::measure(allocations, threads);
  return 0;
}
