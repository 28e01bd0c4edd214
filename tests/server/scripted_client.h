// The client's side of a session, frame by frame, as a test wants it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocol/transport/loopback.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/opcodes_gen.h"
#include "server/worker/worker_session.h"
#include "tests/server/fake_driver.h"

namespace outboard::server::testing {

struct Answer {
  uint64_t sequence = 0;
  CUresult result = CUDA_SUCCESS;
  CUresult deferred = CUDA_SUCCESS;
  wire::Opcode deferred_opcode{};
  std::vector<std::byte> body;
  std::vector<std::byte> bulk;
};

// A worker session on a thread of its own, and a client that speaks to it over a loopback pair.
class ScriptedClient {
 public:
  explicit ScriptedClient(const DriverApi& driver, SessionConfig config = {});
  ~ScriptedClient();

  // Sends one command in a frame of its own; returns its sequence.
  template <typename Request>
  uint64_t send(const Request& request, bool wants_reply, std::span<const std::byte> bulk = {}) {
    wire::Writer body;
    request.encode(body);
    return send_raw(Request::kOpcode, wants_reply, body.view(), bulk);
  }
  uint64_t send_raw(wire::Opcode opcode, bool wants_reply, std::span<const std::byte> body,
                    std::span<const std::byte> bulk = {});
  void send_frame(const wire::Envelope& envelope, std::span<const std::byte> commands = {});

  // The reply to this command, in whatever order replies come. Fails the test if the session ends.
  Answer wait(uint64_t sequence);
  template <typename Request>
  Answer call(const Request& request, std::span<const std::byte> bulk = {}) {
    return wait(send(request, true, bulk));
  }

  // Reads until the server says goodbye or hangs up.
  std::optional<wire::Goodbye> wait_for_goodbye();
  // Hangs up without a word and waits for the end of the session.
  SessionEnd hang_up();
  // Says goodbye and waits.
  SessionEnd leave();
  SessionEnd join();

  WorkerSession& session() { return *session_; }
  const wire::WelcomeInfo& welcome() const { return welcome_; }
  const std::vector<wire::Notice>& notices() const { return notices_; }
  // Reads frames until one notice more has come.
  wire::Notice wait_for_notice();
  uint64_t acknowledged() const { return acknowledged_; }

  wire::Handle context{1, 1};  // sent with every command; the primary context of device 0

 private:
  bool read_frame();

  std::unique_ptr<transport::Transport> client_;
  std::unique_ptr<transport::Transport> server_;
  std::unique_ptr<WorkerSession> session_;
  SessionEnd end_;
  std::thread thread_;
  wire::WelcomeInfo welcome_;
  std::optional<wire::FrameSender> sender_;
  std::optional<wire::FrameReceiver> receiver_;
  std::deque<Answer> answers_;
  std::vector<wire::Notice> notices_;
  std::optional<wire::Goodbye> goodbye_;
  uint64_t next_sequence_ = 1;
  uint64_t acknowledged_ = 0;
};

}  // namespace outboard::server::testing
