// Starting programs and waiting for them.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "pooling/cli/signals.h"
#include "protocol/base/result.h"

namespace outboard::cli {

struct SpawnOptions {
  std::vector<std::string> command;  // [0] is looked up in PATH unless it holds a '/'
  std::vector<std::pair<std::string, std::string>> environment;  // added to, or replacing, ours
  bool own_process_group = false;  // true: the terminal's signals do not reach it
  int output_fd = -1;              // becomes standard output and standard error; -1: ours
  int keep_fd = -1;                // stays open in the child under its number; -1: none
};

// Forks and executes. The signal mask of the child is `queue.mask_before()`.
// kNotFound or kPermissionDenied when the program cannot be executed, in a sentence that names it.
Result<pid_t> spawn(const SpawnOptions& options, const SignalQueue& queue);

// The shell's convention: the exit code, or 128 + the number of the signal.
int exit_code_of(int wait_status);

// Blocks until `child` ended and passes on signals meanwhile; returns its wait status.
int wait_and_forward(pid_t child, SignalQueue& queue);

// Asks `child` to end (SIGTERM), and makes it end (SIGKILL) when it has not after `grace_ms`.
void end_child(pid_t child, int grace_ms);

}  // namespace outboard::cli
