// Every generated call of the client: null pointers, foreign and dead handles, unknown devices and
// attributes, broken conditions and a missing context are refused before anything is sent; values of
// enums that no header has travel as they are; errors of the server come back; a malformed reply ends
// the session.
#include <gtest/gtest.h>

#include "tests/client/call_probe.h"

namespace outboard::client {
namespace {

TEST(GeneratedCalls, RefuseWhatIsWrongAndPassOnTheRest) {
  const std::vector<CallCheck> checks = all_call_checks();
  EXPECT_GT(checks.size(), 150u);
  for (const CallCheck& check : checks) {
    CallProbe probe(check.symbol, check.opcode);
    check.check(probe);
    for (const std::string& complaint : probe.take_complaints()) ADD_FAILURE() << complaint;
  }
}

}  // namespace
}  // namespace outboard::client
