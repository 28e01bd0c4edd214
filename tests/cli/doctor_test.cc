#include "pooling/cli/doctor/check.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

using testing::write_file;

// Another machine: its files below a folder, its environment in a map.
class Doctor : public ::testing::Test {
 protected:
  Surroundings machine() {
    return {root_.path().string(), [this](const std::string& name) -> std::optional<std::string> {
              const auto found = variables_.find(name);
              if (found == variables_.end()) return std::nullopt;
              return found->second;
            }};
  }
  static Check topic(const std::vector<Check>& checks, const std::string& name) {
    for (const Check& check : checks) {
      if (check.topic == name) return check;
    }
    ADD_FAILURE() << "no check of " << name;
    return {};
  }
  testing::TemporaryFolder root_;
  std::map<std::string, std::string> variables_;
};

TEST_F(Doctor, RecognisesTheProcessor) {
  write_file(root_.path() / "proc/cpuinfo",
             "processor\t: 0\nflags\t\t: fpu sse2 avx2\nprocessor\t: 1\nflags\t\t: fpu sse2 avx2\n");
  Check cpu = topic(check_system(machine()), "CPU");
  EXPECT_EQ(cpu.verdict, Verdict::kOk);
  EXPECT_EQ(cpu.found, "2 processors, AVX2");
  write_file(root_.path() / "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse2\n");
  cpu = topic(check_system(machine()), "CPU");
  EXPECT_EQ(cpu.verdict, Verdict::kWarn);
  EXPECT_FALSE(cpu.advice.empty());
  write_file(root_.path() / "proc/cpuinfo", "processor\t: 0\nflags\t\t: avx2 avx512f avx512bw avx512vl\n");
  EXPECT_EQ(topic(check_system(machine()), "CPU").found, "1 processors, AVX-512 and AVX2");
}

TEST_F(Doctor, WarnsWithoutSharedMemory) {
  EXPECT_EQ(topic(check_system(machine()), "shared memory").verdict, Verdict::kWarn);
}

TEST_F(Doctor, TellsTheStatesOfTheNvidiaDriverApart) {
  EXPECT_EQ(topic(check_software(machine()), "NVIDIA driver").verdict, Verdict::kOk);
  write_file(root_.path() / "usr/lib/x86_64-linux-gnu/libcuda.so.1", "");
  Check driver = topic(check_software(machine()), "NVIDIA driver");
  EXPECT_EQ(driver.verdict, Verdict::kWarn);
  EXPECT_NE(driver.found.find("not loaded"), std::string::npos);
  write_file(root_.path() / "proc/driver/nvidia/version", "NVRM version: 580.65.06\n");
  driver = topic(check_software(machine()), "NVIDIA driver");
  EXPECT_EQ(driver.verdict, Verdict::kOk);
  EXPECT_NE(driver.found.find("580.65.06"), std::string::npos);
}

TEST_F(Doctor, FindsTheToolkit) {
  EXPECT_NE(topic(check_software(machine()), "CUDA toolkit").found.find("none"), std::string::npos);
  testing::write_script(root_.path() / "usr/local/cuda/bin/nvcc", "exit 0");
  EXPECT_NE(topic(check_software(machine()), "CUDA toolkit").found.find("/usr/local/cuda/bin/nvcc"),
            std::string::npos);
}

TEST_F(Doctor, WarnsOfOtherLibcudas) {
  EXPECT_EQ(topic(check_software(machine()), "library path").verdict, Verdict::kOk);
  write_file(root_.path() / "opt/gpu/libcuda.so.1", "");
  variables_["LD_LIBRARY_PATH"] = "/nothing::/opt/gpu";
  EXPECT_EQ(topic(check_software(machine()), "library path").verdict, Verdict::kWarn);
  write_file(root_.path() / "cuda/lib64/stubs/libcuda.so", "");
  variables_["LD_LIBRARY_PATH"] = "/cuda/lib64/stubs";
  EXPECT_NE(topic(check_software(machine()), "library path").found.find("stubs"), std::string::npos);
}

TEST_F(Doctor, RefusesPreloadedLimiters) {
  variables_["LD_PRELOAD"] = "/usr/lib/libjemalloc.so";
  EXPECT_EQ(topic(check_software(machine()), "preloading").verdict, Verdict::kOk);
  write_file(root_.path() / "etc/ld.so.preload", "/usr/local/vgpu/libvgpu.so\n");
  EXPECT_EQ(topic(check_software(machine()), "preloading").verdict, Verdict::kFail);
}

TEST_F(Doctor, SeesListenersAndRdmaDevices) {
  EXPECT_NE(topic(check_network(machine()), "port 7070").found.find("free"), std::string::npos);
  EXPECT_NE(topic(check_network(machine()), "RDMA").found.find("no device"), std::string::npos);
  // 0x1B9E is 7070; a connection to that port is no listener.
  const std::string heading = "  sl  local_address rem_address   st\n";
  write_file(root_.path() / "proc/net/tcp", heading + "   0: 0100007F:9C40 0100007F:1B9E 01\n");
  EXPECT_NE(topic(check_network(machine()), "port 7070").found.find("free"), std::string::npos);
  write_file(root_.path() / "proc/net/tcp6",
             heading + "   0: 00000000000000000000000001000000:1B9E 00000000:0000 0A\n");
  EXPECT_NE(topic(check_network(machine()), "port 7070").found.find("listens"), std::string::npos);
  std::filesystem::create_directories(root_.path() / "sys/class/infiniband/mlx5_0");
  EXPECT_NE(topic(check_network(machine()), "RDMA").found.find("mlx5_0"), std::string::npos);
}

TEST_F(Doctor, LooksAtPrograms) {
  EXPECT_EQ(check_programs({"ls"}).at(0).verdict, Verdict::kOk);
  EXPECT_EQ(check_programs({"no-such-program-anywhere"}).at(0).verdict, Verdict::kFail);
}

}  // namespace
}  // namespace outboard::cli
