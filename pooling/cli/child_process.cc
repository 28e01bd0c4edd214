#include "pooling/cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "protocol/base/result.h"

extern char** environ;

namespace outboard::cli {
namespace {

// Our environment with `changes` applied, as "NAME=value" strings.
std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& change : changes) replaced |= change.first == name;
    if (!replaced) merged.emplace_back(text);
  }
  for (const auto& [name, value] : changes) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child: only async-signal-safe calls, nothing is allocated.
[[noreturn]] void execute(const SpawnOptions& options, const SignalQueue& queue, char* const* arguments,
                          char** environment, int error_fd) {
  if (options.own_process_group) setpgid(0, 0);
  if (options.output_fd >= 0) {
    dup2(options.output_fd, STDOUT_FILENO);
    dup2(options.output_fd, STDERR_FILENO);
  }
  if (options.keep_fd >= 0) fcntl(options.keep_fd, F_SETFD, 0);
  pthread_sigmask(SIG_SETMASK, &queue.mask_before(), nullptr);
  execvpe(arguments[0], arguments, environment);
  const int error = errno;
  (void)!write(error_fd, &error, sizeof error);
  _exit(127);
}

tl::unexpected<Error> cannot_execute(const std::string& program, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return fail(ErrorKind::kNotFound, "the program \"" + program + "\" was not found.");
  }
  return fail(ErrorKind::kPermissionDenied,
              "\"" + program + "\" cannot be executed: " + std::strerror(error) + ".");
}

}  // namespace

Result<pid_t> spawn(const SpawnOptions& options, const SignalQueue& queue) {
  const std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> arguments = pointers_to(options.command);
  std::vector<char*> environment_pointers = pointers_to(environment);
  int error_pipe[2];  // closed by a successful exec
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    return fail(ErrorKind::kInternal, std::string("pipe failed: ") + std::strerror(errno) + ".");
  }
  const pid_t child = fork();
  if (child == 0) execute(options, queue, arguments.data(), environment_pointers.data(), error_pipe[1]);
  const int fork_error = errno;
  close(error_pipe[1]);
  if (child < 0) {
    close(error_pipe[0]);
    return fail(ErrorKind::kOverloaded, std::string("fork failed: ") + std::strerror(fork_error) + ".");
  }
  int error = 0;
  ssize_t got = 0;
  do got = read(error_pipe[0], &error, sizeof error);
  while (got < 0 && errno == EINTR);
  close(error_pipe[0]);
  if (got == static_cast<ssize_t>(sizeof error)) {
    waitpid(child, nullptr, 0);
    return cannot_execute(options.command.front(), error);
  }
  return child;
}

int exit_code_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  return WEXITSTATUS(wait_status);
}

int wait_and_forward(pid_t child, SignalQueue& queue) {
  int status = 0;
  for (;;) {
    if (waitpid(child, &status, WNOHANG) == child) return status;
    pollfd waiting{queue.fd(), POLLIN, 0};
    poll(&waiting, 1, -1);
    for (auto arrived = queue.take(); arrived.number != 0; arrived = queue.take()) {
      if (arrived.number != SIGCHLD && !arrived.reached_group) kill(child, arrived.number);
    }
  }
}

void end_child(pid_t child, int grace_ms) {
  using Clock = std::chrono::steady_clock;
  kill(child, SIGTERM);
  const auto deadline = Clock::now() + std::chrono::milliseconds(grace_ms);
  while (Clock::now() < deadline) {
    const pid_t ended = waitpid(child, nullptr, WNOHANG);
    if (ended != 0) return;  // it ended, or somebody else has waited for it
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace outboard::cli
