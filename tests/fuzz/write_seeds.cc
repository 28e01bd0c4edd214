// Writes one seed per kind of message: write_fuzz_seeds FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "protocol/base/bytes.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/frame.h"
#include "tests/wire/samples.h"

using namespace outboard;
using namespace outboard::wire;

namespace {

void write(const std::filesystem::path& folder, const std::string& name, ByteSpan content) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary)
      .write(as_text(content).data(), static_cast<std::streamsize>(content.size()));
}

// A frame, behind the byte by which the target chooses how to read it.
Writer frame_seed(const Envelope& envelope, ByteSpan commands, ByteSpan bulk) {
  const auto encoded = encode_envelope(envelope).value();
  std::array<std::byte, kFrameHeaderBytes> header;
  write_frame_header({static_cast<uint32_t>(encoded.size()), static_cast<uint32_t>(commands.size()),
                      static_cast<uint32_t>(bulk.size())},
                     header);
  Writer out;
  out.u8(0x40);
  out.raw(header);
  out.raw(encoded);
  out.raw(commands);
  out.raw(bulk);
  return out;
}

// Commands or replies, behind their number and their bulk data.
Writer commands_seed(uint8_t count, ByteSpan commands, ByteSpan bulk) {
  Writer out;
  out.u8(count);
  out.bytes(bulk);
  out.raw(commands);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::filesystem::path root = argv[1];
  const std::array<std::byte, 5> bulk{};
  CommandWriter commands;
  commands.append({.opcode = static_cast<Opcode>(1)}, as_bytes("body"));
  commands.append(
      {.opcode = static_cast<Opcode>(300), .wants_reply = true, .context = {1, 1}, .capture_mode = 1}, {}, 5);
  ReplyWriter replies;
  replies.append({.sequence = 1}, as_bytes("body"), 5);
  replies.append(
      {.sequence = 300, .result = 700, .deferred_result = 2, .deferred_opcode = static_cast<Opcode>(9)}, {});

  const Envelope kinds[] = {{.command_count = 2, .kind = CommandsFrame{}},
                            {.command_count = 2, .kind = RepliesFrame{}},
                            {.kind = testing::full_hello()},
                            {.kind = testing::full_welcome()},
                            {.kind = Refusal{ErrorKind::kOverloaded, "Full."}},
                            {.kind = Goodbye{false, ErrorKind::kInternal, "Broken."}},
                            {.kind = Notice{Notice::Kind::kMessage, "Hello.", 0}},
                            {.kind = Notice{Notice::Kind::kDeviceOutput, "printed", 0}},
                            {.kind = Notice{Notice::Kind::kDriverLog, "Wrong.", 1}},
                            {.kind = Notice{Notice::Kind::kDevice, "", 5, 1, 4096}},
                            {.kind = Heartbeat{true}}};
  int number = 0;
  for (const Envelope& envelope : kinds) {
    const std::string name = text(envelope_kind_name(envelope), "-", number++);
    write(root / "fuzz_envelope", name, encode_envelope(envelope).value());
    const bool is_replies = envelope.as<RepliesFrame>() != nullptr;
    const bool has_commands = is_replies || envelope.as<CommandsFrame>() != nullptr;
    const ByteSpan section = is_replies ? replies.view() : commands.view();
    write(
        root / "fuzz_frame", name,
        frame_seed(envelope, has_commands ? section : ByteSpan{}, has_commands ? ByteSpan(bulk) : ByteSpan{})
            .view());
  }
  write(root / "fuzz_commands", "commands", commands_seed(2, commands.view(), bulk).view());
  write(root / "fuzz_commands", "replies", commands_seed(2, replies.view(), bulk).view());
  return 0;
}
