// bench_softgpu: how fast the software device executes kernels, on one core, beside the same
// computation in plain C++ on the same core in the same run. Prints a table; --json FILE writes it.
#include <time.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/softgpu/baseline.h"
#include "bench/softgpu/instruction_count.h"
#include "server/softgpu/exec/launch.h"
#include "server/softgpu/exec/thread_pool.h"
#include "server/softgpu/jit/tier.h"
#include "server/softgpu/ptx/module.h"
#include "tests/softgpu/exec/test_device.h"

namespace outboard::bench {
namespace {

using namespace softgpu;
using Tier = decltype(ptx::CompileOptions::tier);

// Of this thread, which does all the work: what else runs on the machine costs it no time.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The best of several runs: what the machine can do when nothing else happens.
double best_seconds(const std::function<void()>& work) {
  double best = 1e9, total = 0;
  for (int run = 0; run < 3 || (total < 0.6 && run < 1000); ++run) {
    const double start = processor_seconds();
    work();
    const double seconds = processor_seconds() - start;
    total += seconds;
    best = seconds < best ? seconds : best;
  }
  return best;
}

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "bench_softgpu: %s\n", why.c_str());
  std::exit(1);
}

struct Loaded {
  std::shared_ptr<const ptx::Program> program;
  std::shared_ptr<const exec::LoadedModule> module;
};

Loaded load(const std::string& text, Tier tier, exec::TestDevice& device) {
  ptx::JitLog log;
  ptx::CompileOptions options;
  options.tier = tier;
  auto program = ptx::compile(text, log, options);
  if (!program) stop(log.error);
  auto module = exec::instantiate(*program, [&](const ptx::Variable& variable) -> Result<uint64_t> {
    return device.allocate(variable.bytes);
  });
  return {*program, *module};
}

