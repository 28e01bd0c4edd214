// Log lines for people. Never standard output; in a guest library nothing below `warn` unless the
// user asked for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace outboard {

enum class LogLevel { kError = 0, kWarn = 1, kInfo = 2, kDebug = 3 };

std::string_view log_level_name(LogLevel level);  // "error", "warn", "info", "debug"
Result<LogLevel> parse_log_level(std::string_view text);

struct LogOptions {
  LogLevel level = LogLevel::kWarn;
  std::string file_path = {};  // empty: `descriptor`
  int descriptor = 2;          // standard error; another one that stays open
  std::string name = {};       // who speaks: "outboard-server", "worker 3", "libcuda"
};

// A value that is passed to whoever may log; copies share the same sink. A default-constructed
// Logger is silent. All functions may be called from any thread, also after fork(): a line is one
// write(), no lock is held, and a log file is opened for each line, because a guest cannot rely on
// its descriptors staying open. Failing to write is ignored.
class Logger {
 public:
  Logger() = default;
  // kInvalidArgument when the file cannot be opened for appending.
  static Result<Logger> open(const LogOptions& options);

  bool enabled(LogLevel level) const;  // ask before building an expensive message
  void log(LogLevel level, std::string_view message) const;
  void error(std::string_view message) const { log(LogLevel::kError, message); }
  void warn(std::string_view message) const { log(LogLevel::kWarn, message); }
  void info(std::string_view message) const { log(LogLevel::kInfo, message); }
  void debug(std::string_view message) const { log(LogLevel::kDebug, message); }

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace outboard
