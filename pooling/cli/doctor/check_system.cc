#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "pooling/cli/doctor/check.h"

namespace outboard::cli {
namespace {

// What the binaries are built against, so what they may need at run time: Debian 12's.
constexpr int kBuiltForGlibcMinor = 36;
// pidfd_open(2) and clone3, with which the server supervises its workers.
constexpr int kOldestKernelMajor = 5;
constexpr int kOldestKernelMinor = 3;
constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kLittleSharedMemory = 64 * kMiB;
constexpr rlim_t kFewDescriptors = 1024;

Check check_kernel() {
  utsname names{};
  uname(&names);
  int major = 0;
  int minor = 0;
  std::sscanf(names.release, "%d.%d", &major, &minor);
  Check check{Verdict::kOk, "kernel", std::string(names.sysname) + " " + names.release + " " + names.machine,
              ""};
  if (std::string_view(names.machine) != "x86_64") {
    check.verdict = Verdict::kFail;
    check.advice = "Outboard's libraries are built for x86_64 only.";
  } else if (major < kOldestKernelMajor || (major == kOldestKernelMajor && minor < kOldestKernelMinor)) {
    check.verdict = Verdict::kFail;
    check.advice = "The server needs Linux 5.3 or newer; upgrade the kernel.";
  }
  return check;
}

Check check_c_library() {
#if defined(__GLIBC__)
  const std::string version = gnu_get_libc_version();
  int minor = 0;
  std::sscanf(version.c_str(), "2.%d", &minor);
  Check check{Verdict::kOk, "C library", "glibc " + version, ""};
  if (minor < kBuiltForGlibcMinor) {
    check.verdict = Verdict::kWarn;
    check.advice = "Binaries built on Debian 12 want glibc 2." + std::to_string(kBuiltForGlibcMinor) +
                   "; build Outboard on this machine instead of copying it.";
  }
  return check;
#else
  return {Verdict::kFail, "C library", "not glibc",
          "Outboard's libcuda needs glibc; use a glibc based system or container."};
#endif
}

Check check_cpu(const Surroundings& machine) {
  std::ifstream file(machine.path("/proc/cpuinfo"));
  std::set<std::string> flags;
  size_t processors = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("processor")) ++processors;
    if (!line.starts_with("flags") || !flags.empty()) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) flags.insert(word);
  }
  const bool avx2 = flags.contains("avx2");
  const bool avx512 = flags.contains("avx512f") && flags.contains("avx512bw") && flags.contains("avx512vl");
  Check check{Verdict::kOk, "CPU",
              std::to_string(processors) + " processors, " +
                  (avx512 ? "AVX-512 and AVX2"
                   : avx2 ? "AVX2"
                          : "neither AVX2 nor AVX-512"),
              ""};
  if (!avx2) {
    check.verdict = Verdict::kWarn;
    check.advice =
        "The software device runs, but slowly; a CPU with AVX2 is several times faster. Remote GPUs do not "
        "mind.";
  }
  return check;
}

Check check_shared_memory(const Surroundings& machine) {
  struct statvfs info{};
  if (statvfs(machine.path("/dev/shm").c_str(), &info) != 0) {
    return {Verdict::kWarn, "shared memory", "there is no /dev/shm",
            "Mount a tmpfs there (containers: --shm-size)."};
  }
  const uint64_t free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  Check check{Verdict::kOk, "shared memory", std::to_string(free_bytes / kMiB) + " MiB free in /dev/shm", ""};
  if (free_bytes < kLittleSharedMemory) {
    check.verdict = Verdict::kWarn;
    check.advice = "CUDA programs with several processes often need more; containers: --shm-size=1g.";
  }
  return check;
}

Check check_limits() {
  rlimit descriptors{};
  rlimit locked{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  getrlimit(RLIMIT_MEMLOCK, &locked);
  const std::string lockable =
      locked.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(locked.rlim_cur / 1024) + " KiB";
  Check check{Verdict::kOk, "limits",
              std::to_string(descriptors.rlim_cur) + " descriptors, " + lockable + " of memory may be locked",
              ""};
  if (descriptors.rlim_cur < kFewDescriptors) {
    check.verdict = Verdict::kWarn;
    check.advice = "Raise the number of descriptors: ulimit -n 4096.";
  }
  return check;
}

}  // namespace

std::vector<Check> check_system(const Surroundings& machine) {
  return {check_kernel(), check_c_library(), check_cpu(machine), check_shared_memory(machine),
          check_limits()};
}

}  // namespace outboard::cli
