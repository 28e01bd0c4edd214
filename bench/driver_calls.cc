// What each kind of driver call costs, measured through whatever libcuda.so.1 the loader finds, so
// that the same program gives the device's own figures and the remote ones:
//   LD_LIBRARY_PATH=build/release/lib/softgpu build/release/bin/bench_driver_calls
//   build/release/bin/outboard run build/release/bin/bench_driver_calls
// Prints a table, or JSON with --json. bench/compare.py runs both and prints the ratios.
#include <ctime>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "bench/driver.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

using outboard::bench::check;

struct Row {
  std::string name;
  std::string unit;
  double value;
};

struct Bench {
  CUcontext context = nullptr;
  CUfunction empty = nullptr;
  CUstream stream = nullptr;
  CUdeviceptr buffer = 0;
  std::vector<Row> rows;

  void add(std::string name, std::string unit, double value) {
    rows.push_back({std::move(name), std::move(unit), value});
  }

  void start() {
    const auto begin = Clock::now();
    check(OUTBOARD_BENCH_FUNCTION(cuInit)(0), "cuInit");
    CUdevice device = 0;
    check(OUTBOARD_BENCH_FUNCTION(cuDeviceGet)(&device, 0), "cuDeviceGet");
    check(OUTBOARD_BENCH_FUNCTION(cuDevicePrimaryCtxRetain)(&context, device), "cuDevicePrimaryCtxRetain");
    check(OUTBOARD_BENCH_FUNCTION(cuCtxSetCurrent)(context), "cuCtxSetCurrent");
    CUmodule module = nullptr;
    check(OUTBOARD_BENCH_FUNCTION(cuModuleLoadData)(&module, outboard::bench::kEmptyKernelPtx),
          "cuModuleLoadData");
    check(OUTBOARD_BENCH_FUNCTION(cuModuleGetFunction)(&empty, module, "empty"), "cuModuleGetFunction");
    launch(nullptr);
    check(OUTBOARD_BENCH_FUNCTION(cuCtxSynchronize)(), "cuCtxSynchronize");
    add("init to first launch done", "ms", seconds_since(begin) * 1e3);
    check(OUTBOARD_BENCH_FUNCTION(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    check(OUTBOARD_BENCH_FUNCTION(cuMemAlloc_v2)(&buffer, kLargestCopyBytes), "cuMemAlloc");
  }

  void launch(CUstream on) {
    static auto* const cu_launch = OUTBOARD_BENCH_FUNCTION(cuLaunchKernel);
    CUdeviceptr a = buffer, b = buffer, c = buffer;
    unsigned n = 1;
    void* params[] = {&a, &b, &c, &n};
    check(cu_launch(empty, 1, 1, 1, 32, 1, 1, 0, on, params, nullptr), "cuLaunchKernel");
  }

  void launches() {
    constexpr int kCount = 200'000;
    for (int i = 0; i < 1000; ++i) launch(stream);
    auto* const sync = OUTBOARD_BENCH_FUNCTION(cuStreamSynchronize);
    check(sync(stream), "cuStreamSynchronize");
    const auto begin = Clock::now();
    const double cpu = thread_cpu_seconds();
    for (int i = 0; i < kCount; ++i) launch(stream);
    const double cpu_used = thread_cpu_seconds() - cpu;
    check(sync(stream), "cuStreamSynchronize");
    add("null launches", "1/s", kCount / seconds_since(begin));
    add("caller's CPU per launch", "ns", cpu_used / kCount * 1e9);
  }

  void timed_calls(const char* name, int count, const std::function<void()>& body) {
    for (int i = 0; i < 10; ++i) body();
    const auto begin = Clock::now();
    for (int i = 0; i < count; ++i) body();
    add(name, "us", seconds_since(begin) / count * 1e6);
  }

  void small_calls() {
    auto* const sync = OUTBOARD_BENCH_FUNCTION(cuStreamSynchronize);
    timed_calls("launch and synchronise", 5000, [&] {
      launch(stream);
      check(sync(stream), "sync");
    });
    size_t free_bytes = 0, total_bytes = 0;
    auto* const info = OUTBOARD_BENCH_FUNCTION(cuMemGetInfo_v2);
    timed_calls("cuMemGetInfo", 5000, [&] { check(info(&free_bytes, &total_bytes), "cuMemGetInfo"); });
    auto* const alloc = OUTBOARD_BENCH_FUNCTION(cuMemAlloc_v2);
    auto* const release = OUTBOARD_BENCH_FUNCTION(cuMemFree_v2);
    timed_calls("cuMemAlloc and cuMemFree", 2000, [&] {
      CUdeviceptr p = 0;
      check(alloc(&p, 4096), "cuMemAlloc");
      check(release(p), "cuMemFree");
    });
    auto* const create = OUTBOARD_BENCH_FUNCTION(cuEventCreate);
    auto* const record = OUTBOARD_BENCH_FUNCTION(cuEventRecord);
    auto* const destroy = OUTBOARD_BENCH_FUNCTION(cuEventDestroy_v2);
    timed_calls("event create, record, destroy", 5000, [&] {
      CUevent event = nullptr;
      check(create(&event, 0), "cuEventCreate");
      check(record(event, stream), "cuEventRecord");
      check(destroy(event), "cuEventDestroy");
    });
    check(OUTBOARD_BENCH_FUNCTION(cuCtxSynchronize)(), "cuCtxSynchronize");
  }

  void copies() {
    std::vector<char> host(kLargestCopyBytes, 1);
    auto* const to_device = OUTBOARD_BENCH_FUNCTION(cuMemcpyHtoD_v2);
    auto* const to_host = OUTBOARD_BENCH_FUNCTION(cuMemcpyDtoH_v2);
    for (size_t bytes : {size_t{64}, size_t{4} << 10, size_t{64} << 10, size_t{1} << 20, size_t{16} << 20,
                         kLargestCopyBytes}) {
      const int count = bytes >= (1 << 20) ? static_cast<int>((size_t{256} << 20) / bytes) : 2000;
      auto rate = [&](auto copy) {
        copy();
        const auto begin = Clock::now();
        for (int i = 0; i < count; ++i) copy();
        check(OUTBOARD_BENCH_FUNCTION(cuCtxSynchronize)(), "cuCtxSynchronize");
        return static_cast<double>(bytes) * count / seconds_since(begin) / 1e6;
      };
      const std::string size = bytes < 1024        ? std::to_string(bytes) + " B"
                               : bytes < (1 << 20) ? std::to_string(bytes >> 10) + " KiB"
                                                   : std::to_string(bytes >> 20) + " MiB";
      add("host to device " + size, "MB/s",
          rate([&] { check(to_device(buffer, host.data(), bytes), "cuMemcpyHtoD"); }));
      add("device to host " + size, "MB/s",
          rate([&] { check(to_host(host.data(), buffer, bytes), "cuMemcpyDtoH"); }));
    }
  }

  // What llama.cpp does for one token, with launches in place of its graph: 6 small copies in,
  // 19 stream synchronisations, 30 launches, 1 copy out.
  void decode_trace() {
    constexpr int kTokens = 300;
    auto* const sync = OUTBOARD_BENCH_FUNCTION(cuStreamSynchronize);
    auto* const to_device = OUTBOARD_BENCH_FUNCTION(cuMemcpyHtoDAsync_v2);
    auto* const to_host = OUTBOARD_BENCH_FUNCTION(cuMemcpyDtoHAsync_v2);
    std::vector<char> small(256), logits(128 << 10);
    const auto begin = Clock::now();
    for (int token = 0; token < kTokens; ++token) {
      for (int i = 0; i < 6; ++i) {
        check(to_device(buffer, small.data(), small.size(), stream), "cuMemcpyHtoDAsync");
        for (int j = 0; j < 3; ++j) check(sync(stream), "cuStreamSynchronize");
      }
      for (int i = 0; i < 30; ++i) launch(stream);
      check(to_host(logits.data(), buffer, logits.size(), stream), "cuMemcpyDtoHAsync");
      check(sync(stream), "cuStreamSynchronize");
    }
    add("decode-like token", "us", seconds_since(begin) / kTokens * 1e6);
  }

  void print(bool json) const {
    if (!json) {
      for (const Row& row : rows)
        std::printf("%-34s %14.2f %s\n", row.name.c_str(), row.value, row.unit.c_str());
      return;
    }
    std::printf("[");
    for (size_t i = 0; i < rows.size(); ++i)
      std::printf("%s{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.4f}", i ? "," : "", rows[i].name.c_str(),
                  rows[i].unit.c_str(), rows[i].value);
    std::printf("]\n");
  }

  static constexpr size_t kLargestCopyBytes = size_t{64} << 20;
};

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  Bench bench;
  bench.start();
  bench.launches();
  bench.small_calls();
  bench.copies();
  bench.decode_trace();
  bench.print(json);
  return 0;
}
