// Commands whose bodies travel as differences.
#include <gtest/gtest.h>

#include <random>

#include "protocol/base/bytes.h"
#include "protocol/wire/commands.h"

namespace outboard::wire {
namespace {

using Body = std::vector<std::byte>;

constexpr auto kOpcode = static_cast<Opcode>(1);

FrameHead head_of(std::span<const std::byte> commands, uint32_t count) {
  FrameHead head;
  head.envelope.first_sequence = 1;
  head.envelope.command_count = count;
  head.commands = commands;
  return head;
}

Body body_of(size_t bytes, uint8_t fill) { return Body(bytes, static_cast<std::byte>(fill)); }

// What a reader makes of the frame; the last element is missing if the frame is malformed.
std::vector<Body> read(std::span<const std::byte> commands, uint32_t count, bool* well_formed = nullptr) {
  CommandReader in(head_of(commands, count));
  std::vector<Body> bodies;
  Command command;
  while (in.next(command)) bodies.emplace_back(command.body.begin(), command.body.end());
  const bool ok = in.end().has_value();
  if (well_formed != nullptr) *well_formed = ok;
  return bodies;
}

TEST(Delta, TheSameAgainIsAFewBytes) {
  CommandWriter out;
  const Body launch = body_of(40, 7);
  out.append({.opcode = kOpcode}, launch);
  const size_t first = out.view().size();
  out.append({.opcode = kOpcode}, launch);
  EXPECT_EQ(out.view().size() - first, 3u + 5u);  // opcode, flags, size; a bit for each byte
  EXPECT_EQ(read(out.view(), 2), (std::vector<Body>{launch, launch}));
}

TEST(Delta, OnlyWhatDiffersTravels) {
  CommandWriter out;
  Body launch = body_of(41, 7);
  out.append({.opcode = kOpcode}, launch);
  const size_t first = out.view().size();
  Body other = launch;
  other[0] = other[19] = other[40] = std::byte{9};
  out.append({.opcode = kOpcode}, other);
  EXPECT_EQ(out.view().size() - first, 3u + 6u + 3u);
  EXPECT_EQ(read(out.view(), 2), (std::vector<Body>{launch, other}));
}

TEST(Delta, WhatHasLittleInCommonTravelsWhole) {
  CommandWriter out;
  out.append({.opcode = kOpcode}, body_of(40, 7));
  const size_t first = out.view().size();
  out.append({.opcode = kOpcode}, body_of(40, 8));
  EXPECT_EQ(out.view().size(), 2 * first);
}

TEST(Delta, AFrameDoesNotDependOnTheOneBefore) {
  CommandWriter out;
  out.append({.opcode = kOpcode}, body_of(40, 7));
  const size_t first = out.view().size();
  out.clear();
  out.append({.opcode = kOpcode}, body_of(40, 7));
  EXPECT_EQ(out.view().size(), first);
}

// Many opcodes and sizes, so that bases are replaced by others; every body must come out as it went in.
TEST(Delta, AnyMixtureComesOutAsItWentIn) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    CommandWriter out;
    std::vector<Body> sent;
    Body body;
    for (int i = 0; i < 100; ++i) {
      if (i % 7 == 0) body = body_of(random() % 600, static_cast<uint8_t>(random()));
      for (unsigned changes = random() % 4; changes != 0 && !body.empty(); --changes)
        body[random() % body.size()] = static_cast<std::byte>(random());
      out.append({.opcode = static_cast<Opcode>(random() % 3), .wants_reply = random() % 2 == 0}, body);
      sent.push_back(body);
    }
    bool well_formed = false;
    ASSERT_EQ(read(out.view(), 100, &well_formed), sent);
    ASSERT_TRUE(well_formed);
  }
}

TEST(Delta, WhatDiffersFromNothingIsMalformed) {
  Writer out;
  out.varint(1);
  out.u8(16);  // a delta
  out.varint(40);
  out.raw(body_of(5, 0));
  bool well_formed = true;
  EXPECT_TRUE(read(out.view(), 1, &well_formed).empty());
  EXPECT_FALSE(well_formed);
}

TEST(Delta, EveryCutIsNoticed) {
  CommandWriter out;
  Body body = body_of(40, 7);
  out.append({.opcode = kOpcode}, body);
  const size_t first = out.view().size();
  body[39] = std::byte{1};
  out.append({.opcode = kOpcode}, body);
  for (size_t cut = first; cut < out.view().size(); ++cut) {
    bool well_formed = true;
    EXPECT_EQ(read(out.view().first(cut), 2, &well_formed).size(), 1u);
    EXPECT_FALSE(well_formed) << cut;
  }
}

TEST(Delta, ABitBeyondTheBodyIsMalformed) {
  CommandWriter whole;
  whole.append({.opcode = kOpcode}, body_of(13, 7));
  Writer out;
  out.raw(whole.view());
  out.varint(1);
  out.u8(16);
  out.varint(13);
  out.u8(0);
  out.u8(1u << 5);  // byte 13 of 0 to 12
  out.u8(0);
  bool well_formed = true;
  EXPECT_EQ(read(out.view(), 2, &well_formed).size(), 1u);
  EXPECT_FALSE(well_formed);
}

}  // namespace
}  // namespace outboard::wire
