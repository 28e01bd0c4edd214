#include "pooling/cli/summary.h"

#include <gtest/gtest.h>

namespace outboard::cli {
namespace {

SessionStatsSnapshot process(const char* name, const char* device, uint64_t calls) {
  SessionStatsSnapshot snapshot;
  snapshot.process_id = 12;
  snapshot.process_name = name;
  snapshot.device = device;
  snapshot.transport = *device == '\0' ? "" : "tcp 127.0.0.1:7070";
  snapshot.calls = calls;
  snapshot.blocking_round_trips = 1;
  snapshot.bytes_sent = 2048;
  snapshot.bytes_received = 10;
  snapshot.launches = 5;
  return snapshot;
}

TEST(Summary, NumbersForPeople) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
}

TEST(Summary, OneLineForOneProcess) {
  const SessionStatsSnapshot one = process("prog", "Device", 1234);
  EXPECT_EQ(summary_line({{one}, 0}),
            "Device over tcp 127.0.0.1:7070: 1,234 calls, 1 blocking round trip, 2.0 KiB sent, 10 B "
            "received, 5 launches");
  EXPECT_EQ(
      process_line(one),
      "prog (pid 12): Device over tcp 127.0.0.1:7070, 1,234 calls, 1 blocking round trip, 2.0 KiB sent, 10 B "
      "received, 5 launches");
}

TEST(Summary, AddsProcessesUp) {
  const SessionStatsFile stats{
      {process("launcher", "", 2), process("a", "Device", 10), process("b", "Device", 20)}, 0};
  EXPECT_EQ(summary_line(stats),
            "Device over tcp 127.0.0.1:7070: 32 calls, 3 blocking round trips, 6.0 KiB sent, 30 B received, "
            "15 launches "
            "(2 processes)");
}

TEST(Summary, SaysWhatItDoesNotKnow) {
  EXPECT_NE(summary_line({{process("x", "", 3)}, 0}).find("opened no device"), std::string::npos);
  EXPECT_NE(summary_line({{process("x", "Device", 3)}, 4}).find("4 more processes"), std::string::npos);
  EXPECT_NE(process_line(process("x", "", 3)).find("no device opened"), std::string::npos);
}

TEST(Summary, NamesFromOtherMachinesAreMadeSafe) {
  EXPECT_EQ(summary_line({{process("x", "\033[31mDevice\n", 3)}, 0}).find('\033'), std::string::npos);
}

}  // namespace
}  // namespace outboard::cli
