// In the sandbox a process goes on as before, but starts nothing and looks into nobody. Each test is a
// child, since there is no way back out.
#include "server/worker/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace outboard::server {
namespace {

constexpr int kNoFilters = 77;

// The exit code of `body` in a child that is in the sandbox.
int in_sandbox(int (*body)()) {
  const pid_t child = fork();
  if (child == 0) {
    const Status entered = enter_sandbox();
    _exit(entered ? body() : kNoFilters);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT_IN_SANDBOX(expected, ...)                                      \
  do {                                                                        \
    const int code = in_sandbox(__VA_ARGS__);                                 \
    if (code == kNoFilters) GTEST_SKIP() << "the kernel has no filters here"; \
    EXPECT_EQ(code, expected);                                                \
  } while (0)

TEST(Sandbox, NoProgramIsStarted) {
  EXPECT_IN_SANDBOX(EPERM, [] {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    execv(name, arguments);
    return errno;
  });
}

TEST(Sandbox, NobodyIsLookedInto) {
  EXPECT_IN_SANDBOX(EPERM, [] { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : errno; });
  EXPECT_IN_SANDBOX(EPERM, [] { return syscall(SYS_unshare, 0) == 0 ? 0 : errno; });
  EXPECT_IN_SANDBOX(EPERM, [] { return syscall(SYS_bpf, 0, nullptr, 0) == 0 ? 0 : errno; });
}

TEST(Sandbox, WhatAWorkerDoesGoesOn) {
  EXPECT_IN_SANDBOX(0, [] {
    std::atomic<int> ran{0};
    std::thread([&] { ran = 1; }).join();
    const int file = open("/proc/self/status", O_RDONLY);
    void* memory =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    const bool well = ran == 1 && file >= 0 && memory != MAP_FAILED && connection >= 0;
    return well ? 0 : 1;
  });
}

TEST(Sandbox, ThreadsThatExistAreInItToo) {
  EXPECT_IN_SANDBOX(0, [] { return 0; });
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<bool> entered{false};
    int error = 0;
    std::thread early([&] {
      while (!entered) std::this_thread::yield();
      error = syscall(SYS_unshare, 0) == 0 ? 0 : errno;
    });
    (void)enter_sandbox().has_value();
    entered = true;
    early.join();
    _exit(error);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

}  // namespace
}  // namespace outboard::server
