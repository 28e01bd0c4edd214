// What the generated tests of generated calls do with each of them: a client of a scripted server,
// handles of every kind, and what is expected of a call.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"

namespace outboard::client {

class CallProbe {
 public:
  using Run = std::function<CUresult()>;

  CallProbe(std::string symbol, wire::Opcode opcode);

  Client& client() { return test_.client; }
  // As the application has it: of an object that exists, of one of another kind, of one that is gone.
  uint64_t live(wire::HandleKind kind);
  uint64_t other(wire::HandleKind kind);
  uint64_t dead(wire::HandleKind kind);

  // The call fails so, in the client: `what` it was given, for the complaint.
  void expect(const std::string& what, CUresult result, CUresult expected);
  void without_context(const Run& run);
  // A value of an enum that no header of ours has, in `field` of the command: the server gets it as it is,
  // and judges.
  static constexpr uint32_t kUnknown = 0x7fff'fff1;
  template <typename Request>
  void hands_on(const std::string& what, const Run& run, uint32_t Request::* field) {
    const std::optional<SeenCommand> seen = sent_by(what, run, wire::opcode_info(Request::kOpcode).no_reply);
    if (seen && seen->as<Request>().*field != kUnknown)
      complain("an unknown " + what + " arrives as another value");
  }
  // The last step, with arguments that are right: the server's error comes back; or, for a call that
  // nobody waits for, the command arrives. Nothing else of this kind has.
  void passes_on(const Run& run);
  void is_posted(const Run& run);

  // Sentences; empty if all is well.
  std::vector<std::string> take_complaints();

 private:
  // Sends the command; nothing, with a complaint, if it does not arrive.
  std::optional<SeenCommand> sent_by(const std::string& what, const Run& run, bool posted);
  void complain(const std::string& what);
  size_t commands();

  const std::string symbol_;
  const wire::Opcode opcode_;
  ClientTest test_;
  CUcontext context_ = nullptr;
  size_t expected_commands_ = 0;
  std::vector<std::string> complaints_;
};

struct CallCheck {
  const char* symbol;
  wire::Opcode opcode;
  void (*check)(CallProbe& probe);
};
std::vector<CallCheck> all_call_checks();  // generated

}  // namespace outboard::client
