// The command line of `outboard`, parsed into plain values. Only this file's .cc knows CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace outboard::cli {

// Exit codes of our own. Those of `run` are the ones of env(1), so that they are unlikely to be
// mistaken for the program's.
inline constexpr int kUsageExitCode = 2;
inline constexpr int kRunFailedExitCode = 125;
inline constexpr int kCannotExecuteExitCode = 126;
inline constexpr int kNotFoundExitCode = 127;

// How much `outboard run` says about what the program did, on standard error, after it ended.
enum class Summary {
  kQuiet,  // nothing
  kLine,   // one line for the whole run
  kFull,   // also a line for each process that used a device
};

struct RunOptions {
  std::optional<std::string> server;        // --server; else OUTBOARD_SERVER, the file, a private server
  std::optional<std::string> driver;        // --driver of a private server: a path, "auto" or "softgpu"
  std::optional<uint64_t> memory_bytes;     // --memory: lease terms asked for
  std::optional<uint32_t> compute_percent;  // --compute, 1 to 100
  std::optional<std::string> log_level;
  Summary summary = Summary::kLine;
  std::vector<std::string> command;  // the program and its arguments; never empty
};

enum class OutputFormat { kTable, kJson };

struct DevicesOptions {
  std::optional<std::string> server;
  std::optional<std::string> driver;
  OutputFormat format = OutputFormat::kTable;
};

// How `outboard smi --query-gpu` prints: nvidia-smi's --format=csv[,noheader][,nounits].
struct SmiFormat {
  bool header = true;
  bool units = true;
};

struct SmiOptions {
  std::optional<std::string> server;
  bool list = false;               // -L
  std::vector<std::string> query;  // --query-gpu: fields; empty: the table
  SmiFormat format;
};

struct DoctorOptions {
  std::optional<std::string> server;
  std::vector<std::string> programs;  // programs to look at, as `run` would find them
  OutputFormat format = OutputFormat::kTable;
};

struct VersionOptions {
  OutputFormat format = OutputFormat::kTable;
};

// Nothing to carry out: `text` is what to print (help, or a usage error).
struct PrintAndExit {
  std::string text;
  int exit_code = 0;  // not 0: a usage error, for standard error
};

using Command =
    std::variant<RunOptions, DevicesOptions, SmiOptions, DoctorOptions, VersionOptions, PrintAndExit>;

// Everything from PROGRAM on (or from "--" on) belongs to the program, options included.
Command parse_command_line(int argc, const char* const* argv);

}  // namespace outboard::cli
