#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "pooling/cli/doctor/check.h"
#include "pooling/cli/program_inspection.h"

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> folders_of(const std::string& list) {
  std::vector<std::string> folders;
  std::istringstream stream(list);
  for (std::string folder; std::getline(stream, folder, ':');) {
    if (!folder.empty()) folders.push_back(folder);
  }
  return folders;
}

// Ours says so in a file beside it or by where it lies; NVIDIA's lies in the system's folders.
std::string nvidia_library(const Surroundings& machine) {
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu/nvidia/current",
                             "/usr/lib64", "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64"}) {
    const std::string path = machine.path(std::string(folder) + "/libcuda.so.1");
    if (exists(path)) return path;
  }
  return "";
}

Check check_nvidia_driver(const Surroundings& machine) {
  std::ifstream version_file(machine.path("/proc/driver/nvidia/version"));
  std::string version;
  std::getline(version_file, version);
  const std::string library = nvidia_library(machine);
  if (!version.empty() && !library.empty()) {
    return {Verdict::kOk, "NVIDIA driver", version + "; " + library, ""};
  }
  if (!version.empty()) {
    return {Verdict::kWarn, "NVIDIA driver", version + ", but there is no libcuda.so.1",
            "Install the driver's user-space libraries to serve this machine's GPU (containers: run with the "
            "NVIDIA runtime)."};
  }
  if (!library.empty()) {
    return {Verdict::kWarn, "NVIDIA driver", library + ", but the kernel module is not loaded",
            "Load it (modprobe nvidia) to serve this machine's GPU; until then the software device is used."};
  }
  return {Verdict::kOk, "NVIDIA driver", "none: a server on this machine uses the software device", ""};
}

Check check_toolkit(const Surroundings& machine) {
  std::vector<std::string> folders = folders_of(machine.value("PATH"));
  folders.push_back("/usr/local/cuda/bin");
  for (const std::string& folder : folders) {
    const std::string compiler = machine.path(folder) + "/nvcc";
    if (access(compiler.c_str(), X_OK) == 0) return {Verdict::kOk, "CUDA toolkit", compiler, ""};
  }
  return {Verdict::kOk, "CUDA toolkit", "none: not needed to run programs, only to compile them with nvcc",
          ""};
}

// Folders that an inherited LD_LIBRARY_PATH names before or instead of ours do no harm under
// `outboard run`, which puts its own first; but a program started without it would meet them.
Check check_library_path(const Surroundings& machine) {
  for (const std::string& folder : folders_of(machine.value("LD_LIBRARY_PATH"))) {
    const bool stub = folder.find("/stubs") != std::string::npos;
    if (!exists(machine.path(folder) + "/libcuda.so.1") &&
        !(stub && exists(machine.path(folder) + "/libcuda.so")))
      continue;
    if (stub) {
      return {Verdict::kWarn, "library path", "LD_LIBRARY_PATH holds the toolkit's link stubs: " + folder,
              "Remove that folder from LD_LIBRARY_PATH; the stub libcuda cannot run anything."};
    }
    return {Verdict::kWarn, "library path", "LD_LIBRARY_PATH already names a libcuda.so.1: " + folder,
            "`outboard run` puts ours first; without it programs will use that one."};
  }
  return {Verdict::kOk, "library path", "LD_LIBRARY_PATH names no other libcuda.so.1", ""};
}

Check check_preload(const Surroundings& machine) {
  std::string preloaded = machine.value("LD_PRELOAD");
  std::ifstream file(machine.path("/etc/ld.so.preload"));
  for (std::string line; std::getline(file, line);) preloaded += (preloaded.empty() ? "" : " ") + line;
  if (preloaded.find("cuda") == std::string::npos && preloaded.find("vgpu") == std::string::npos) {
    return {Verdict::kOk, "preloading", "nothing is preloaded that replaces CUDA", ""};
  }
  return {Verdict::kFail, "preloading", "preloaded: " + preloaded,
          "A preloaded libcuda or GPU limiter answers before ours; unset LD_PRELOAD, or clear "
          "/etc/ld.so.preload."};
}

}  // namespace

std::vector<Check> check_software(const Surroundings& machine) {
  return {check_nvidia_driver(machine), check_toolkit(machine), check_library_path(machine),
          check_preload(machine)};
}

std::vector<Check> check_programs(const std::vector<std::string>& programs) {
  std::vector<Check> checks;
  for (const std::string& program : programs) {
    const auto facts = inspect_program(program);
    if (!facts) {
      checks.push_back({Verdict::kFail, "program", facts.error().message, "Give the path of the program."});
      continue;
    }
    const std::string obstacle = remote_obstacle(*facts);
    if (!obstacle.empty()) {
      checks.push_back({Verdict::kFail, "program", program + " cannot use our libcuda", obstacle});
    } else if (!facts->script_interpreter.empty()) {
      checks.push_back(
          {Verdict::kOk, "program", facts->path + " is a script for " + facts->script_interpreter, ""});
    } else {
      checks.push_back({Verdict::kOk, "program", facts->path + " will find our libcuda", ""});
    }
  }
  return checks;
}

}  // namespace outboard::cli
