// A server for tests of the client: answers commands as a test says, over an in-process connection.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "client-lib/session/client.h"
#include "protocol/transport/loopback.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/opcodes_gen.h"

namespace outboard::client {

// What a scripted command gets back.
struct Answer {
  CUresult result = CUDA_SUCCESS;
  std::vector<std::byte> body;
  std::vector<std::byte> bulk;
};

template <typename ReplyMessage>
Answer answer_with(const ReplyMessage& message, std::vector<std::byte> bulk = {}) {
  wire::Writer writer;
  message.encode(writer);
  return {CUDA_SUCCESS, writer.take(), std::move(bulk)};
}

// One command as it arrived.
struct SeenCommand {
  wire::Opcode opcode{};
  uint64_t sequence = 0;
  bool wants_reply = false;
  wire::Handle context;
  uint8_t capture_mode = 0;
  std::vector<std::byte> body;
  std::vector<std::byte> bulk;

  template <typename Request>
  Request as() const {
    Request request;
    wire::Reader reader(body);
    if (opcode != Request::kOpcode || !Request::decode(reader, request))
      throw std::runtime_error("not that command");
    return request;
  }
};

class ScriptedServer {
 public:
  using Script = std::function<Answer(const SeenCommand&)>;

  // A device with the limits of a common GPU.
  static wire::DeviceSnapshot device(uint8_t number);

  explicit ScriptedServer(int devices = 1);
  ~ScriptedServer();

  // What the client's Options::connect shall return.
  Result<Connection> connect();

  // Replaces the answer to a command (default: success and an empty reply of that kind).
  void on(wire::Opcode opcode, Script script);
  // The next reply carries this as the error of an earlier command.
  void defer(CUresult result, wire::Opcode opcode);
  // Without acknowledgements the client gathers.
  void acknowledge(bool on) { acknowledging_ = on; }
  // Sends a frame of the server's own accord.
  void send(const wire::Envelope& envelope);
  void send_raw(std::span<const std::byte> bytes);
  void hang_up();

  // Commands so far; waits until there are at least `count`.
  std::vector<SeenCommand> commands(size_t count = 0);
  std::vector<SeenCommand> commands_of(wire::Opcode opcode, size_t count = 0);
  bool saw_goodbye();

 private:
  void serve();
  void handle(const wire::Frame& frame);

  std::unique_ptr<transport::Transport> end_;
  std::unique_ptr<transport::Transport> client_end_;
  std::unique_ptr<wire::FrameSender> sender_;
  wire::WelcomeInfo welcome_;
  std::thread thread_;
  std::mutex mutex_;
  std::mutex send_mutex_;
  std::condition_variable changed_;
  std::map<wire::Opcode, Script> scripts_;
  std::vector<SeenCommand> seen_;
  CUresult deferred_ = CUDA_SUCCESS;
  wire::Opcode deferred_opcode_{};
  bool goodbye_ = false;
  std::atomic<bool> acknowledging_{true};
};

// A client of a scripted server, initialised, with the primary context of device 0 current.
class ClientTest {
 public:
  explicit ClientTest(int devices = 1, std::optional<std::string> visible = std::nullopt);
  ScriptedServer server;
  Client client;
  void make_current();
  // Device memory that the client believes in.
  CUdeviceptr memory(uint64_t address, uint64_t bytes);
};

}  // namespace outboard::client
