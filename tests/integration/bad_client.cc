// A client that says hello as it should and then breaks the protocol in the way it is told to:
//   bad_client ADDRESS random|huge|magic|opcode|count|body|silent|version
// Prints how the server answers: "goodbye: ...", "refusal: ...", "hung up", or "welcome" where it
// need not answer; ends with 0 if the server answered as it must, else with 1.
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/transport/connect.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/handshake.h"

using namespace outboard;

namespace {

constexpr uint16_t kNoSuchOpcode = 0xfff0;

void send_raw(transport::Transport& server, std::span<const std::byte> bytes) {
  const transport::ConstBuffer pieces[] = {bytes};
  // The server may have hung up already; what it said before is what counts.
  [[maybe_unused]] const Status sent = server.send(pieces);
}

std::vector<std::byte> random_bytes(size_t count) {
  std::vector<std::byte> bytes(count);
  uint32_t state = 12345;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

std::vector<std::byte> header(uint32_t magic, uint32_t envelope, uint32_t commands, uint32_t bulk) {
  std::vector<std::byte> bytes(wire::kFrameHeaderBytes);
  const uint32_t words[] = {magic, envelope, commands, bulk};
  std::memcpy(bytes.data(), words, sizeof words);
  return bytes;
}

// A frame whose commands section is `section`, announced as `count` commands.
void send_commands(transport::Transport& server, std::span<const std::byte> section, uint32_t count) {
  wire::Envelope envelope;
  envelope.first_sequence = 1;
  envelope.command_count = count;
  envelope.kind = wire::CommandsFrame{};
  wire::FrameSender sender(server);
  [[maybe_unused]] const Status sent = sender.send(envelope, section);
}

wire::CommandFields command(uint16_t opcode) {
  wire::CommandFields fields;
  fields.opcode = static_cast<wire::Opcode>(opcode);
  fields.wants_reply = true;
  return fields;
}

bool misbehave(transport::Transport& server, const std::string& how) {
  constexpr uint32_t kMagic = 0x3146424F;  // "OBF1"
  wire::CommandWriter writer;
  if (how == "random") {
    send_raw(server, random_bytes(100'000));
  } else if (how == "huge") {
    send_raw(server, header(kMagic, 64, 0xffffffffu, 0xffffffffu));
  } else if (how == "magic") {
    send_raw(server, header(kMagic + 1, 64, 0, 0));
  } else if (how == "opcode") {
    writer.append(command(kNoSuchOpcode), {});
    send_commands(server, writer.view(), 1);
  } else if (how == "count") {
    writer.append(command(1), {});
    send_commands(server, writer.view(), 1'000'000);
  } else if (how == "body") {
    for (uint16_t opcode = 1; opcode < 20; ++opcode) {
      writer.append(command(opcode), random_bytes(opcode * 7));
    }
    send_commands(server, writer.view(), 19);
  } else {
    return false;
  }
  return true;
}

// What comes from the server until it ends the connection.
int report(transport::Transport& server) {
  wire::FrameReceiver receiver(server);
  while (true) {
    auto frame = receiver.receive();
    if (!frame) {
      std::cout << "hung up: " << frame.error().message << std::endl;
      return 1;
    }
    if (const auto* goodbye = frame->envelope.as<wire::Goodbye>()) {
      std::cout << "goodbye: " << goodbye->message << std::endl;
      return goodbye->orderly || goodbye->message.empty() ? 1 : 0;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string how = argv[2];
  auto server = transport::connect(argv[1]);
  if (!server) {
    std::cout << "not connected: " << server.error().message << std::endl;
    return 1;
  }
  wire::HelloInfo hello;
  hello.client_version = "0";
  hello.host_name = "test";
  hello.process_name = "bad_client";
  if (how == "version") {
    hello.protocol_version = 99;
    hello.oldest_protocol_version = 98;
  }
  auto welcome = wire::greet(**server, hello, SystemClock().now() + std::chrono::seconds(30));
  if (!welcome) {
    std::cout << "refusal: " << welcome.error().message << std::endl;
    return how == "version" ? 0 : 1;
  }
  if (how == "silent") {  // stays until it is killed
    std::cout << "welcome" << std::endl;
    std::this_thread::sleep_for(std::chrono::minutes(10));
  }
  if (!misbehave(**server, how)) return 2;
  return report(**server);
}
