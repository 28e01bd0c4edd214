// Every generated message: it survives a round trip, with default and with awkward values, and no prefix of
// its encoding, and nothing longer, decodes.
#include <gtest/gtest.h>

#include "protocol/wire/opcodes_gen.h"
#include "tests/wire/message_samples_gen.h"

namespace outboard::wire {
namespace {

class GeneratedMessages : public testing::TestWithParam<MessageFamily> {};

TEST_P(GeneratedMessages, RoundTripAndTruncation) {
  for (const MessageCheck& check : GetParam().checks) {
    for (const std::string& complaint : check.run()) ADD_FAILURE() << check.name << ": " << complaint;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GeneratedMessages, testing::ValuesIn(all_message_families()),
                         [](const auto& family) { return std::string(family.param.name); });

TEST(GeneratedOpcodes, EveryMessageIsChecked) {
  size_t checks = 0;
  for (const MessageFamily& family : all_message_families()) checks += family.checks.size();
  size_t opcodes = 0;
  for (uint16_t number = 0; number <= kLastOpcode; ++number) opcodes += is_opcode(number) ? 1 : 0;
  EXPECT_EQ(checks, 2 * opcodes);
}

TEST(GeneratedOpcodes, NumbersOutsideAreNone) {
  EXPECT_FALSE(is_opcode(0));
  EXPECT_FALSE(is_opcode(kLastOpcode + 1));
  EXPECT_FALSE(is_opcode(0xFFFF));
  EXPECT_STREQ(opcode_name(static_cast<Opcode>(0xFFFF)), "unknown");
  EXPECT_FALSE(opcode_info(static_cast<Opcode>(0xFFFF)).no_reply);
}

TEST(GeneratedOpcodes, TraitsAreTheRegistrys) {
  EXPECT_TRUE(opcode_info(Opcode::kLaunchKernel).launches);
  EXPECT_TRUE(opcode_info(Opcode::kLaunchKernel).no_reply);
  EXPECT_TRUE(opcode_info(Opcode::kStreamSynchronize).waits);
  EXPECT_TRUE(opcode_info(Opcode::kMemcpyHtoD).request_bulk);
  EXPECT_TRUE(opcode_info(Opcode::kMemcpyDtoH).reply_bulk);
  EXPECT_TRUE(opcode_info(Opcode::kMemAlloc).allocates);
  EXPECT_TRUE(opcode_info(Opcode::kEventCreate).creates);
  EXPECT_TRUE(opcode_info(Opcode::kEventDestroyV2).destroys);
  EXPECT_STREQ(opcode_name(Opcode::kLaunchKernel), "LaunchKernel");
}

// An array may announce no more elements than the message could hold, and no more than the limit.
TEST(GeneratedDecoders, ArrayCountsAreBounded) {
  Writer writer;
  writer.varint(limits::kArrayElements + 1);
  writer.raw(std::vector<std::byte>(2 * (limits::kArrayElements + 1)));
  Reader reader(writer.view());
  EXPECT_EQ(array_count(reader, 2), 0u);
  EXPECT_TRUE(reader.failed());

  Writer liar;
  liar.varint(1000);
  Reader short_one(liar.view());
  EXPECT_EQ(array_count(short_one, 1), 0u);
  EXPECT_TRUE(short_one.failed());
}

}  // namespace
}  // namespace outboard::wire
