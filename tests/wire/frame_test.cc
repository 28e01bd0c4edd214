// Frames over transports: what is sent arrives, and what is no frame ends in a clear error.
#include <gtest/gtest.h>
#include <future>
#include <random>
#include <thread>

#include "protocol/base/bytes.h"
#include "protocol/transport/fault.h"
#include "protocol/transport/loopback.h"
#include "protocol/wire/frame.h"
#include "tests/transport/endpoints.h"

namespace outboard::wire {
namespace {

using transport::ConstBuffer;
using transport::testing::pattern;

class FrameTest : public ::testing::TestWithParam<ReadAhead> {
 protected:
  void SetUp() override { std::tie(here_, there_) = transport::loopback_pair(); }
  // Bytes as they are, then the end of the stream.
  void send_raw(std::span<const std::byte> bytes) {
    const ConstBuffer piece = bytes;
    ASSERT_TRUE(here_->send({&piece, 1}));
    here_->shutdown();
  }
  std::array<std::byte, kFrameHeaderBytes> header(uint32_t envelope, uint32_t commands, uint32_t bulk) {
    std::array<std::byte, kFrameHeaderBytes> out;
    write_frame_header({envelope, commands, bulk}, out);
    return out;
  }
  Error failure(std::span<const std::byte> bytes) {
    send_raw(bytes);
    FrameReceiver receiver(*there_, GetParam());
    const auto frame = receiver.receive();
    EXPECT_FALSE(frame);
    return frame ? Error{} : frame.error();
  }
  std::unique_ptr<transport::Transport> here_;
  std::unique_ptr<transport::Transport> there_;
};

TEST_P(FrameTest, ManyFramesOfAllSizesArriveInOrder) {
  constexpr size_t kSizes[] = {0, 1, 15, 4096, 65'536, 300'000};
  std::thread sender([&] {
    FrameSender frames(*here_);
    for (uint32_t i = 0; i < 60; ++i) {
      const auto commands = pattern(kSizes[i % 6], i);
      const auto bulk_1 = pattern(kSizes[i % 5], i + 1);
      const auto bulk_2 = pattern(kSizes[i % 4], i + 2);
      const ConstBuffer bulk[] = {bulk_1, bulk_2};
      ASSERT_TRUE(frames.send(Envelope{.first_sequence = i, .acknowledged = i / 2, .kind = CommandsFrame{}},
                              commands, bulk));
    }
  });
  FrameReceiver receiver(*there_, GetParam());
  for (uint32_t i = 0; i < 60; ++i) {
    const auto frame = receiver.receive();
    ASSERT_TRUE(frame) << frame.error().message;
    EXPECT_EQ(frame->envelope.first_sequence, i);
    EXPECT_EQ(frame->envelope.acknowledged, i / 2);
    EXPECT_EQ(to_hex(frame->commands), to_hex(pattern(kSizes[i % 6], i)));
    auto bulk = pattern(kSizes[i % 5], i + 1);
    const auto second = pattern(kSizes[i % 4], i + 2);
    bulk.insert(bulk.end(), second.begin(), second.end());
    ASSERT_TRUE(std::equal(frame->bulk.begin(), frame->bulk.end(), bulk.begin(), bulk.end())) << i;
  }
  sender.join();
}

TEST_P(FrameTest, BulkGoesWhereTheReceiverWantsIt) {
  const auto bulk = pattern(100'000, 1);
  std::thread sender([&] {
    FrameSender frames(*here_);
    const ConstBuffer piece = bulk;
    for (int i = 0; i < 2; ++i)
      ASSERT_TRUE(frames.send(Envelope{.kind = RepliesFrame{}}, pattern(10, 2), {&piece, 1}));
  });
  FrameReceiver receiver(*there_, GetParam());
  const auto head = receiver.receive_head();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->bulk_bytes, bulk.size());
  std::vector<std::byte> first(30'000);
  std::vector<std::byte> second(20'000);
  ASSERT_TRUE(receiver.receive_bulk(first));
  EXPECT_EQ(to_hex(head->commands), to_hex(pattern(10, 2)))
      << "commands must stay readable while bulk arrives";
  ASSERT_TRUE(receiver.receive_bulk(second));
  EXPECT_EQ(receiver.bulk_left_bytes(), 50'000u);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), bulk.begin()));
  EXPECT_TRUE(std::equal(second.begin(), second.end(), bulk.begin() + 30'000));
  std::vector<std::byte> too_much(60'000);
  EXPECT_EQ(receiver.receive_bulk(too_much).error().kind, ErrorKind::kInternal);
  const auto next = receiver.receive();  // the rest is skipped
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_TRUE(std::equal(next->bulk.begin(), next->bulk.end(), bulk.begin(), bulk.end()));
  sender.join();
}

TEST_P(FrameTest, TheSenderRefusesWhatTheReceiverWould) {
  FrameSender frames(*here_);
  const std::vector<std::byte> large(limits::kCommandsBytes + 1);
  EXPECT_EQ(frames.send(Envelope{.kind = CommandsFrame{}}, large).error().kind, ErrorKind::kInvalidArgument);
  const ConstBuffer eight_mib(large.data(), limits::kCommandsBytes);
  const std::vector<ConstBuffer> too_much(5, eight_mib);
  EXPECT_EQ(frames.send(Envelope{.kind = CommandsFrame{}}, {}, too_much).error().kind,
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(here_->counts().bytes_sent, 0u) << "nothing may have gone out";
}

TEST_P(FrameTest, AnnouncedSizesAreCheckedBeforeMemoryIsTaken) {
  const std::array<std::byte, kFrameHeaderBytes> bad[] = {header(8, 0, 0xffff'ffff),
                                                          header(8, 0xffff'ffff, 0),
                                                          header(0xffff'fff8, 0, 0),
                                                          header(8, 0, limits::kBulkBytes + 1),
                                                          header(8, limits::kCommandsBytes + 1, 0),
                                                          header(limits::kEnvelopeBytes + 8, 0, 0)};
  for (const auto& bytes : bad) {
    SetUp();
    const Error error = failure(bytes);
    EXPECT_EQ(error.kind, ErrorKind::kProtocolViolation);
    EXPECT_NE(error.message.find("allowed"), std::string::npos) << error.message;
  }
}

TEST_P(FrameTest, AFrameAnnouncing4GiBNamesTheNumber) {
  EXPECT_NE(failure(header(8, 0, 0xffff'ffff)).message.find("4294967295 bytes of bulk data"),
            std::string::npos);
}

TEST_P(FrameTest, EnvelopesMustBeWholeWords) {
  for (const uint32_t size : {0u, 1u, 7u, 12u}) {
    SetUp();
    EXPECT_EQ(failure(header(size, 0, 0)).kind, ErrorKind::kProtocolViolation) << size;
  }
}

TEST_P(FrameTest, OtherProtocolsAreRecognised) {
  const Error error = failure(as_bytes("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(error.kind, ErrorKind::kProtocolViolation);
  EXPECT_NE(error.message.find("'GET '"), std::string::npos) << error.message;
}

TEST_P(FrameTest, TheEndBetweenFramesIsNotTheEndInside) {
  const Error between = failure({});
  EXPECT_EQ(between.kind, ErrorKind::kDisconnected);
  EXPECT_EQ(between.message.find("middle"), std::string::npos) << between.message;
}

// A connection may break after any byte.
TEST_P(FrameTest, CutAtEveryByte) {
  const auto commands = pattern(20, 1);
  const auto bulk = pattern(9, 2);
  const ConstBuffer piece = bulk;
  const size_t whole =
      kFrameHeaderBytes + encode_envelope(Envelope{.kind = CommandsFrame{}}).value().size() + 20 + 9;
  for (size_t cut = 1; cut <= whole; ++cut) {
    SetUp();
    transport::FaultTransport faulty(std::move(here_), {.cut_after_sent_bytes = cut});
    const auto sent = FrameSender(faulty).send(Envelope{.kind = CommandsFrame{}}, commands, {&piece, 1});
    faulty.shutdown();
    FrameReceiver receiver(*there_, GetParam());
    const auto frame = receiver.receive();
    EXPECT_EQ(sent.has_value(), cut == whole);
    ASSERT_EQ(frame.has_value(), cut == whole) << cut;
    if (!frame) {
      EXPECT_EQ(frame.error().kind, ErrorKind::kDisconnected) << frame.error().message;
    }
  }
}

TEST_P(FrameTest, RandomBytesAreNeverAFrame) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    SetUp();
    std::vector<std::byte> data(1 + random() % 200);
    for (auto& byte : data) byte = static_cast<std::byte>(random());
    // Half of them have a right header, so that what comes after it is met, too.
    if (round % 2 == 0 && data.size() >= kFrameHeaderBytes) {
      const auto good = header(8 * (1 + random() % 4), random() % 50, random() % 50);
      std::copy(good.begin(), good.end(), data.begin());
    }
    const Error error = failure(data);
    ASSERT_TRUE(error.kind == ErrorKind::kProtocolViolation || error.kind == ErrorKind::kDisconnected)
        << error.message;
  }
}

TEST_P(FrameTest, ShortReadsMakeNoDifference) {
  transport::FaultTransport slow(std::move(there_), {.most_receive_bytes = 1});
  const auto commands = pattern(500, 1);
  const auto bulk = pattern(700, 2);
  const ConstBuffer piece = bulk;
  FrameSender frames(*here_);
  ASSERT_TRUE(frames.send(Envelope{.kind = CommandsFrame{}}, commands, {&piece, 1}));
  FrameReceiver receiver(slow, GetParam());
  const auto frame = receiver.receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(to_hex(frame->commands), to_hex(commands));
  EXPECT_EQ(to_hex(frame->bulk), to_hex(bulk));
}

INSTANTIATE_TEST_SUITE_P(ReadAhead, FrameTest, ::testing::Values(ReadAhead::kNo, ReadAhead::kYes),
                         [](const auto& info) { return info.param == ReadAhead::kYes ? "Yes" : "No"; });

TEST(FrameReceiver, ReadsManySmallFramesAtOnceOnlyWhenAllowed) {
  for (const auto read_ahead : {ReadAhead::kNo, ReadAhead::kYes}) {
    auto [here, there] = transport::loopback_pair();
    FrameSender frames(*here);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(frames.send(Envelope{.kind = CommandsFrame{}}, pattern(10, 1)));
    FrameReceiver receiver(*there, read_ahead);
    ASSERT_TRUE(receiver.receive());
    const uint64_t one_frame = here->counts().bytes_sent / 100;
    if (read_ahead == ReadAhead::kNo) {
      EXPECT_EQ(there->counts().bytes_received, one_frame) << "not a byte more than the frame may be taken";
    } else {
      EXPECT_EQ(there->counts().receive_calls, 1u);
    }
    for (int i = 1; i < 100; ++i) ASSERT_TRUE(receiver.receive());
  }
}

}  // namespace
}  // namespace outboard::wire
