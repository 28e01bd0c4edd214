// The worker's half of every command, generated or written by hand: a body that is cut anywhere ends
// the session and reaches nobody; handles that nobody made are not found.
#include <gtest/gtest.h>

#include "server/worker/dispatch_gen.h"
#include "server/worker/worker.h"
#include "tests/wire/message_samples_gen.h"

namespace outboard::server {
namespace {

class EveryCommand : public testing::Test {
 protected:
  DispatchOutcome run(wire::Opcode opcode, std::span<const std::byte> body) {
    wire::Reader reader(body);
    worker_.begin_command(opcode, ++sequence_);
    CommandOutput out;
    return dispatch(worker_, opcode, reader, {}, out);
  }

  DriverApi driver_;  // nothing is supported
  SessionState session_{driver_, 1, MemoryLedger::kUnlimited, Logger{}, [](uint64_t) {}, [](uint64_t) {}};
  Worker worker_{session_};
  uint64_t sequence_ = 0;
};

TEST_F(EveryCommand, CutAnywhereItEndsTheSession) {
  size_t commands = 0;
  for (const wire::MessageFamily& family : wire::all_message_families()) {
    for (const wire::CommandSample& command : family.commands) {
      const std::vector<std::byte> body = command.body();
      for (size_t length = 0; length < body.size(); ++length) {
        const DispatchOutcome outcome = run(command.opcode, std::span(body).first(length));
        EXPECT_NE(outcome.violation.find(wire::opcode_name(command.opcode)), std::string::npos)
            << wire::opcode_name(command.opcode) << " cut to " << length << " bytes";
        EXPECT_FALSE(outcome.deferred);
      }
      std::vector<std::byte> longer = body;
      longer.push_back({});
      EXPECT_FALSE(run(command.opcode, longer).violation.empty()) << wire::opcode_name(command.opcode);
      ++commands;
    }
  }
  size_t opcodes = 0;
  for (uint16_t number = 0; number <= wire::kLastOpcode; ++number) opcodes += wire::is_opcode(number) ? 1 : 0;
  EXPECT_EQ(commands, opcodes);
  EXPECT_EQ(session_.objects.count(), 0u);
}

// With every field set to something, over a driver that can do nothing.
TEST_F(EveryCommand, UnknownHandlesAndALackingDriverAreErrors) {
  for (const wire::MessageFamily& family : wire::all_message_families()) {
    for (const wire::CommandSample& command : family.commands) {
      DispatchOutcome outcome = run(command.opcode, command.body());
      if (!outcome.violation.empty()) {
        EXPECT_EQ(outcome.violation.back(), '.') << outcome.violation;
        continue;
      }
      CommandOutput out;
      const CUresult result = outcome.deferred ? outcome.deferred(out) : outcome.result;
      // Without its data a command may have nothing to do.
      const bool empty = wire::opcode_info(command.opcode).request_bulk;
      EXPECT_TRUE(empty || result != CUDA_SUCCESS) << wire::opcode_name(command.opcode);
    }
  }
}

}  // namespace
}  // namespace outboard::server
