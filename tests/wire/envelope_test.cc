#include <gtest/gtest.h>
#include <random>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/wire/envelope.h"
#include "tests/wire/samples.h"

namespace outboard::wire {
namespace {

using testing::full_hello;
using testing::full_welcome;

std::vector<Envelope> one_of_each() {
  std::vector<Envelope> out;
  const auto add = [&](auto kind) {
    out.push_back(Envelope{.first_sequence = 5, .command_count = 2, .acknowledged = 3, .kind = kind});
  };
  add(CommandsFrame{});
  add(RepliesFrame{});
  add(full_hello());
  add(full_welcome());
  add(Refusal{ErrorKind::kQuotaExceeded, "The lease is used up."});
  add(Goodbye{});
  add(Goodbye{false, ErrorKind::kProtocolViolation, "The frame was not one."});
  add(Notice{Notice::Kind::kMessage, "A sentence.", 0});
  add(Notice{Notice::Kind::kDeviceOutput, std::string("hello\n\0world", 12), 0});
  add(Notice{Notice::Kind::kDeviceErrors, "an assertion failed\n", 0});
  add(Notice{Notice::Kind::kHostFunction, "", 77});
  add(Notice{Notice::Kind::kHostFunctionGone, "", 78});
  add(Notice{Notice::Kind::kDriverLog, "The driver says so.", 1});
  add(Notice{Notice::Kind::kDevice, "", uint64_t{3} << 32 | 4, 1, 4096});
  add(Heartbeat{true});
  return out;
}

TEST(Envelope, EveryKindThereAndBack) {
  for (const Envelope& envelope : one_of_each()) {
    const auto bytes = encode_envelope(envelope);
    ASSERT_TRUE(bytes) << bytes.error().message;
    EXPECT_EQ(bytes->size() % 8, 0u);
    const auto back = decode_envelope(*bytes);
    ASSERT_TRUE(back) << envelope_kind_name(envelope) << ": " << back.error().message;
    EXPECT_EQ(back->first_sequence, 5u);
    EXPECT_EQ(back->command_count, 2u);
    EXPECT_EQ(back->acknowledged, 3u);
    ASSERT_EQ(back->kind.index(), envelope.kind.index());
    // The same again: nothing was lost on the way.
    EXPECT_EQ(encode_envelope(*back).value(), *bytes) << envelope_kind_name(envelope);
  }
}

TEST(Envelope, TheFrequentKindsAreSmall) {
  for (const auto& kind : {Envelope{.kind = CommandsFrame{}}, Envelope{.kind = RepliesFrame{}}}) {
    EXPECT_LE(encode_envelope(kind).value().size(), 48u);
  }
}

TEST(Envelope, FieldsSurvive) {
  const auto back = decode_envelope(encode_envelope(Envelope{.kind = full_welcome()}).value());
  ASSERT_TRUE(back);
  const auto* welcome = back->as<WelcomeInfo>();
  ASSERT_NE(welcome, nullptr);
  EXPECT_EQ(welcome->session_id, 99u);
  EXPECT_EQ(welcome->granted.memory_bytes, 1u << 30);
  EXPECT_EQ(welcome->address_range, (AddressHole{0x10'0000'0000, 1u << 20}));
  ASSERT_EQ(welcome->devices.size(), 2u);
  const DeviceSnapshot& device = welcome->devices[1];
  EXPECT_EQ(device.name, "Device 1");
  EXPECT_EQ(device.uuid[15], 1);
  EXPECT_EQ(device.luid[7], 8);
  EXPECT_EQ(device.attributes.at(2), (AttributeValue{3, 2'000'000'000'000}));
  EXPECT_EQ(device.greatest_stream_priority, -5);

  const auto hello_back = decode_envelope(encode_envelope(Envelope{.kind = full_hello()}).value());
  ASSERT_TRUE(hello_back);
  const auto* hello = hello_back->as<HelloInfo>();
  EXPECT_EQ(hello->process_name, "vectorAdd");
  EXPECT_EQ(hello->purpose, SessionPurpose::kQuery);
  EXPECT_EQ(hello->requested, (LeaseTerms{"lease-1", 1u << 20, 30, -2}));
  EXPECT_EQ(hello->address_holes.size(), 2u);
}

TEST(Envelope, TruncatedAtEveryByteIsRefusedOrReadAsLess) {
  for (const Envelope& envelope : one_of_each()) {
    const auto bytes = encode_envelope(envelope).value();
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto cut = decode_envelope(std::span(bytes).first(size));
      if (!cut) {
        EXPECT_EQ(cut.error().kind, ErrorKind::kProtocolViolation);
      } else {
        // A pointer to what is gone would be an error, so only a tail that nothing points to can be
        // missing without notice; there is none.
        ADD_FAILURE() << envelope_kind_name(envelope) << " was accepted with " << size << " of "
                      << bytes.size() << " bytes";
      }
    }
  }
}

TEST(Envelope, LargestServerFits) {
  WelcomeInfo welcome = full_welcome();
  welcome.devices.clear();
  for (int i = 0; i < 16; ++i) {
    DeviceSnapshot device = full_welcome().devices[0];
    device.attributes.resize(160, {1, 1});
    welcome.devices.push_back(device);
  }
  const auto bytes = encode_envelope(Envelope{.kind = welcome});
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(decode_envelope(*bytes).value().as<WelcomeInfo>()->devices.size(), 16u);
}

TEST(Envelope, TooLargeIsAnErrorNotAMessage) {
  WelcomeInfo welcome;
  welcome.devices.resize(limits::kDevices);
  for (auto& device : welcome.devices) device.attributes.resize(limits::kDeviceAttributes);
  const auto bytes = encode_envelope(Envelope{.kind = welcome});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(bytes.error().message.find("welcome"), std::string::npos);
}

TEST(Envelope, LongTextsAreCutWhenSent) {
  const Envelope envelope{.kind = Refusal{ErrorKind::kInternal, std::string(100'000, 'x')}};
  const auto back = decode_envelope(encode_envelope(envelope).value());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->as<Refusal>()->message.size(), limits::kMessageBytes);
  HelloInfo hello;
  hello.host_name = std::string(1000, 'h');
  EXPECT_EQ(decode_hello(encode_hello(hello)).value().host_name.size(), limits::kNameBytes);
}

TEST(Envelope, SizesThatCannotBeAreRefused) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{7}, size_t{12}, size_t{limits::kEnvelopeBytes + 8}}) {
    const auto envelope = decode_envelope(std::vector<std::byte>(size));
    ASSERT_FALSE(envelope) << size;
    EXPECT_EQ(envelope.error().kind, ErrorKind::kProtocolViolation);
  }
}

