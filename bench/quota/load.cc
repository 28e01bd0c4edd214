// bench_quota_load: one client that keeps a device busy in one way, and tells how much of its work was
// done in every tenth of a second.
//   bench_quota_load HOW UNITS SECONDS [START_NS]
// HOW: kernels, ex, cooperative, graphs (of ten kernels); "bursty" works and rests in turns of 50 ms; "light"
// makes one launch every 10 ms and waits for it. A launch is UNITS blocks of the kernel "busy": a microsecond
// each on the null driver, a fixed number of loops on others. START_NS: when to begin, by CLOCK_MONOTONIC.
// Prints JSON: start_ns, units of every 100 ms, and for "light" the latencies in microseconds.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "bench/driver.h"
#include "protocol/base/clock.h"

namespace {

using outboard::monotonic_ns;
using outboard::bench::check;

constexpr uint64_t kBucketNs = 100'000'000;
constexpr size_t kInFlight = 64;
constexpr unsigned kKernelsOfGraph = 10;

const char* kBusyPtx = R"(.version 7.0
.target sm_75
.address_size 64
.visible .entry busy(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n) {
  .reg .u32 %n, %x;
  .reg .pred %p;
  mov.u32 %n, 0;
  mov.u32 %x, %tid.x;
again:
  mad.lo.u32 %x, %x, 1664525, 1013904223;
  add.u32 %n, %n, 1;
  setp.lt.u32 %p, %n, 200;
  @%p bra again;
  setp.eq.u32 %p, %x, 77777;
  @%p trap;
  ret;
}
)";

