#include "server/daemon/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace outboard::server {
namespace {

// Runs in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_worker(const char* program, char* const* argv, int connection, int control,
                                pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the daemon ended before the line above
  // Both descriptors first move out of the way of 3 and 4.
  const int high_connection = connection >= 0 ? ::fcntl(connection, F_DUPFD, 10) : -1;
  const int high_control = ::fcntl(control, F_DUPFD, 10);
  if (high_control < 0 || ::dup2(high_control, kControlFd) < 0) ::_exit(127);
  ::close(kConnectionFd);
  if (connection >= 0 && (high_connection < 0 || ::dup2(high_connection, kConnectionFd) < 0)) ::_exit(127);
  ::syscall(SYS_close_range, kControlFd + 1, ~0u, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::execv(program, argv);
  ::_exit(127);
}

Error system_error(const std::string& what) {
  return Error{ErrorKind::kInternal, what + ": " + std::strerror(errno) + "."};
}

}  // namespace

std::string WorkerExit::describe() const {
  if (!by_signal) return "exited with status " + std::to_string(code);
  const char* name = ::strsignal(code);
  return "was killed by signal " + std::to_string(code) +
         (name ? std::string(" (") + name + ")" : std::string());
}

Result<WorkerProcess> WorkerProcess::start(const WorkerCommand& command, UniqueFd connection) {
  if (::access(command.program.c_str(), X_OK) != 0) {
    return fail(ErrorKind::kNotFound, "The worker program " + command.program +
                                          " cannot be started: " + std::strerror(errno) + ".");
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return tl::unexpected<Error>(system_error("A control socket for a worker could not be made"));
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);

  std::vector<std::string> words{command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return tl::unexpected<Error>(system_error("A worker process could not be forked"));
  if (pid == 0) become_worker(command.program.c_str(), argv.data(), connection.get(), theirs.get(), parent);
  // pidfd_open (Linux 5.3) makes the end of a process something that poll() can wait for.
  UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pid_fd) {
    const Error error = system_error("A worker process cannot be supervised (pidfd_open)");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected<Error>(error);
  }
  return WorkerProcess(pid, std::move(pid_fd), std::move(ours));
}

WorkerProcess::WorkerProcess(pid_t pid, UniqueFd pid_fd, UniqueFd control)
    : pid_(pid), pid_fd_(std::move(pid_fd)), control_(std::move(control)) {}

WorkerProcess::~WorkerProcess() {
  if (!pid_fd_) return;  // moved from, or reaped
  kill(SIGKILL);
  wait();
}

void WorkerProcess::kill(int signal) {
  if (pid_fd_) ::syscall(SYS_pidfd_send_signal, pid_fd_.get(), signal, nullptr, 0);
}

WorkerExit WorkerProcess::wait() {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pid_fd_.get()), &info, WEXITED);
  } while (result != 0 && errno == EINTR);
  pid_fd_.reset();
  if (result != 0) return WorkerExit{false, -1};
  return WorkerExit{info.si_code != CLD_EXITED, info.si_status};
}

}  // namespace outboard::server