TEST(Envelope, SequencesMustNotWrapAround) {
  const Envelope envelope{.first_sequence = ~uint64_t{0}, .command_count = 2, .kind = CommandsFrame{}};
  EXPECT_FALSE(decode_envelope(encode_envelope(envelope).value()));
}

TEST(Envelope, AddressRangesMustNotWrapAround) {
  HelloInfo hello;
  hello.address_holes = {{~uint64_t{0} - 10, 100}};
  EXPECT_FALSE(decode_hello(encode_hello(hello)));
}

TEST(Envelope, OtherKindsAreNoHello) {
  const auto hello = decode_hello(encode_envelope(Envelope{.kind = Heartbeat{}}).value());
  ASSERT_FALSE(hello);
  EXPECT_NE(hello.error().message.find("heartbeat"), std::string::npos);
}

TEST(Envelope, RandomBytesAndFlippedBitsNeverBreakIt) {
  std::mt19937 random(2);
  std::vector<std::vector<std::byte>> seeds;
  for (const Envelope& envelope : one_of_each()) seeds.push_back(encode_envelope(envelope).value());
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> data;
    if (round % 4 == 0) {
      data.resize(8 * (random() % 30));
      for (auto& byte : data) byte = static_cast<std::byte>(random());
    } else {
      data = seeds[random() % seeds.size()];
      for (unsigned flips = 1 + random() % 4; flips != 0; --flips)
        data[random() % data.size()] ^= static_cast<std::byte>(1u << random() % 8);
    }
    const auto envelope = decode_envelope(data);
    if (!envelope) {
      ++refused;
      ASSERT_EQ(envelope.error().kind, ErrorKind::kProtocolViolation);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace outboard::wire
