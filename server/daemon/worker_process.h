// One outboard-worker process, from start to end, as the daemon sees it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "server/daemon/unique_fd.h"
#include "server/worker/descriptors.h"

namespace outboard::server {

struct WorkerCommand {
  std::string program;                 // path of outboard-worker
  std::vector<std::string> arguments;  // without the program's name
};

struct WorkerExit {
  bool by_signal = false;
  int code = 0;  // exit status, or the signal's number
  // "exited with status 1", "was killed by signal 9 (Killed)"
  std::string describe() const;
};

class WorkerProcess {
 public:
  // Starts the program with `connection` (if there is one) as fd 3 and one end of a new control
  // socket as fd 4; it inherits nothing else but stdin, stdout and stderr, and is killed when this
  // thread ends.
  // Call it from a thread that lives as long as the daemon, for that reason.
  static Result<WorkerProcess> start(const WorkerCommand& command, UniqueFd connection);

  WorkerProcess(WorkerProcess&&) = default;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  ~WorkerProcess();  // kills and reaps what still runs

  pid_t pid() const { return pid_; }
  int control_fd() const { return control_.get(); }  // SOCK_SEQPACKET
  int pid_fd() const { return pid_fd_.get(); }       // readable when the process has ended

  void close_control() { control_.reset(); }
  void kill(int signal);
  // Reaps; blocks until the process has ended.
  WorkerExit wait();

 private:
  WorkerProcess(pid_t pid, UniqueFd pid_fd, UniqueFd control);
  pid_t pid_;
  UniqueFd pid_fd_;
  UniqueFd control_;
};

}  // namespace outboard::server
