// One line of `outboard doctor`: what was looked at, what was found, what to do about it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace outboard::cli {

enum class Verdict {
  kOk,
  kWarn,  // works, but slower, less, or not for everything
  kFail,  // `outboard run` will not work
};

struct Check {
  Verdict verdict = Verdict::kOk;
  std::string topic;   // "kernel"
  std::string found;   // "Linux 6.1.0"
  std::string advice;  // what to do; empty when nothing needs doing
};

// The machine as the checks see it, so that a test can show them another one.
struct Surroundings {
  std::string root;  // put before every absolute path that a check reads; empty: this machine
  std::function<std::optional<std::string>(const std::string&)> variable;  // the environment

  std::string path(const std::string& absolute) const { return root + absolute; }
  std::string value(const std::string& name) const { return variable(name).value_or(""); }
};

Surroundings this_machine();

// Each looks at one area; none changes anything.
std::vector<Check> check_system(const Surroundings& machine);    // kernel, C library, CPU, memory
std::vector<Check> check_software(const Surroundings& machine);  // drivers, toolkit, environment
std::vector<Check> check_network(const Surroundings& machine);   // RDMA devices, default port
std::vector<Check> check_programs(const std::vector<std::string>& programs);

}  // namespace outboard::cli
