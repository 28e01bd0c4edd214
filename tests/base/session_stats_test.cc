#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <thread>

#include "protocol/base/limits.h"
#include "protocol/base/session_stats.h"
#include "tests/base/temporary_folder.h"

namespace outboard {
namespace {

using testing::TemporaryFolder;

TEST(SessionStats, ReaderSeesWhatTheWriterCounts) {
  const TemporaryFolder folder;
  const std::string path = folder.path("stats");
  auto stats = SessionStats::open(path, 4711, "vectorAdd");
  ASSERT_TRUE(stats) << stats.error().message;
  auto file = read_session_stats(path);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->processes.size(), 1u);
  EXPECT_EQ(file->processes[0].device, "");

  stats->set_device("Outboard Software Device");
  stats->set_transport("tcp 127.0.0.1:7070");
  SessionCounters& counters = stats->counters();
  counters.calls += 7;
  counters.commands_sent += 6;
  counters.blocking_round_trips += 5;
  counters.bytes_sent += uint64_t{1} << 40;
  counters.bytes_received += 3;
  counters.launches += 2;
  file = read_session_stats(path);
  ASSERT_TRUE(file);
  const auto& process = file->processes.at(0);
  EXPECT_EQ(process.process_id, 4711u);
  EXPECT_EQ(process.process_name, "vectorAdd");
  EXPECT_EQ(process.device, "Outboard Software Device");
  EXPECT_EQ(process.transport, "tcp 127.0.0.1:7070");
  EXPECT_EQ(process.calls, 7u);
  EXPECT_EQ(process.commands_sent, 6u);
  EXPECT_EQ(process.blocking_round_trips, 5u);
  EXPECT_EQ(process.bytes_sent, uint64_t{1} << 40);
  EXPECT_EQ(process.bytes_received, 3u);
  EXPECT_EQ(process.launches, 2u);
}

TEST(SessionStats, CountsStayAfterTheProcessIsGone) {
  const TemporaryFolder folder;
  const std::string path = folder.path("stats");
  const pid_t child = ::fork();
  if (child == 0) {
    auto stats = SessionStats::open(path, 1, "killed");
    if (stats) stats->counters().calls += 9;
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  const auto file = read_session_stats(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->processes.at(0).calls, 9u);
}

TEST(SessionStats, LongTextsAreCutAndControlCharactersMasked) {
  const TemporaryFolder folder;
  auto stats = SessionStats::open(folder.path("stats"), 1, std::string(500, 'n') + "\n");
  ASSERT_TRUE(stats);
  stats->set_device(std::string(500, 'd'));
  stats->set_device("short\n");
  const auto file = read_session_stats(folder.path("stats"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->processes.at(0).process_name, std::string(60, 'n'));
  EXPECT_EQ(file->processes.at(0).device, "short?");
}

TEST(SessionStats, ManyProcessesAndTheOnesTooMany) {
  const TemporaryFolder folder;
  const std::string path = folder.path("stats");
  std::vector<std::thread> threads;
  std::atomic<size_t> refused{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (uint32_t i = 0; i < 20; ++i) {
        const auto stats = SessionStats::open(path, i + 1, "p");
        if (!stats && stats.error().kind == ErrorKind::kOverloaded) ++refused;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(refused, 80 - limits::kStatsSlots);
  const auto file = read_session_stats(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->processes.size(), limits::kStatsSlots);
  EXPECT_EQ(file->not_shown, 80 - limits::kStatsSlots);
}

TEST(SessionStats, WithoutAFileItCountsForItself) {
  SessionStats stats;
  stats.counters().calls += 1;
  stats.set_device("x");
  SessionStats moved = std::move(stats);
  EXPECT_EQ(moved.counters().calls, 1u);
}

TEST(SessionStats, RefusesWhatIsNotOurs) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_session_stats(folder.path("missing")).error().kind, ErrorKind::kNotFound);
  for (const size_t size_bytes : {size_t{5}, size_t{64 + 512 * limits::kStatsSlots}}) {
    const std::string path = folder.write("other", std::string(size_bytes, 'x'));
    EXPECT_EQ(SessionStats::open(path, 1, "p").error().kind, ErrorKind::kInvalidArgument);
    EXPECT_EQ(read_session_stats(path).error().kind, ErrorKind::kInvalidArgument);
    EXPECT_EQ(folder.read("other"), std::string(size_bytes, 'x')) << "it must not be changed";
  }
  EXPECT_FALSE(SessionStats::open("/nonexistent/folder/stats", 1, "p"));
  EXPECT_FALSE(SessionStats::open(folder.path(""), 1, "p"));
}

}  // namespace
}  // namespace outboard
