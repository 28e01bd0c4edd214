#include "server/daemon/server_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "protocol/base/bytes.h"
#include "server/daemon/peer_identity.h"

namespace outboard::server {
namespace {

constexpr const char* kConfigFile = "/etc/outboard/server.toml";

std::string default_address() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  if (folder != nullptr && *folder == '/') return std::string("unix:") + folder + "/outboard.sock";
  return "127.0.0.1:7070";
}

// Empty, and nothing is kept, where there is no place for it.
std::string default_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/outboard/content";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.cache/outboard/content" : std::string();
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "outboard-server";
}

// Options whose C++ type is not the one that is typed.
struct Typed {
  uint64_t hello_timeout_ms = 5000;
  std::string log_level = "info";
  std::string cache_size = "4GiB";
};

void describe(CLI::App& app, ServerOptions& options, Typed& typed) {
  app.set_config("--config", ::access(kConfigFile, R_OK) == 0 ? kConfigFile : "",
                 "Read settings from this TOML file");
  app.set_version_flag("--version", std::string("outboard-server ") + OUTBOARD_VERSION);
  app.add_option("--listen", options.listen,
                 "Address to serve: unix:/PATH, or HOST:PORT with a loopback host; may be repeated "
                 "[OUTBOARD_SERVER_LISTEN]")
      ->type_name("ADDRESS");
  app.add_option("--driver", options.driver,
                 "Driver to serve: auto, softgpu, or the path of a libcuda.so.1 [OUTBOARD_SERVER_DRIVER]")
      ->capture_default_str();
  app.add_option("--max-sessions", options.max_sessions, "Sessions at a time; more are refused")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--allow-uid", options.allowed_uids,
                 "Also serve this user id (the server's own and root always may)");
  app.add_option("--cache-folder", options.cache_folder,
                 "Where code that clients sent is kept, so that it need not be sent again "
                 "(default: outboard/content in XDG_CACHE_HOME or ~/.cache) [OUTBOARD_SERVER_CACHE_FOLDER]");
  app.add_option("--cache-size", typed.cache_size, "How much of it for each user, for example 4GiB; 0: none")
      ->capture_default_str();
  app.add_option("--name", options.name, "Name that clients see (default: the host's)");
  app.add_option("--hello-timeout-ms", typed.hello_timeout_ms,
                 "How long a new connection may take to say hello")
      ->check(CLI::Range(1, 600000))
      ->capture_default_str();
  app.add_option("--log-level", typed.log_level, "error, warn, info or debug [OUTBOARD_LOG]")
      ->capture_default_str();
  app.add_option("--log-file", options.log.file_path,
                 "Log to this file instead of standard error [OUTBOARD_LOG_FILE]");
  app.add_option("--worker", options.worker_program,
                 "Path of outboard-worker (default: beside this program)");
  app.add_flag("--exit-with-parent", options.exit_with_parent,
               "Stop when the process that started this one ends");
  app.add_option("--ready-fd", options.ready_fd,
                 "Write one line to this descriptor when ready, then close it");
}

// Variables stand between the command line and the file, so they count as if they had been typed,
// unless the same option was. (CLI11's own support for variables ranks them below the file.)
std::vector<std::string> with_variables(int argc, const char* const* argv) {
  constexpr std::pair<const char*, const char*> kVariables[] = {
      {"--listen", "OUTBOARD_SERVER_LISTEN"},
      {"--driver", "OUTBOARD_SERVER_DRIVER"},
      {"--cache-folder", "OUTBOARD_SERVER_CACHE_FOLDER"},
      {"--log-level", "OUTBOARD_LOG"},
      {"--log-file", "OUTBOARD_LOG_FILE"}};
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const auto& [option, variable] : kVariables) {
    const char* value = std::getenv(variable);
    const auto typed = [name = std::string(option)](const std::string& argument) {
      return argument == name || argument.rfind(name + "=", 0) == 0;
    };
    if (value == nullptr || *value == '\0' || std::any_of(arguments.begin(), arguments.end(), typed))
      continue;
    arguments.push_back(option);
    arguments.push_back(value);
  }
  std::reverse(arguments.begin(), arguments.end());  // what CLI11 wants of a vector
  return arguments;
}

Status finish(ServerOptions& options, const Typed& typed, const std::string& program_folder) {
  if (options.listen.empty()) options.listen.push_back(default_address());
  for (const std::string& address : options.listen) {
    if (Status allowed = check_listen_address(address); !allowed) return allowed;
  }
  if (options.name.empty()) options.name = host_name();
  if (options.worker_program.empty()) options.worker_program = program_folder + "/outboard-worker";
  options.hello_timeout = std::chrono::milliseconds(typed.hello_timeout_ms);
  const auto level = parse_log_level(typed.log_level);
  if (!level) return fail(level);
  options.log.level = *level;
  const auto cache_bytes = parse_bytes(typed.cache_size);
  if (!cache_bytes) return fail(cache_bytes);
  options.cache_bytes = *cache_bytes;
  if (options.cache_folder.empty()) options.cache_folder = default_cache_folder();
  return {};
}

}  // namespace

ParsedOptions parse_server_options(int argc, const char* const* argv, const std::string& program_folder) {
  ParsedOptions parsed;
  Typed typed;
  CLI::App app{"Serves the GPUs of this machine to Outboard clients."};
  describe(app, parsed.options, typed);
  try {
    app.name(argv[0]);
    app.parse(with_variables(argc, argv));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    parsed.run = false;
    parsed.status = app.exit(error, out, out);
    parsed.text = out.str();
    return parsed;
  }
  if (Status finished = finish(parsed.options, typed, program_folder); !finished) {
    parsed.run = false;
    parsed.status = 2;
    parsed.text = finished.error().message + "\n";
  }
  return parsed;
}

}  // namespace outboard::server
