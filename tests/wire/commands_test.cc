#include <gtest/gtest.h>
#include <random>

#include "protocol/base/bytes.h"
#include "protocol/wire/commands.h"
#include "tests/transport/endpoints.h"

namespace outboard::wire {
namespace {

using transport::testing::pattern;

Opcode opcode(uint16_t value) { return static_cast<Opcode>(value); }

// A frame as a receiver would give it.
Frame frame_of(std::span<const std::byte> commands, uint32_t count, std::span<const std::byte> bulk = {}) {
  Frame frame;
  frame.envelope.first_sequence = 100;
  frame.envelope.command_count = count;
  frame.commands = commands;
  frame.bulk_bytes = static_cast<uint32_t>(bulk.size());
  frame.bulk = bulk;
  return frame;
}

TEST(Commands, ThereAndBack) {
  CommandWriter out;
  const auto body = pattern(40, 1);
  const auto bulk = pattern(30, 2);
  out.append({.opcode = opcode(5)}, body);
  out.append({.opcode = opcode(6), .wants_reply = true, .context = {1, 1}, .capture_mode = 2}, {}, 10);
  out.append({.opcode = opcode(65535), .context = {1, 1}, .capture_mode = 2}, body, 20);
  out.append({.opcode = opcode(7), .context = {}, .capture_mode = 0}, {});
  EXPECT_EQ(out.count(), 4u);
  EXPECT_EQ(out.bulk_bytes(), 30u);

  CommandReader in(frame_of(out.view(), 4, bulk));
  Command command;
  ASSERT_TRUE(in.next(command));
  EXPECT_EQ(command.opcode, opcode(5));
  EXPECT_EQ(command.sequence, 100u);
  EXPECT_FALSE(command.wants_reply);
  EXPECT_TRUE(command.context.is_null());
  EXPECT_EQ(to_hex(command.body), to_hex(body));
  EXPECT_EQ(command.bulk_bytes, 0u);
  ASSERT_TRUE(in.next(command));
  EXPECT_EQ(command.sequence, 101u);
  EXPECT_TRUE(command.wants_reply);
  EXPECT_EQ(command.context, (Handle{1, 1}));
  EXPECT_EQ(command.capture_mode, 2);
  EXPECT_EQ(to_hex(command.bulk), to_hex(std::span(bulk).first(10)));
  ASSERT_TRUE(in.next(command));
  EXPECT_EQ(command.opcode, opcode(65535));
  EXPECT_EQ(command.context, (Handle{1, 1})) << "said once, it holds";
  EXPECT_EQ(command.bulk_offset, 10u);
  EXPECT_EQ(to_hex(command.bulk), to_hex(std::span(bulk).subspan(10)));
  ASSERT_TRUE(in.next(command));
  EXPECT_TRUE(command.context.is_null());
  EXPECT_EQ(command.capture_mode, 0);
  EXPECT_FALSE(in.next(command));
  EXPECT_TRUE(in.end());
}

TEST(Commands, TheScopeIsSaidOnceAFrameAndAnewInTheNext) {
  CommandWriter out;
  const CommandFields fields{.opcode = opcode(1), .context = {1, 1}};
  out.append(fields, {});
  const size_t first = out.view().size();
  out.append(fields, {});
  EXPECT_EQ(out.view().size() - first, 3u);  // opcode, flags, body length
  out.clear();
  EXPECT_TRUE(out.empty());
  out.append(fields, {});
  EXPECT_EQ(out.view().size(), first);
}

TEST(Commands, AnEmptyFrameIsFine) {
  CommandReader in(frame_of({}, 0));
  Command command;
  EXPECT_FALSE(in.next(command));
  EXPECT_TRUE(in.end());
}

TEST(Commands, AHeadGivesOffsetsWithoutData) {
  CommandWriter out;
  out.append({.opcode = opcode(1)}, {}, 5);
  const auto bulk = pattern(5, 1);
  const Frame frame = frame_of(out.view(), 1, bulk);
  CommandReader in(static_cast<const FrameHead&>(frame));
  Command command;
  ASSERT_TRUE(in.next(command));
  EXPECT_EQ(command.bulk_bytes, 5u);
  EXPECT_TRUE(command.bulk.empty());
}

Status read_to_end(const Frame& frame) {
  CommandReader in(frame);
  Command command;
  uint32_t count = 0;
  while (in.next(command)) ++count;
  EXPECT_LE(count, frame.envelope.command_count);
  EXPECT_FALSE(in.next(command)) << "it must stay at its end";
  return in.end();
}

void expect_violation(const Frame& frame, const char* words) {
  const Status status = read_to_end(frame);
  ASSERT_FALSE(status) << words;
  EXPECT_EQ(status.error().kind, ErrorKind::kProtocolViolation);
  EXPECT_NE(status.error().message.find(words), std::string::npos) << status.error().message;
}

TEST(Commands, WhatDoesNotAddUpIsRefused) {
  CommandWriter out;
  out.append({.opcode = opcode(1)}, pattern(3, 1), 5);
  const auto bulk = pattern(6, 1);
  expect_violation(frame_of(out.view(), 2, std::span(bulk).first(5)), "cut off");
  expect_violation(frame_of(out.view(), 0), "more bytes than commands");
  expect_violation(frame_of(out.view(), 1, std::span(bulk).first(4)), "more bulk data than the frame has");
  expect_violation(frame_of(out.view(), 1, bulk), "6 bytes of bulk data");
  auto unknown_flag = std::vector<std::byte>(out.view().begin(), out.view().end());
  unknown_flag[1] = std::byte{0x20};
  expect_violation(frame_of(unknown_flag, 1), "unknown flags");
}

TEST(Commands, BulkLengthsThatOverflowAreRefused) {
  Writer raw;
  for (int i = 0; i < 2; ++i) {
    raw.varint(1);
    raw.u8(8);
    raw.varint(~uint64_t{0} - 3);
    raw.varint(0);
  }
  expect_violation(frame_of(raw.view(), 2, pattern(4, 1)), "more bulk data than the frame has");
}

TEST(Commands, TruncatedAtEveryByte) {
  CommandWriter out;
  const auto bulk = pattern(5, 1);
  out.append({.opcode = opcode(300), .wants_reply = true, .context = {500, 3}, .capture_mode = 1},
             pattern(20, 1), 5);
  out.append({.opcode = opcode(2)}, pattern(2, 1));
  ASSERT_TRUE(read_to_end(frame_of(out.view(), 2, bulk)));
  for (size_t size = 0; size < out.view().size(); ++size) {
    EXPECT_FALSE(read_to_end(frame_of(out.view().first(size), 2, bulk))) << size;
  }
}

TEST(Commands, FitsKeepsTheFrameWithinItsLimits) {
  CommandWriter out;
  EXPECT_TRUE(out.fits(1 << 20, limits::kBulkBytes));
  EXPECT_FALSE(out.fits(limits::kCommandsBytes, 0));
  EXPECT_FALSE(out.fits(0, uint64_t{limits::kBulkBytes} + 1));
  const auto body = pattern(1 << 20, 1);
  while (out.fits(body.size(), 1 << 20)) out.append({.opcode = opcode(1)}, body, 1 << 20);
  EXPECT_EQ(out.count(), 3u);
  EXPECT_LE(out.view().size(), limits::kCommandsBytes);
}

TEST(Replies, ThereAndBack) {
  ReplyWriter out;
  const auto bulk = pattern(12, 3);
  out.append({.sequence = 1}, {});
  out.append({.sequence = 1ull << 40, .result = 700, .deferred_result = 2, .deferred_opcode = opcode(44)},
             pattern(3, 1), 12);
  EXPECT_EQ(out.bulk_bytes(), 12u);
  ReplyReader in(frame_of(out.view(), 2, bulk));
  Reply reply;
  ASSERT_TRUE(in.next(reply));
  EXPECT_EQ(reply.sequence, 1u);
  EXPECT_EQ(reply.result, 0u);
  EXPECT_EQ(reply.deferred_result, 0u);
  EXPECT_EQ(reply.bulk_bytes, 0u);
  ASSERT_TRUE(in.next(reply));
  EXPECT_EQ(reply.sequence, 1ull << 40);
  EXPECT_EQ(reply.result, 700u);
  EXPECT_EQ(reply.deferred_result, 2u);
  EXPECT_EQ(reply.deferred_opcode, opcode(44));
  EXPECT_EQ(to_hex(reply.body), to_hex(pattern(3, 1)));
  EXPECT_EQ(to_hex(reply.bulk), to_hex(bulk));
  EXPECT_FALSE(in.next(reply));
  EXPECT_TRUE(in.end());
  out.clear();
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(out.bulk_bytes(), 0u);
}

TEST(Replies, TruncatedAtEveryByte) {
  ReplyWriter out;
  out.append({.sequence = 300, .result = 1, .deferred_result = 2, .deferred_opcode = opcode(3)},
             pattern(4, 1), 2);
  const auto bulk = pattern(2, 1);
  for (size_t size = 0; size < out.view().size(); ++size) {
    ReplyReader in(frame_of(out.view().first(size), 1, bulk));
    Reply reply;
    EXPECT_FALSE(in.next(reply)) << size;
    EXPECT_EQ(in.end().error().kind, ErrorKind::kProtocolViolation);
  }
}

TEST(CommandsAndReplies, RandomBytesNeverBreakAReader) {
  std::mt19937 random(4);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> data(random() % 60);
    for (auto& byte : data) byte = static_cast<std::byte>(random() % (round % 2 ? 256 : 12));
    const auto bulk = pattern(random() % 20, 1);
    const Frame frame = frame_of(data, random() % 10, bulk);
    uint64_t used = 0;
    CommandReader commands(frame);
    for (Command command; commands.next(command); used += command.bulk.size()) {
      ASSERT_LE(command.body.size(), data.size());
    }
    ASSERT_LE(used, bulk.size());
    ReplyReader replies(frame);
    used = 0;
    for (Reply reply; replies.next(reply);) used += reply.bulk.size();
    ASSERT_LE(used, bulk.size());
  }
}

}  // namespace
}  // namespace outboard::wire
