#include <unistd.h>

#include <cstdlib>

#include "pooling/cli/child_process.h"
#include "pooling/cli/commands.h"
#include "pooling/cli/configuration.h"
#include "pooling/cli/install_paths.h"
#include "pooling/cli/program_inspection.h"
#include "pooling/cli/server_query.h"
#include "pooling/cli/summary.h"
#include "protocol/base/bytes.h"

namespace outboard::cli {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

// Ours first, then what was there. An empty element would mean the current folder.
std::string library_path_with(const std::string& ours) {
  const char* inherited = std::getenv("LD_LIBRARY_PATH");
  return inherited == nullptr || *inherited == '\0' ? ours : ours + ":" + inherited;
}

Environment environment_for(const RunOptions& options, const InstallPaths& paths, const std::string& address,
                            const std::string& stats_path) {
  Environment environment = {
      {"LD_LIBRARY_PATH", library_path_with(paths.library_folder)},
      {"OUTBOARD_SERVER", address},
      {"OUTBOARD_STATS_FILE", stats_path},
  };
  if (options.memory_bytes)
    environment.emplace_back("OUTBOARD_MEMORY", std::to_string(*options.memory_bytes));
  if (options.compute_percent)
    environment.emplace_back("OUTBOARD_COMPUTE", std::to_string(*options.compute_percent));
  if (options.log_level) environment.emplace_back("OUTBOARD_LOG", *options.log_level);
  return environment;
}

// Says before the start what would otherwise be a puzzle after it.
void warn_about(const std::string& program) {
  const auto facts = inspect_program(program);
  if (!facts) return;  // spawn says it better
  const std::string obstacle = remote_obstacle(*facts);
  if (!obstacle.empty()) say("warning: " + obstacle);
}

void print_summary(Summary summary, const std::string& stats_path) {
  if (summary == Summary::kQuiet) return;
  const auto stats = read_session_stats(stats_path);
  if (!stats) {
    say(stats.error().kind == ErrorKind::kNotFound ? "the program did not load our libcuda"
                                                   : stats.error().message);
    return;
  }
  if (summary == Summary::kFull) {
    for (const SessionStatsSnapshot& process : stats->processes) say(process_line(process));
  }
  say(summary_line(*stats));
}

int exit_code_for(ErrorKind kind) {
  if (kind == ErrorKind::kNotFound) return kNotFoundExitCode;
  if (kind == ErrorKind::kPermissionDenied) return kCannotExecuteExitCode;
  return kRunFailedExitCode;
}

// A named server must be there before the program starts: its own error would be a bare number.
Status check_named_server(const ClientConfig& config) {
  const auto answer = query_server(config.server.value, config);
  if (answer) return {};
  return fail(answer.error().kind, text(answer.error().message, " (The server ", config.server.value,
                                        " was named by ", config.server.source, ".)"));
}

}  // namespace

int run_command(const RunOptions& options) {
  const auto failed = [](const Error& error) {
    say(error.message);
    return kRunFailedExitCode;
  };
  const auto config = load_configuration(options);
  if (!config) return failed(config.error());
  const auto paths = find_install_paths();
  if (!paths) return failed(paths.error());
  if (const Status possible = check_driver_choice(*config, options.driver); !possible)
    return failed(possible.error());
  warn_about(options.command.front());
  // Before signals are queued: an interrupt ends a wait for a host that does not answer.
  if (!config->server.value.empty()) {
    if (const Status there = check_named_server(*config); !there) return failed(there.error());
  }
  auto signals = SignalQueue::open();
  if (!signals) return failed(signals.error());

  // Before the server, so that it outlives it: the statistics lie in it.
  auto folder = PrivateFolder::create();
  if (!folder) return failed(folder.error());
  const auto server = named_or_private_server(*config, options.driver, options.log_level, *signals);
  if (!server) return failed(server.error());
  if (options.summary == Summary::kFull && server->private_server) {
    say(text("private server: pid ", server->private_server->process_id(), " on ", server->address));
  }

  // A file that the user asked for is the user's to keep.
  const std::string& wanted_stats = config->stats_file.value;
  const std::string stats_path = wanted_stats.empty() ? folder->file("stats") : wanted_stats;
  SpawnOptions spawning;
  spawning.command = options.command;
  spawning.environment = environment_for(options, *paths, server->address, stats_path);
  const auto child = spawn(spawning, *signals);
  if (!child) {
    say(child.error().message);
    return exit_code_for(child.error().kind);
  }
  const int status = wait_and_forward(*child, *signals);
  print_summary(options.summary, stats_path);
  return exit_code_of(status);
}

}  // namespace outboard::cli
