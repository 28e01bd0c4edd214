// How a daemon is to behave; from the command line, OUTBOARD_SERVER_* variables, a file, or defaults.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/log.h"
#include "protocol/base/result.h"

namespace outboard::server {

struct ServerOptions {
  std::vector<std::string> listen;  // addresses, see protocol/transport
  std::string driver = "auto";      // "auto", "softgpu" or a path for dlopen
  std::string worker_program;       // path of outboard-worker
  std::string name;                 // what clients see
  size_t max_sessions = 64;
  std::chrono::milliseconds hello_timeout{5000};
  std::chrono::milliseconds stop_timeout{3000};  // how long workers may take to leave in order
  // Where what clients send is kept for the next time, and how much of it for each tenant.
  std::string cache_folder;
  uint64_t cache_bytes = uint64_t{4} << 30;
  std::vector<uid_t> allowed_uids;  // besides the server's own and root
  LogOptions log{.level = LogLevel::kInfo, .file_path = {}, .name = "outboard-server"};

  bool exit_with_parent = false;
  // Where to write one line when ready: the listening addresses, separated by spaces; or "error: "
  // and a sentence when the server cannot start. Closed afterwards. -1: nowhere.
  int ready_fd = -1;
};

struct ParsedOptions {
  ServerOptions options;
  bool run = true;  // false: print `text` and exit with `status`
  int status = 0;
  std::string text;
};

// `program_folder` is where the worker program is looked for.
ParsedOptions parse_server_options(int argc, const char* const* argv, const std::string& program_folder);

}  // namespace outboard::server
