#include "pooling/cli/private_server.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>

#include "pooling/cli/child_process.h"

namespace outboard::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kStopGraceMs = 3000;
constexpr size_t kMaxReadyLineBytes = 4096;

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

bool ends_us(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

// Reads the one line that the server writes when it is ready, or when it knows that it cannot be.
// An empty line means that it ended without a word.
Result<std::string> read_ready_line(int fd, SignalQueue& signals, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  std::string line;
  while (line.size() < kMaxReadyLineBytes) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    pollfd waiting[] = {{fd, POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    const int ready = poll(waiting, 2, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready == 0) {
      return fail(ErrorKind::kOverloaded, "the private server did not become ready within " +
                                              std::to_string(timeout.count()) + " ms.");
    }
    if (waiting[1].revents != 0 && ends_us(signals.take().number)) {
      return fail(ErrorKind::kDisconnected, "interrupted while the private server was starting.");
    }
    if (waiting[0].revents == 0) continue;
    char bytes[256];
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    line.append(bytes, static_cast<size_t>(got));
    if (line.find('\n') != std::string::npos) break;
  }
  return line.substr(0, line.find('\n'));
}

std::string with_log(const std::string& message, const std::string& log_path) {
  const std::string tail = log_tail(log_path, 8);
  return tail.empty() ? message : message + " Its last words:\n" + tail;
}

}  // namespace

std::string log_tail(const std::string& path, size_t lines) {
  std::ifstream file(path);
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back("  " + line);
    if (last.size() > lines) last.pop_front();
  }
  std::string text;
  for (const std::string& line : last) text += (text.empty() ? "" : "\n") + line;
  return text;
}

Result<std::unique_ptr<PrivateServer>> PrivateServer::start(const PrivateServerOptions& options,
                                                            const PrivateFolder& folder,
                                                            SignalQueue& signals) {
  int ready_pipe[2];
  if (pipe2(ready_pipe, O_CLOEXEC) != 0) {
    return fail(ErrorKind::kInternal, std::string("pipe failed: ") + std::strerror(errno) + ".");
  }
  const OwnedFd ready(ready_pipe[0]);
  OwnedFd ready_writer(ready_pipe[1]);
  const std::string log_path = folder.file("server.log");
  const OwnedFd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string socket = "unix:" + folder.file("s");

  SpawnOptions spawning;
  spawning.command = {options.server_program,
                      "--listen",
                      socket,
                      "--exit-with-parent",
                      "--ready-fd",
                      std::to_string(ready_writer.get()),
                      "--driver",
                      options.driver,
                      "--log-level",
                      options.log_level};
  spawning.own_process_group = true;
  spawning.output_fd = log.get();
  spawning.keep_fd = ready_writer.get();
  const Result<pid_t> process = spawn(spawning, signals);
  if (!process)
    return fail(process.error().kind, "The private server cannot be started: " + process.error().message);
  ready_writer.reset();
  std::unique_ptr<PrivateServer> server(new PrivateServer(*process));

  const Result<std::string> line = read_ready_line(ready.get(), signals, options.ready_timeout);
  if (!line) return fail(line.error().kind, with_log(line.error().message, log_path));
  if (line->starts_with("error: ")) {
    return fail(ErrorKind::kInternal,
                "The private server cannot serve: " + line->substr(std::strlen("error: ")));
  }
  if (line->empty()) {
    return fail(ErrorKind::kInternal, with_log("The private server ended before it was ready.", log_path));
  }
  server->address_ = line->substr(0, line->find(' '));
  return server;
}

PrivateServer::~PrivateServer() { end_child(process_id_, kStopGraceMs); }

}  // namespace outboard::cli
