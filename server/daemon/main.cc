// outboard-server: serves this machine's devices.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "server/daemon/server.h"
#include "server/daemon/server_options.h"
#include "server/device/driver_library.h"

namespace outboard::server {
namespace {

// For the signal handler, which can reach nothing else. Set before the handler is installed.
Server* stopped_by_signals = nullptr;

void on_stop_signal(int) { stopped_by_signals->stop(); }

void stop_on_signals(Server& server) {
  stopped_by_signals = &server;
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

// False when the parent is gone already.
bool end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  return ::getppid() == parent;
}

void tell_ready(int fd, const std::string& line) {
  if (fd < 0) return;
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
}

int serve(const ServerOptions& options) {
  const pid_t parent = ::getppid();
  auto log = Logger::open(options.log);
  if (!log) {
    std::fprintf(stderr, "outboard-server: %s\n", log.error().message.c_str());
    return 2;
  }
  if (options.exit_with_parent && !end_with_parent(parent)) return 0;
  const SystemClock clock;
  Server server(options, *log, clock);
  stop_on_signals(server);
  if (Status started = server.start(); !started) {
    log->error("The server cannot start. " + started.error().message);
    tell_ready(options.ready_fd, "error: " + started.error().message);
    return 1;
  }
  std::string addresses;
  for (const std::string& address : server.addresses()) addresses += (addresses.empty() ? "" : " ") + address;
  tell_ready(options.ready_fd, addresses);
  server.run();
  return 0;
}

}  // namespace
}  // namespace outboard::server

int main(int argc, char** argv) {
  using namespace outboard::server;
  const ParsedOptions parsed = parse_server_options(argc, argv, own_program_folder());
  if (parsed.run) return serve(parsed.options);
  std::fputs(parsed.text.c_str(), parsed.status == 0 ? stdout : stderr);
  if (parsed.options.ready_fd >= 0) {
    tell_ready(parsed.options.ready_fd, "error: " + parsed.text.substr(0, parsed.text.find('\n')));
  }
  return parsed.status;
}
