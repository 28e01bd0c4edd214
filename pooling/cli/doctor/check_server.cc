#include "pooling/cli/doctor/check_server.h"

#include <cstdio>

#include "pooling/cli/install_paths.h"
#include "pooling/cli/server_query.h"
#include "pooling/cli/version.h"

namespace outboard::cli {
namespace {

Check check_parts() {
  const auto paths = find_install_paths();
  if (!paths) return {Verdict::kFail, "our parts", "incomplete", paths.error().message};
  return {Verdict::kOk, "our parts",
          "libcuda.so.1 in " + paths->library_folder + ", server " + paths->server_program, ""};
}

Check check_protocol(const wire::WelcomeInfo& welcome) {
  Check check{
      Verdict::kOk, "protocol",
      "version " + std::to_string(welcome.protocol_version) + ", server release " + welcome.server_version,
      ""};
  if (welcome.server_version != kVersion) {
    check.verdict = Verdict::kWarn;
    check.found += std::string(", ours ") + kVersion;
    check.advice =
        "The releases differ; calls that only the newer one knows are refused. Use the same release on both "
        "sides.";
  }
  return check;
}

Check check_driver(const wire::WelcomeInfo& welcome) {
  Check check{Verdict::kOk, "driver", welcome.driver_name + " " + std::to_string(welcome.driver_version), ""};
  if (welcome.devices.empty()) {
    check.verdict = Verdict::kFail;
    check.found += " without a device";
    check.advice = "Look at the server's log: which driver was tried, and what it answered.";
  }
  for (const wire::DeviceSnapshot& device : welcome.devices) check.found += ", " + device.name;
  return check;
}

std::string milliseconds_text(std::chrono::microseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(time.count()) / 1000);
  return text;
}

}  // namespace

std::vector<Check> check_outboard(const ClientConfig& config, SignalQueue& signals) {
  std::vector<Check> checks = {check_parts()};
  const bool named = !config.server.value.empty();
  const std::string which = named ? config.server.value + " (" + config.server.source + ")" : "a private one";
  const auto server = named_or_private_server(config, std::nullopt, std::nullopt, signals);
  if (!server) {
    checks.push_back({Verdict::kFail, "server", which + " does not start", server.error().message});
    return checks;
  }
  const auto answer = query_server(server->address, config);
  if (!answer) {
    const std::string advice =
        answer.error().message + (named ? " Start one there: outboard-server --listen " +
                                              config.server.value + "; or run without --server."
                                        : "");
    checks.push_back({Verdict::kFail, "server", which + " does not answer", advice});
    return checks;
  }
  checks.push_back({Verdict::kOk, "server",
                    which + " answered in " + milliseconds_text(answer->took) + " over " + answer->transport,
                    ""});
  checks.push_back(check_protocol(answer->welcome));
  checks.push_back(check_driver(answer->welcome));
  return checks;
}

}  // namespace outboard::cli
