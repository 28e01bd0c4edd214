#include <filesystem>
#include <fstream>
#include <sstream>

#include "pooling/cli/doctor/check.h"

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kDefaultPort = 7070;   // the server's, see `outboard-server --help`
constexpr const char* kListening = "0A";  // the state in /proc/net/tcp, see proc(5)

Check check_rdma(const Surroundings& machine) {
  std::string devices;
  std::error_code error;
  for (fs::directory_iterator entry(machine.path("/sys/class/infiniband"), error), end;
       !error && entry != end; entry.increment(error)) {
    devices += (devices.empty() ? "" : ", ") + entry->path().filename().string();
  }
  if (devices.empty()) return {Verdict::kOk, "RDMA", "no device: connections use TCP or unix sockets", ""};
  return {Verdict::kOk, "RDMA", devices + " (not used yet: connections use TCP or unix sockets)", ""};
}

// Whether something listens on `port`, by the kernel's table of one address family.
bool listens(const Surroundings& machine, const char* table, uint16_t port) {
  std::ifstream file(machine.path(table));
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state;
    words >> number >> local >> remote >> state;
    const size_t colon = local.rfind(':');
    if (state == kListening && colon != std::string::npos &&
        std::stoul("0" + local.substr(colon + 1), nullptr, 16) == port) {
      return true;
    }
  }
  return false;
}

Check check_port(const Surroundings& machine) {
  const std::string port = std::to_string(kDefaultPort);
  if (listens(machine, "/proc/net/tcp", kDefaultPort) || listens(machine, "/proc/net/tcp6", kDefaultPort)) {
    return {Verdict::kOk, "port " + port,
            "something listens on it; try `outboard devices --server 127.0.0.1:" + port + "`", ""};
  }
  return {Verdict::kOk, "port " + port, "free for an outboard-server", ""};
}

}  // namespace

std::vector<Check> check_network(const Surroundings& machine) {
  return {check_rdma(machine), check_port(machine)};
}

}  // namespace outboard::cli
