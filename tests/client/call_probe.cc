#include "tests/client/call_probe.h"

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_context_gen.h"

namespace outboard::client {
namespace {

using wire::HandleKind;

std::string name_of(CUresult result) { return "CUresult " + std::to_string(static_cast<int>(result)); }

}  // namespace

CallProbe::CallProbe(std::string symbol, wire::Opcode opcode) : symbol_(std::move(symbol)), opcode_(opcode) {
  test_.make_current();
  calls::cuCtxGetCurrent(client(), &context_);
}

uint64_t CallProbe::live(HandleKind kind) {
  wire::Handle handle;
  if (client().create_handle(kind, &handle) != CUDA_SUCCESS) complain("no handle could be made");
  return client().application_handle(kind, handle);
}

uint64_t CallProbe::other(HandleKind kind) {
  return live(kind == HandleKind::kEvent ? HandleKind::kGraph : HandleKind::kEvent);
}

uint64_t CallProbe::dead(HandleKind kind) {
  const uint64_t value = live(kind);
  wire::Handle handle;
  if (client().find_handle(kind, value, &handle) != CUDA_SUCCESS) complain("its own handle is not found");
  client().forget_handle(kind, handle);
  return value;
}

void CallProbe::expect(const std::string& what, CUresult result, CUresult expected) {
  if (result != expected) complain(what + " gives " + name_of(result) + " instead of " + name_of(expected));
}

void CallProbe::without_context(const Run& run) {
  calls::cuCtxSetCurrent(client(), nullptr);
  expect("a thread without context", run(), CUDA_ERROR_INVALID_CONTEXT);
  calls::cuCtxSetCurrent(client(), context_);
}

std::optional<SeenCommand> CallProbe::sent_by(const std::string& what, const Run& run, bool posted) {
  test_.server.on(opcode_, [](const SeenCommand&) { return Answer{CUDA_ERROR_TIMEOUT, {}, {}}; });
  expect("an unknown " + what, run(), posted ? CUDA_SUCCESS : CUDA_ERROR_TIMEOUT);
  ++expected_commands_;
  if (commands() != expected_commands_) return std::nullopt;  // take_complaints() says so
  return test_.server.commands_of(opcode_).back();
}

void CallProbe::passes_on(const Run& run) {
  // An error that nothing in the client makes up.
  test_.server.on(opcode_, [](const SeenCommand&) { return Answer{CUDA_ERROR_TIMEOUT, {}, {}}; });
  expect("an error of the server", run(), CUDA_ERROR_TIMEOUT);
  ++expected_commands_;
  // A reply that is not one ends the session; the server cannot be trusted any more.
  test_.server.on(opcode_, [](const SeenCommand&) {
    return Answer{CUDA_SUCCESS, std::vector<std::byte>(9, std::byte{0xFF}), {}};
  });
  expect("a reply that cannot be read", run(), Session::kLost);
  ++expected_commands_;
  expect("a lost session", run(), Session::kLost);
}

void CallProbe::is_posted(const Run& run) {
  expect("what is right", run(), CUDA_SUCCESS);
  ++expected_commands_;
}

size_t CallProbe::commands() {
  // What was sent before this has arrived when its reply is here.
  wire::CtxGetCacheConfigReply reply;
  (void)client().call(wire::CtxGetCacheConfigRequest{}, reply);
  const size_t own =
      opcode_ == wire::Opcode::kCtxGetCacheConfig && client().session().broken() == CUDA_SUCCESS;
  return test_.server.commands_of(opcode_).size() - own;
}

std::vector<std::string> CallProbe::take_complaints() {
  if (const size_t seen = commands(); seen != expected_commands_) {
    complain("the server got " + std::to_string(seen) + " commands instead of " +
             std::to_string(expected_commands_) + ": what is refused must not be sent");
  }
  return std::move(complaints_);
}

void CallProbe::complain(const std::string& what) { complaints_.push_back(symbol_ + ": " + what + "."); }

}  // namespace outboard::client
