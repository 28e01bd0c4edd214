// A server for one run only, on a unix socket that nobody else can reach.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "pooling/cli/install_paths.h"
#include "pooling/cli/private_folder.h"
#include "pooling/cli/signals.h"
#include "protocol/base/result.h"

namespace outboard::cli {

struct PrivateServerOptions {
  std::string server_program;
  std::string driver = "auto";
  std::string log_level = "info";
  std::chrono::milliseconds ready_timeout{20'000};  // loading a driver may take seconds
};

class PrivateServer {
 public:
  // Blocks until the server says that it is ready. Every way in which it may not become so is an
  // error with the server's own words: kNotFound, kInternal (it ended, or said why it cannot
  // start), kOverloaded (the time is over), kDisconnected (the user interrupted us meanwhile).
  static Result<std::unique_ptr<PrivateServer>> start(const PrivateServerOptions& options,
                                                      const PrivateFolder& folder, SignalQueue& signals);
  ~PrivateServer();  // ends it, and waits for that

  const std::string& address() const { return address_; }
  pid_t process_id() const { return process_id_; }

 private:
  explicit PrivateServer(pid_t process_id) : process_id_(process_id) {}
  pid_t process_id_;
  std::string address_;
};

// The last lines of a log, for an error message; empty when there are none.
std::string log_tail(const std::string& path, size_t lines);

}  // namespace outboard::cli
