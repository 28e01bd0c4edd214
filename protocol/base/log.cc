#include "protocol/base/log.h"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include "protocol/base/bytes.h"

namespace outboard {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kDebug: return spdlog::level::debug;
  }
  return spdlog::level::off;
}

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err: return "error";
    case spdlog::level::warn: return "warn";
    case spdlog::level::info: return "info";
    default: return "debug";
  }
}

// Opens `path` anew for every line: see Logger. O_APPEND makes lines of several processes whole.
int open_log_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

// One write() a line. No lock: spdlog's own sinks hold a mutex, which a fork at the wrong moment
// would leave locked for ever in the child.
class LineSink final : public spdlog::sinks::sink {
 public:
  LineSink(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  void log(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    format(message, line);
    const int saved_errno = errno;  // the application's, when a call of ours logs
    const int fd = path_.empty() ? descriptor_ : open_log_file(path_);
    if (fd >= 0) write_all(fd, line.data(), line.size());
    if (fd >= 0 && !path_.empty()) ::close(fd);
    errno = saved_errno;
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  // "2026-01-31T12:00:00.123Z [4711] warn libcuda: message". Not spdlog's formatter: that one asks
  // the C library for the calendar date, which takes the time zone's lock.
  static void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) {
    const auto time = std::chrono::floor<std::chrono::milliseconds>(message.time);
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    fmt::format_to(std::back_inserter(line), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z [{}] {} {}: {}\n",
                   static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                   static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                   clock.seconds().count(), clock.subseconds().count(), ::getpid(), level_name(message.level),
                   message.logger_name, message.payload);
  }

  static void write_all(int fd, const char* data, size_t size_bytes) {
    while (size_bytes != 0) {
      const ssize_t written = ::write(fd, data, size_bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      data += written;
      size_bytes -= static_cast<size_t>(written);
    }
  }

  const std::string path_;
  const int descriptor_;
};

}  // namespace

struct Logger::Impl {
  mutable spdlog::logger logger;
};

std::string_view log_level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return "error";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kInfo: return "info";
    case LogLevel::kDebug: return "debug";
  }
  return "unknown";
}

Result<LogLevel> parse_log_level(std::string_view given) {
  for (const auto level : {LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
    if (given == log_level_name(level)) return level;
  }
  return fail(ErrorKind::kInvalidArgument,
              text("'", printable(given, 64), "' is not a log level; error, warn, info and debug are."));
}

Result<Logger> Logger::open(const LogOptions& options) {
  if (!options.file_path.empty()) {
    const int fd = open_log_file(options.file_path);
    if (fd < 0) {
      return fail(ErrorKind::kInvalidArgument,
                  text("The log file '", options.file_path,
                       "' cannot be opened for writing: ", std::strerror(errno), "."));
    }
    ::close(fd);
  }
  Logger out;
  auto impl = std::make_shared<Impl>(
      Impl{spdlog::logger(options.name, std::make_shared<LineSink>(options.file_path, options.descriptor))});
  impl->logger.set_level(to_spdlog(options.level));
  impl->logger.set_error_handler([](const std::string&) {});  // its default prints
  out.impl_ = std::move(impl);
  return out;
}

bool Logger::enabled(LogLevel level) const { return impl_ && impl_->logger.should_log(to_spdlog(level)); }

void Logger::log(LogLevel level, std::string_view message) const {
  if (enabled(level))
    impl_->logger.log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace outboard
