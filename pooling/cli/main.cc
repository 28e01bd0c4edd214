// The program `outboard`.
#include <cstdio>
#include <exception>

#include "pooling/cli/commands.h"
#include "pooling/cli/version.h"
#include "protocol/wire/handshake.h"

namespace outboard::cli {

void say(std::string_view message) {
  std::fflush(stdout);
  std::fprintf(stderr, "outboard: %.*s\n", static_cast<int>(message.size()), message.data());
}

int version_command(const VersionOptions& options) {
  if (options.format == OutputFormat::kJson) {
    std::printf("{\"version\": \"%s\", \"protocol_version\": %u, \"oldest_protocol_version\": %u}\n",
                kVersion, wire::kProtocolVersion, wire::kOldestProtocolVersion);
  } else {
    std::printf("outboard %s, protocol version %u (oldest spoken: %u)\n", kVersion, wire::kProtocolVersion,
                wire::kOldestProtocolVersion);
  }
  return 0;
}

namespace {

struct Execute {
  int operator()(const RunOptions& options) const { return run_command(options); }
  int operator()(const DevicesOptions& options) const { return devices_command(options); }
  int operator()(const SmiOptions& options) const { return smi_command(options); }
  int operator()(const DoctorOptions& options) const { return doctor_command(options); }
  int operator()(const VersionOptions& options) const { return version_command(options); }
  int operator()(const PrintAndExit& print) const {
    std::fputs(print.text.c_str(), print.exit_code == 0 ? stdout : stderr);
    return print.exit_code;
  }
};

}  // namespace
}  // namespace outboard::cli

int main(int argc, char** argv) {
  try {
    return std::visit(outboard::cli::Execute{}, outboard::cli::parse_command_line(argc, argv));
  } catch (const std::exception& error) {
    outboard::cli::say(std::string("unexpected failure: ") + error.what() + ".");
    return outboard::cli::kRunFailedExitCode;
  }
}
