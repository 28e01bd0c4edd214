// Two programs' habits of calling the driver, without their kernels, so that what a step takes is the
// price of the calls: through whatever libcuda.so.1 the loader finds.
//   decode    one token of llama.cpp: 6 small copies in, 19 stream synchronisations, 1 graph launch,
//             1 copy out
//   training  one step of an eager framework: 330 calls, 4 of which wait
// Prints JSON. Under `outboard run` the client library counts round trips and bytes (session_stats.h),
// and the difference over the measured steps is exact.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/driver.h"
#include "protocol/base/session_stats.h"

namespace {

using Clock = std::chrono::steady_clock;

#define CUDA(name, ...)                                       \
  do {                                                        \
    static auto* const found = OUTBOARD_BENCH_FUNCTION(name); \
    outboard::bench::check(found(__VA_ARGS__), #name);        \
  } while (false)

outboard::SessionStatsSnapshot counts() {
  const char* path = std::getenv("OUTBOARD_STATS_FILE");
  if (path == nullptr) return {};
  const auto file = outboard::read_session_stats(path);
  return file && !file->processes.empty() ? file->processes.front() : outboard::SessionStatsSnapshot{};
}

struct Program {
  CUfunction empty = nullptr;
  CUstream compute = nullptr;
  CUstream copies = nullptr;
  CUevent event = nullptr;
  CUgraphExec graph = nullptr;
  CUdeviceptr buffer = 0;
  std::vector<char> small = std::vector<char>(256);
  std::vector<char> logits = std::vector<char>(128 << 10);

  void launch(CUstream stream) {
    CUdeviceptr a = buffer, b = buffer, c = buffer;
    unsigned n = 1;
    void* params[] = {&a, &b, &c, &n};
    CUDA(cuLaunchKernel, empty, 1, 1, 1, 32, 1, 1, 0, stream, params, nullptr);
  }

  void start() {
    CUDA(cuInit, 0);
    CUcontext context = nullptr;
    CUDA(cuDevicePrimaryCtxRetain, &context, 0);
    CUDA(cuCtxSetCurrent, context);
    CUmodule module = nullptr;
    CUDA(cuModuleLoadData, &module, outboard::bench::kEmptyKernelPtx);
    CUDA(cuModuleGetFunction, &empty, module, "empty");
    launch(nullptr);
  }

  void prepare() {
    CUDA(cuStreamCreate, &compute, CU_STREAM_NON_BLOCKING);
    CUDA(cuStreamCreate, &copies, CU_STREAM_NON_BLOCKING);
    CUDA(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
    CUDA(cuMemAlloc_v2, &buffer, size_t{4} << 20);
    CUDA(cuStreamBeginCapture_v2, compute, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    for (int i = 0; i < 30; ++i) launch(compute);
    CUgraph captured = nullptr;
    CUDA(cuStreamEndCapture, compute, &captured);
    CUDA(cuGraphInstantiateWithFlags, &graph, captured, 0);
    CUDA(cuStreamSynchronize, copies);
    CUDA(cuStreamSynchronize, compute);
  }

  void decode_token() {
    for (int i = 0; i < 6; ++i) {
      CUDA(cuMemcpyHtoDAsync_v2, buffer + i * 4096, small.data(), small.size(), copies);
      for (int j = 0; j < 3; ++j) CUDA(cuStreamSynchronize, copies);
    }
    CUDA(cuGraphLaunch, graph, compute);
    CUDA(cuMemcpyDtoHAsync_v2, logits.data(), buffer, logits.size(), compute);
    CUDA(cuStreamSynchronize, compute);
  }

  void training_step() {
    for (int i = 0; i < 2; ++i)
      CUDA(cuMemcpyHtoDAsync_v2, buffer + i * 4096, small.data(), small.size(), compute);
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 8; ++i) CUDA(cuMemsetD8Async, buffer, 0, 4096, compute);
      for (int i = 0; i < 135; ++i) launch(compute);
      for (int i = 0; i < 8; ++i) {
        CUDA(cuEventRecord, event, compute);
        CUDA(cuStreamWaitEvent, copies, event, 0);
      }
      float loss = 0;
      CUDA(cuMemcpyDtoHAsync_v2, &loss, buffer, sizeof loss, compute);
      launch(compute);
      CUDA(cuStreamSynchronize, compute);
    }
    for (int i = 0; i < 4; ++i) CUDA(cuMemsetD8Async, buffer, 0, 4096, compute);
  }

  template <typename Step>
  void measure(const char* name, int steps, Step step) {
    for (int i = 0; i < 3; ++i) step();
    CUDA(cuCtxSynchronize);
    const auto before = counts();
    const auto begin = Clock::now();
    for (int i = 0; i < steps; ++i) step();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto after = counts();
    const auto each = [&](uint64_t from, uint64_t to) { return static_cast<double>(to - from) / steps; };
    std::printf(
        ", \"%s\": {\"step_us\": %.1f, \"round_trips\": %.3f, \"bytes_sent\": %.0f, \"bytes_received\": "
        "%.0f}",
        name, seconds / steps * 1e6, each(before.blocking_round_trips, after.blocking_round_trips),
        each(before.bytes_sent, after.bytes_sent), each(before.bytes_received, after.bytes_received));
  }
};

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 100;
  if (steps <= 0) {
    std::fprintf(stderr, "Usage: bench_traces [STEPS]\n");
    return 2;
  }
  Program program;
  const auto begin = Clock::now();
  program.start();
  const double start_us = std::chrono::duration<double>(Clock::now() - begin).count() * 1e6;
  const auto started = counts();
  std::printf(
      "{\"first_launch\": {\"step_us\": %.1f, \"round_trips\": %llu, \"bytes_sent\": %llu, "
      "\"bytes_received\": %llu}",
      start_us, static_cast<unsigned long long>(started.blocking_round_trips),
      static_cast<unsigned long long>(started.bytes_sent),
      static_cast<unsigned long long>(started.bytes_received));
  program.prepare();
  program.measure("decode", steps, [&] { program.decode_token(); });
  program.measure("training", steps, [&] { program.training_step(); });
  std::printf("}\n");
  return 0;
}