class Params {
 public:
  template <typename T>
  Params& add(T value) {
    bytes_.resize((bytes_.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T) + sizeof(T));
    std::memcpy(bytes_.data() + bytes_.size() - sizeof(T), &value, sizeof(T));
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

struct Case {
  std::string name;
  exec::Dim3 grid, block;
  Params params;
  std::function<void()> baseline;
};

exec::LaunchRequest request_of(const Case& c, const Loaded& loaded) {
  exec::LaunchRequest request;
  request.module = loaded.module.get();
  request.kernel = loaded.program->find_kernel(c.name);
  request.grid = c.grid;
  request.block = c.block;
  request.params = c.params.bytes();
  return request;
}

void launch(const Case& c, const Loaded& loaded, exec::TestDevice& device) {
  const exec::LaunchResult result = exec::run(request_of(c, loaded), device);
  if (!result.ok()) stop(result.message);
}

template <typename T>
std::vector<T> numbers(size_t count) {
  std::vector<T> values(count);
  uint32_t state = 1;
  for (T& value : values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<T>(state >> 24) / 16;
  }
  return values;
}

// Inputs of the cases live as long as the program.
template <typename T>
T* on_device(exec::TestDevice& device, const std::vector<T>& values) {
  return reinterpret_cast<T*>(device.upload(values));
}

std::vector<Case> make_cases(exec::TestDevice& device) {
  // Vectors are larger than the caches, like those that one would send to another device. Kernels
  // with a loop over the grid get eight blocks per core, as their authors would choose.
  constexpr int kLength = 1 << 23, kSide = 256, kBodies = 1024, kRows = 1024, kWords = 256;
  float* x = on_device(device, numbers<float>(kLength));
  float* y = on_device(device, numbers<float>(kLength));
  float* a = on_device(device, numbers<float>(kSide * kSide));
  float* b = on_device(device, numbers<float>(kSide * kSide));
  float* c = on_device(device, numbers<float>(kSide * kSide));
  auto* words = on_device(device, numbers<uint32_t>(kLength));
  auto* bins = on_device(device, numbers<uint32_t>(256));
  float* bodies = on_device(device, numbers<float>(4 * kBodies));
  float* accelerations = on_device(device, numbers<float>(4 * kBodies));
  auto* bytes = on_device(device, numbers<int8_t>(kRows * kWords * 4));
  auto* vector = on_device(device, numbers<int8_t>(kWords * 4));
  auto* product = on_device(device, numbers<int>(kRows));
  auto* halves = on_device(device, numbers<uint16_t>(kSide * kSide));
  return {
      {"saxpy",
       {kLength / 256, 1, 1},
       {256, 1, 1},
       Params().add(x).add(y).add(0.5f).add(kLength),
       [=] { saxpy(x, y, 0.5f, kLength); }},
      {"sgemm",
       {kSide / 32, kSide / 32, 1},
       {32, 32, 1},
       Params().add(a).add(b).add(c).add(kSide),
       [=] { sgemm(a, b, c, kSide); }},
      {"reduction",
       {8, 1, 1},
       {256, 1, 1},
       Params().add(x).add(c).add(kLength),
       [=] { c[0] = reduction(x, kLength); }},
      {"histogram",
       {8, 1, 1},
       {256, 1, 1},
       Params().add(words).add(bins).add(kLength),
       [=] { histogram(words, bins, kLength); }},
      {"nbody",
       {kBodies / 256, 1, 1},
       {256, 1, 1},
       Params().add(bodies).add(accelerations).add(kBodies),
       [=] { nbody(bodies, accelerations, kBodies); }},
      {"mma_sgemm",
       {kSide / 16 * (kSide / 8) / 8, 1, 1},
       {256, 1, 1},
       Params().add(halves).add(halves).add(c).add(kSide),
       [=] { sgemm_transposed(a, b, c, kSide); }},
      {"dp4a_gemv",
       {kRows / 8, 1, 1},
       {256, 1, 1},
       Params().add(bytes).add(vector).add(product).add(kWords),
       [=] { gemv_bytes(bytes, vector, product, kRows, kWords); }},
  };
}

nlohmann::json measure(const Case& c, const std::string& text, exec::TestDevice& device) {
  const Loaded interpreted = load(text, nullptr, device),
               translated = load(text, jit::make_eager_tier, device);
  const Loaded counted = load(text, nullptr, device);
  const uint64_t instructions =
      count_thread_instructions(request_of(c, counted), counted.program->image(), device);
  launch(c, translated, device);
  const double plain = best_seconds(c.baseline);
  const double tier0 = best_seconds([&] { launch(c, interpreted, device); });
  const double tier1 = best_seconds([&] { launch(c, translated, device); });
  const double billions = static_cast<double>(instructions) * 1e-9;
  std::printf("%-10s %10.2f %10.2f %10.2f %9.2f %9.2f %9.3f %9.3f\n", c.name.c_str(), plain * 1e6,
              tier0 * 1e6, tier1 * 1e6, billions / tier0, billions / tier1, plain / tier0, plain / tier1);
  return {{"kernel", c.name},
          {"thread_instructions", instructions},
          {"plain_us", plain * 1e6},
          {"interpreter_us", tier0 * 1e6},
          {"translated_us", tier1 * 1e6},
          {"interpreter_giga_instructions_per_s", billions / tier0},
          {"translated_giga_instructions_per_s", billions / tier1},
          {"interpreter_of_plain", plain / tier0},
          {"translated_of_plain", plain / tier1}};
}

// A kernel of `count` instructions that do not repeat, as generated code has them.
std::string long_kernel(int count) {
  std::string text =
      ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry long_kernel(.param .u64 p) {\n"
      ".reg .b64 %rd<2>;\n.reg .f32 %f<64>;\nld.param.u64 %rd1, [p];\n";
  for (int i = 0; i < 64; ++i) text += "mov.f32 %f" + std::to_string(i) + ", 0f3F800000;\n";
  for (int i = 0; i < count; ++i) {
    text += "fma.rn.f32 %f" + std::to_string(i % 64) + ", %f" + std::to_string((i * 7 + 1) % 64) + ", %f" +
            std::to_string((i * 5 + 3) % 64) + ", %f" + std::to_string((i * 3 + 2) % 64) + ";\n";
  }
  return text + "st.global.f32 [%rd1], %f5;\nret;\n}\n";
}

nlohmann::json measure_fixed_costs(const std::string& text, exec::TestDevice& device) {
  Case null{"null_kernel", {1, 1, 1}, {32, 1, 1}, {}, {}};
  const Loaded loaded = load(text, jit::make_tier, device);
  const int kLaunches = 20000;
  const double launches = best_seconds([&] {
    for (int i = 0; i < kLaunches; ++i) launch(null, loaded, device);
  });
  const std::string long_text = long_kernel(5000);
  Case longest{"long_kernel", {1, 1, 1}, {32, 1, 1}, Params().add(device.allocate(64)), {}};
  const auto first = [&](Tier tier) {
    return best_seconds([&] { launch(longest, load(long_text, tier, device), device); });
  };
  const double interpreted = first(nullptr), translated = first(jit::make_eager_tier);
  const double module = best_seconds([&] { load(text, nullptr, device); });
  std::printf("\nnull launches/s                          %12.0f\n", kLaunches / launches);
  std::printf("load and first launch, 5,000 instructions %8.2f ms, with machine code %.2f ms\n",
              interpreted * 1e3, translated * 1e3);
  std::printf("load of these kernels' module            %9.2f ms (%zu bytes of PTX)\n", module * 1e3,
              text.size());
  return {{"null_launches_per_s", kLaunches / launches},
          {"first_launch_5000_ms", interpreted * 1e3},
          {"first_launch_5000_translated_ms", translated * 1e3},
          {"module_load_ms", module * 1e3}};
}

int run(int argc, char** argv) {
  std::string json_path, only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--json") json_path = argv[i + 1];
    if (option == "--only") only = argv[i + 1];
  }
  if (argc % 2 == 0 || (argc > 1 && json_path.empty() && only.empty()))
    stop("usage: bench_softgpu [--json FILE] [--only KERNEL]");
  std::ifstream file(OUTBOARD_BENCH_KERNELS);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) stop("cannot read " OUTBOARD_BENCH_KERNELS);
  exec::TestDevice device(1);
  std::printf("one core; best of several runs; G/s: 10^9 instructions of single threads per second\n\n");
  std::printf("%-10s %10s %10s %10s %9s %9s %9s %9s\n", "kernel", "C++ us", "tier 0 us", "tier 1 us",
              "tier0 G/s", "tier1 G/s", "tier0/C++", "tier1/C++");
  nlohmann::json report;
  for (const Case& c : make_cases(device)) {
    if (only.empty() || only == c.name) report["kernels"].push_back(measure(c, text, device));
  }
  if (only.empty()) report["fixed"] = measure_fixed_costs(text, device);
  if (!json_path.empty()) std::ofstream(json_path) << report.dump(2) << '\n';
  return 0;
}

}  // namespace
}  // namespace outboard::bench

int main(int argc, char** argv) { return outboard::bench::run(argc, argv); }
