#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "pooling/cli/commands.h"
#include "pooling/cli/configuration.h"
#include "pooling/cli/doctor/check.h"
#include "pooling/cli/doctor/check_server.h"

namespace outboard::cli {
namespace {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "OK";
    case Verdict::kWarn: return "WARN";
    case Verdict::kFail: return "FAIL";
  }
  return "?";
}

bool colours_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

void print_table(const std::vector<Check>& checks) {
  const bool colours = colours_wanted();
  for (const Check& check : checks) {
    const char* colour = check.verdict == Verdict::kOk     ? "\033[32m"
                         : check.verdict == Verdict::kWarn ? "\033[33m"
                                                           : "\033[31m";
    std::printf("%s%-4s%s  %-14s  %s\n", colours ? colour : "", verdict_name(check.verdict),
                colours ? "\033[0m" : "", check.topic.c_str(), check.found.c_str());
    if (!check.advice.empty()) std::printf("      %-14s  -> %s\n", "", check.advice.c_str());
  }
}

void print_json(const std::vector<Check>& checks) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    list.push_back({{"verdict", verdict_name(check.verdict)},
                    {"topic", check.topic},
                    {"found", check.found},
                    {"advice", check.advice}});
  }
  std::printf("%s\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void append(std::vector<Check>& to, std::vector<Check> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

std::vector<Check> outboard_checks(const DoctorOptions& options) {
  const auto config = load_configuration(options.server);
  if (!config) return {{Verdict::kFail, "configuration", "cannot be used", config.error().message}};
  auto signals = SignalQueue::open();
  if (!signals) return {{Verdict::kFail, "signals", "cannot be received", signals.error().message}};
  return check_outboard(*config, *signals);
}

}  // namespace

Surroundings this_machine() {
  return {"", [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            if (value == nullptr) return std::nullopt;
            return value;
          }};
}

int doctor_command(const DoctorOptions& options) {
  const Surroundings machine = this_machine();
  std::vector<Check> checks = check_system(machine);
  append(checks, check_software(machine));
  append(checks, check_network(machine));
  append(checks, outboard_checks(options));
  append(checks, check_programs(options.programs));

  size_t warnings = 0;
  size_t failures = 0;
  for (const Check& check : checks) {
    warnings += check.verdict == Verdict::kWarn ? 1 : 0;
    failures += check.verdict == Verdict::kFail ? 1 : 0;
  }
  if (options.format == OutputFormat::kJson) {
    print_json(checks);
  } else {
    print_table(checks);
    std::printf("%zu checks, %zu warnings, %zu failures%s\n", checks.size(), warnings, failures,
                failures == 0 ? ": `outboard run PROGRAM` works on this machine" : "");
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace outboard::cli