void sleep_until(uint64_t ns) {
  const timespec until{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

class Load {
 public:
  Load(const std::string& how, unsigned units) : how_(how), units_(units) {
    check(OUTBOARD_BENCH_FUNCTION(cuInit)(0), "cuInit");
    CUcontext context = nullptr;
    check(OUTBOARD_BENCH_FUNCTION(cuDevicePrimaryCtxRetain)(&context, 0), "cuDevicePrimaryCtxRetain");
    check(OUTBOARD_BENCH_FUNCTION(cuCtxSetCurrent)(context), "cuCtxSetCurrent");
    CUmodule module = nullptr;
    check(OUTBOARD_BENCH_FUNCTION(cuModuleLoadData)(&module, kBusyPtx), "cuModuleLoadData");
    check(OUTBOARD_BENCH_FUNCTION(cuModuleGetFunction)(&busy_, module, "busy"), "cuModuleGetFunction");
    check(OUTBOARD_BENCH_FUNCTION(cuStreamCreate)(&stream_, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    for (CUevent& event : events_)
      check(OUTBOARD_BENCH_FUNCTION(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    if (how == "graphs") make_graph();
  }

  unsigned units_of_launch() const { return how_ == "graphs" ? units_ * kKernelsOfGraph : units_; }

  void launch() {
    static const auto plain = OUTBOARD_BENCH_FUNCTION(cuLaunchKernel);
    static const auto extended = OUTBOARD_BENCH_FUNCTION(cuLaunchKernelEx);
    static const auto cooperative = OUTBOARD_BENCH_FUNCTION(cuLaunchCooperativeKernel);
    static const auto graph = OUTBOARD_BENCH_FUNCTION(cuGraphLaunch);
    CUresult result = CUDA_SUCCESS;
    if (how_ == "graphs") {
      result = graph(graph_, stream_);
    } else if (how_ == "ex") {
      CUlaunchConfig config{};
      config.gridDimX = units_;
      config.gridDimY = config.gridDimZ = config.blockDimX = config.blockDimY = config.blockDimZ = 1;
      config.hStream = stream_;
      result = extended(&config, busy_, parameters_, nullptr);
    } else if (how_ == "cooperative") {
      result = cooperative(busy_, units_, 1, 1, 1, 1, 1, 0, stream_, parameters_);
    } else {
      result = plain(busy_, units_, 1, 1, 1, 1, 1, 0, stream_, parameters_, nullptr);
    }
    check(result, "A launch");
  }
  void record(size_t number) {
    static const auto record_event = OUTBOARD_BENCH_FUNCTION(cuEventRecord);
    check(record_event(events_[number % kInFlight], stream_), "cuEventRecord");
  }
  void wait(size_t number) {
    static const auto wait_event = OUTBOARD_BENCH_FUNCTION(cuEventSynchronize);
    check(wait_event(events_[number % kInFlight]), "cuEventSynchronize");
  }
  void finish() { check(OUTBOARD_BENCH_FUNCTION(cuStreamSynchronize)(stream_), "cuStreamSynchronize"); }

 private:
  void make_graph() {
    check(OUTBOARD_BENCH_FUNCTION(cuStreamBeginCapture_v2)(stream_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
          "cuStreamBeginCapture");
    const std::string launches = std::exchange(how_, "kernels");
    for (unsigned i = 0; i < kKernelsOfGraph; ++i) launch();
    how_ = launches;
    CUgraph graph = nullptr;
    check(OUTBOARD_BENCH_FUNCTION(cuStreamEndCapture)(stream_, &graph), "cuStreamEndCapture");
    check(OUTBOARD_BENCH_FUNCTION(cuGraphInstantiateWithFlags)(&graph_, graph, 0), "cuGraphInstantiate");
  }

  std::string how_;
  unsigned units_;
  CUfunction busy_ = nullptr;
  CUstream stream_ = nullptr;
  CUevent events_[kInFlight] = {};
  CUgraphExec graph_ = nullptr;
  // Those that the null driver says all kernels have.
  uint64_t nothing_ = 0;
  void* parameters_[4] = {&nothing_, &nothing_, &nothing_, &nothing_};
};

struct Report {
  uint64_t start_ns = 0;
  std::vector<uint64_t> units;
  std::vector<double> latencies_us;

  void done(uint64_t now_ns, uint64_t more) {
    const size_t bucket = (now_ns - start_ns) / kBucketNs;
    if (bucket >= units.size()) units.resize(bucket + 1);
    units[bucket] += more;
  }
  void print() const {
    std::printf("{\"start_ns\": %llu, \"units\": [", static_cast<unsigned long long>(start_ns));
    for (size_t i = 0; i < units.size(); ++i)
      std::printf("%s%llu", i == 0 ? "" : ", ", static_cast<unsigned long long>(units[i]));
    std::printf("], \"latencies_us\": [");
    for (size_t i = 0; i < latencies_us.size(); ++i)
      std::printf("%s%.1f", i == 0 ? "" : ", ", latencies_us[i]);
    std::printf("]}\n");
  }
};

// Several launches for one event where they are short, so that the client is not what is measured.
void keep_busy(Load& load, Report& report, uint64_t end_ns, bool bursty) {
  const unsigned each = std::max(1u, 500 / load.units_of_launch());
  const size_t ahead = std::clamp<size_t>(20'000 / (each * load.units_of_launch()), 2, kInFlight);
  size_t begun = 0;
  size_t done = 0;
  while (monotonic_ns() < end_ns) {
    if (bursty && (monotonic_ns() - report.start_ns) / 50'000'000 % 2 == 1) {
      for (; done < begun; ++done) {
        load.wait(done);
        report.done(monotonic_ns(), uint64_t{each} * load.units_of_launch());
      }
      sleep_until(monotonic_ns() + 1'000'000);
      continue;
    }
    for (unsigned i = 0; i < each; ++i) load.launch();
    load.record(begun++);
    if (begun - done < ahead) continue;
    load.wait(done++);
    report.done(monotonic_ns(), uint64_t{each} * load.units_of_launch());
  }
  for (; done < begun; ++done) load.wait(done);
}

void launch_now_and_then(Load& load, Report& report, uint64_t end_ns) {
  for (uint64_t at_ns = report.start_ns; at_ns < end_ns; at_ns += 10'000'000) {
    sleep_until(at_ns);
    const uint64_t begin_ns = monotonic_ns();
    load.launch();
    load.finish();
    const uint64_t now_ns = monotonic_ns();
    report.latencies_us.push_back(static_cast<double>(now_ns - begin_ns) / 1000);
    report.done(now_ns, load.units_of_launch());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fputs("bench_quota_load HOW UNITS SECONDS [START_NS]; see bench/quota.py.\n", stderr);
    return 2;
  }
  const std::string how = argv[1];
  Load load(how, static_cast<unsigned>(std::max(1, std::atoi(argv[2]))));
  Report report;
  report.start_ns = argc == 5 ? std::strtoull(argv[4], nullptr, 10) : monotonic_ns();
  const uint64_t end_ns = report.start_ns + static_cast<uint64_t>(std::atof(argv[3]) * 1e9);
  load.launch();
  load.finish();
  sleep_until(report.start_ns);
  if (how == "light") {
    launch_now_and_then(load, report, end_ns);
  } else {
    keep_busy(load, report, end_ns, how == "bursty");
  }
  report.print();
  return 0;
}
