// Memory that host and device both use, with a device that is a buffer.
#include "client-lib/session/mirrors.h"

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

namespace outboard::client {
namespace {

constexpr wire::Handle kContext{1, 1};
constexpr wire::Handle kStream{0, 0};
constexpr wire::Handle kOther{3, 1};

class MirrorsTest : public ::testing::Test {
 protected:
  static uint64_t page() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

  // An address where nothing lies, and a device that has zeros there.
  void make(uint64_t bytes, PageState first = PageState::kHost) {
    device_.assign(bytes, 0);
    // Far from where the system places mappings of its own accord.
    void* at = mmap(reinterpret_cast<void*>(0x1200'0000'0000), bytes, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(at, MAP_FAILED);
    munmap(at, bytes);
    base_ = reinterpret_cast<uint64_t>(at);
    ASSERT_EQ(mirrors_.add(base_, bytes, kContext, first), CUDA_SUCCESS);
  }

  volatile uint8_t& host(uint64_t offset) { return *reinterpret_cast<volatile uint8_t*>(base_ + offset); }
  uint8_t& device(uint64_t offset) { return device_[offset]; }
  void launch(wire::Handle stream = kStream) { ASSERT_EQ(mirrors_.hand_over(stream), CUDA_SUCCESS); }
  void wait() { mirrors_.all_waited(mirrors_.mark()); }

  uint64_t base_ = 0;
  std::vector<uint8_t> device_;
  uint64_t sent_bytes_ = 0;
  uint64_t fetched_bytes_ = 0;
  CUresult fails_ = CUDA_SUCCESS;
  Mirrors mirrors_{{[this](wire::Handle, uint64_t address, std::span<const std::byte> from) {
                      sent_bytes_ += from.size();
                      std::memcpy(device_.data() + (address - base_), from.data(), from.size());
                      return fails_;
                    },
                    [this](wire::Handle, uint64_t address, std::span<std::byte> into) {
                      fetched_bytes_ += into.size();
                      std::memcpy(into.data(), device_.data() + (address - base_), into.size());
                      return fails_;
                    }},
                   Logger{}};
};

TEST_F(MirrorsTest, AnAddressThatIsTakenIsRefused) {
  void* taken = mmap(nullptr, page(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(mirrors_.add(reinterpret_cast<uint64_t>(taken), page(), kContext, PageState::kHost),
            CUDA_ERROR_ALREADY_MAPPED);
  EXPECT_EQ(mirrors_.add(reinterpret_cast<uint64_t>(taken) + 512, page(), kContext, PageState::kHost),
            CUDA_ERROR_ALREADY_MAPPED);
  EXPECT_FALSE(mirrors_.any());
  munmap(taken, page());
}

TEST_F(MirrorsTest, OnlyWhatWasTouchedIsSent) {
  make(uint64_t{256} << 20);
  host(5) = 1;
  host((100 << 20) + 77) = 2;
  launch();
  EXPECT_EQ(sent_bytes_, 2 * page());
  EXPECT_EQ(device(5), 1);
  EXPECT_EQ(device((100 << 20) + 77), 2);
  launch();
  EXPECT_EQ(sent_bytes_, 2 * page()) << "nothing was written since";
}

TEST_F(MirrorsTest, WhatTheDeviceWroteIsThereAfterTheWait) {
  make(64 * page());
  host(0) = 1;
  launch();
  device(0) = 2;
  device(63 * page()) = 3;
  wait();
  EXPECT_EQ(host(0), 2);
  EXPECT_EQ(host(63 * page()), 3);
  EXPECT_EQ(fetched_bytes_, 64 * page()) << "small memory comes at once";
}

TEST_F(MirrorsTest, LargeMemoryComesWhenItIsTouched) {
  make(2 * Mirrors::kEagerBytes);
  launch();
  device(page() * 100) = 9;
  wait();
  EXPECT_EQ(fetched_bytes_, 0u);
  EXPECT_EQ(host(page() * 100), 9);
  const uint64_t once = fetched_bytes_;
  EXPECT_EQ(once, (100 + Mirrors::kFirstWindow - 96) * page()) << "from a multiple of the window on";
  launch();
  device(page() * 100) = 10;
  wait();
  EXPECT_EQ(fetched_bytes_, 2 * once) << "what was asked for once is brought by the wait";
  EXPECT_EQ(host(page() * 100), 10);
  EXPECT_EQ(fetched_bytes_, 2 * once);
}

TEST_F(MirrorsTest, TheWindowGrowsWhileMemoryIsReadInOrder) {
  make(64 << 20);
  launch();
  wait();
  size_t fetches = 0;
  uint64_t before = 0;
  for (uint64_t at = 0; at < 64 << 20; at += page()) {
    EXPECT_EQ(host(at), 0);
    if (fetched_bytes_ != before) ++fetches;
    before = fetched_bytes_;
  }
  EXPECT_EQ(fetched_bytes_, uint64_t{64} << 20);
  EXPECT_LE(fetches, 20u);
}

TEST_F(MirrorsTest, AWrittenPageIsSentAgain) {
  make(4 * page());
  launch();
  wait();
  sent_bytes_ = 0;
  host(page() + 3) = 7;
  launch();
  EXPECT_EQ(sent_bytes_, page());
  EXPECT_EQ(device(page() + 3), 7);
}

TEST_F(MirrorsTest, BothSidesMayWriteOnePageWhileTheDeviceWorks) {
  make(4 * page());
  launch();
  host(0) = 1;
  device(1) = 2;
  launch();
  EXPECT_EQ(device(0), 1);
  EXPECT_EQ(device(1), 2) << "what the host did not write is not sent";
  wait();
  EXPECT_EQ(host(0), 1);
  EXPECT_EQ(host(1), 2);
}

TEST_F(MirrorsTest, WhoPollsWhileTheDeviceWorksSeesChanges) {
  make(page());
  launch();
  EXPECT_EQ(host(0), 0);
  device(0) = 1;
  for (int i = 0; i < 10'000 && host(0) == 0; ++i) usleep(1000);
  EXPECT_EQ(host(0), 1);
}

TEST_F(MirrorsTest, AWaitForOneStreamDoesNotEndTheWorkOfOthers) {
  make(4 * page());
  launch(kStream);
  launch(kOther);
  mirrors_.stream_waited(kStream, mirrors_.mark());
  EXPECT_EQ(host(0), 0);
  device(0) = 5;
  mirrors_.stream_waited(kOther, mirrors_.mark());
  EXPECT_EQ(host(0), 5) << "the page was opened while the other stream was at work";
}

TEST_F(MirrorsTest, AnEventEndsTheWorkBeforeIt) {
  make(4 * page());
  launch(kOther);
  mirrors_.event_recorded({7, 1}, kOther);
  device(0) = 5;
  mirrors_.event_waited({7, 1});
  EXPECT_EQ(fetched_bytes_, 4 * page());
  EXPECT_EQ(host(0), 5);
}

TEST_F(MirrorsTest, MemoryOfOneStreamIsLeftAloneByOthers) {
  make(4 * page());
  host(0) = 1;
  EXPECT_TRUE(mirrors_.attach(base_, CU_MEM_ATTACH_SINGLE, kOther));
  launch(kStream);
  EXPECT_EQ(sent_bytes_, 0u);
  host(0) = 2;
  launch(kOther);
  EXPECT_EQ(sent_bytes_, page());
  EXPECT_EQ(device(0), 2);
  EXPECT_FALSE(mirrors_.attach(base_ + 4 * page(), CU_MEM_ATTACH_SINGLE, kOther));
}

TEST_F(MirrorsTest, ACopyFromPartOfItLeavesTheRestAlone) {
  make(4 * page());
  host(0) = 1;
  host(2 * page()) = 3;
  ASSERT_EQ(mirrors_.hand_over(base_ + 2 * page(), 10, false, kStream), CUDA_SUCCESS);
  EXPECT_EQ(sent_bytes_, page());
  EXPECT_EQ(device(2 * page()), 3);
  EXPECT_EQ(host(2 * page()), 3);
  EXPECT_EQ(fetched_bytes_, 0u) << "the device only read it";
}

TEST_F(MirrorsTest, ContentFromTheDeviceComesFirstWhereItHasIt) {
  make(2 * page(), PageState::kDevice);
  device(page()) = 4;
  EXPECT_EQ(host(page()), 4);
}

TEST_F(MirrorsTest, MemoryInUseBecomesAMirrorWithItsContent) {
  void* memory = mmap(nullptr, 3 * page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  base_ = reinterpret_cast<uint64_t>(memory);
  device_.assign(3 * page(), 0);
  host(2 * page()) = 6;
  ASSERT_EQ(mirrors_.adopt(base_, 3 * page(), kContext), CUDA_SUCCESS);
  EXPECT_EQ(host(2 * page()), 6);
  launch();
  EXPECT_EQ(device(2 * page()), 6);
  EXPECT_TRUE(mirrors_.remove(base_));
  EXPECT_FALSE(mirrors_.remove(base_));
  EXPECT_FALSE(mirrors_.covers(base_));
}

TEST_F(MirrorsTest, AFailureToSendIsTheLaunchs) {
  make(page());
  host(0) = 1;
  fails_ = CUDA_ERROR_DEVICE_UNAVAILABLE;
  EXPECT_EQ(mirrors_.hand_over(kStream), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

TEST_F(MirrorsTest, ThreadsMeetInOnePage) {
  make(16 << 20);
  launch();
  for (size_t i = 0; i < device_.size(); ++i) device_[i] = static_cast<uint8_t>(i / page());
  wait();
  std::vector<std::thread> all;
  std::atomic<int> wrong{0};
  for (size_t t = 0; t < 8; ++t) {
    all.emplace_back([&, t] {
      for (size_t at = t; at < device_.size(); at += 997) {
        wrong += host(at) != static_cast<uint8_t>(at / page());
        if (at % 8 == t) host(at) = static_cast<uint8_t>(at / page());
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(MirrorsTest, BothSidesMeetInTheMiddleOfDeviceWork) {
  make(4 * page());
  launch();
  EXPECT_EQ(host(0), 0);
  device(0) = 1;
  mirrors_.meet();
  EXPECT_EQ(host(0), 1);
  host(1) = 2;
  mirrors_.meet();
  EXPECT_EQ(device(1), 2);
}

TEST_F(MirrorsTest, RegisteredMemoryStaysWhereItIs) {
  device_.assign(10000, 0);
  base_ = 0x7000;  // of the device
  std::vector<uint8_t> memory(10000, 3);
  const auto host_base = reinterpret_cast<uint64_t>(memory.data());
  mirrors_.follow(host_base, memory.size(), base_, kContext);
  EXPECT_EQ(mirrors_.newer_at(host_base), 0u);
  launch();
  EXPECT_EQ(sent_bytes_, 10000u);
  EXPECT_EQ(device_, memory);
  EXPECT_EQ(mirrors_.newer_at(host_base + 5), base_ + 5);
  // Both sides write while the device is at work.
  memory[1] = 4;
  device(0) = 9;
  launch();
  EXPECT_EQ(sent_bytes_, 10001u);
  memory[2] = 5;
  wait();
  EXPECT_EQ(memory[0], 9);
  EXPECT_EQ(memory[1], 4);
  EXPECT_EQ(memory[2], 5) << "not yet sent, not lost";
  EXPECT_EQ(mirrors_.newer_at(host_base + 5), 0u);
  launch();
  EXPECT_EQ(sent_bytes_, 10001u + 4096) << "a block of an idle device";
  EXPECT_EQ(device(2), 5);
  device(9999) = 6;
  EXPECT_EQ(mirrors_.unfollow(host_base), base_);
  EXPECT_EQ(memory[9999], 6) << "what was written last";
  EXPECT_EQ(mirrors_.unfollow(host_base), 0u);
  EXPECT_FALSE(mirrors_.any());
}

// A program's own handler, which some languages' runtimes live by.
sigjmp_buf jump;
void jump_out(int) { siglongjmp(jump, 1); }

// The sanitizers would end the program before the handler sees it.
__attribute__((no_sanitize("address", "undefined"))) bool faults(volatile char* address) {
  if (sigsetjmp(jump, 1) != 0) return true;
  *address = 1;
  return false;
}

TEST_F(MirrorsTest, FaultsOfOthersGoToTheProgramsHandler) {
  struct sigaction before{};
  struct sigaction action{};
  action.sa_handler = jump_out;
  sigaction(SIGSEGV, &action, &before);
  auto* closed =
      static_cast<volatile char*>(mmap(nullptr, page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  make(4 * page());
  EXPECT_TRUE(faults(closed));
  EXPECT_TRUE(faults(nullptr));
  // Installed over ours, it must not cut us off.
  sigaction(SIGSEGV, &action, nullptr);
  launch();
  device(0) = 8;
  wait();
  launch();
  EXPECT_EQ(host(0), 8);
  EXPECT_TRUE(faults(closed));
  munmap(const_cast<char*>(closed), page());
  sigaction(SIGSEGV, &before, nullptr);
}

}  // namespace
}  // namespace outboard::client
