// A program of a CUDA runtime that is named when it starts: libcudart.so of CUDA 11, 12 or 13, none of
// which is needed to build this. It does by hand what nvcc's host code does: it registers a fat binary
// (PTX for every device) and its kernels.
//
//   any_runtime /path/to/libcudart.so.11.0
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/programs/check.h"

namespace {

constexpr const char* kPtx = R"(
.version 6.5
.target sm_52
.address_size 64
.visible .global .align 4 .u32 rounds = 3;
// data[i] = data[i] * factor + rounds, i < count
.visible .entry scale(.param .u64 data, .param .f32 factor, .param .u32 count)
{
  .reg .pred %p1;
  .reg .b32 %r<8>;
  .reg .f32 %f<6>;
  .reg .b64 %rd<6>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  ld.param.u32 %r5, [count];
  setp.ge.u32 %p1, %r4, %r5;
  @%p1 bra DONE;
  ld.param.u64 %rd1, [data];
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r4, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.f32 %f1, [%rd4];
  ld.param.f32 %f2, [factor];
  ld.global.u32 %r6, [rounds];
  cvt.rn.f32.u32 %f3, %r6;
  fma.rn.f32 %f4, %f1, %f2, %f3;
  st.global.f32 [%rd4], %f4;
DONE:
  ret;
}
)";

// Of the runtime's header, as every version has them.
struct Dim3 {
  unsigned x, y, z;
};
enum Kind { kHostToDevice = 1, kDeviceToHost = 2 };
using Stream = void*;
using Event = void*;

void* g_runtime = nullptr;

void* symbol(const char* name) {
  void* const address = dlsym(g_runtime, name);
  if (address == nullptr) {
    std::printf("the runtime has no %s\nFAIL\n", name);
    std::exit(1);
  }
  return address;
}

// Calls a function of the runtime that returns a cudaError_t.
template <typename... Arguments>
int call(const char* name, Arguments... arguments) {
  return reinterpret_cast<int (*)(Arguments...)>(symbol(name))(arguments...);
}

#define MUST(...)                                                                        \
  do {                                                                                   \
    const int must_result = call(__VA_ARGS__);                                           \
    if (must_result != 0) {                                                              \
      std::printf("line %d: %s: error %d\nFAIL\n", __LINE__, #__VA_ARGS__, must_result); \
      std::exit(1);                                                                      \
    }                                                                                    \
  } while (0)

// A fat binary with one entry of PTX.
struct FatBinary {
  std::vector<uint64_t> words;
  struct {
    uint32_t magic = 0x466243b1, version = 1;
    const void* data = nullptr;
    void* more = nullptr;
  } wrapper;

  FatBinary() {
    const size_t text_bytes = std::strlen(kPtx) + 1;
    const uint64_t padded = (text_bytes + 7) / 8 * 8;
    words.resize((16 + 64 + padded) / 8);
    auto* bytes = reinterpret_cast<char*>(words.data());
    const auto put = [bytes](size_t at, auto value) { std::memcpy(bytes + at, &value, sizeof value); };
    put(0, uint32_t{0xBA55ED50});
    put(4, uint16_t{1});
    put(6, uint16_t{16});
    put(8, uint64_t{64 + padded});
    put(16, uint16_t{1});  // PTX
    put(18, uint16_t{0x0101});
    put(20, uint32_t{64});
    put(24, padded);
    put(16 + 28, uint32_t{52});
    put(16 + 40, uint64_t{0x11});
    std::memcpy(bytes + 80, kPtx, text_bytes);
    wrapper.data = words.data();
  }
};

// What host code takes for the kernel and the variable.
char g_scale_stub, g_rounds_shadow[4];

void register_code(FatBinary& binary) {
  void** handle = reinterpret_cast<void** (*)(void*)>(symbol("__cudaRegisterFatBinary"))(&binary.wrapper);
  using RegisterFunction =
      void (*)(void**, const char*, char*, const char*, int, void*, void*, void*, void*, int*);
  reinterpret_cast<RegisterFunction>(symbol("__cudaRegisterFunction"))(
      handle, &g_scale_stub, const_cast<char*>("scale"), "scale", -1, nullptr, nullptr, nullptr, nullptr,
      nullptr);
  using RegisterVariable = void (*)(void**, char*, char*, const char*, int, size_t, int, int);
  reinterpret_cast<RegisterVariable>(symbol("__cudaRegisterVar"))(
      handle, g_rounds_shadow, const_cast<char*>("rounds"), "rounds", 0, 4, 0, 0);
  reinterpret_cast<void (*)(void**)>(symbol("__cudaRegisterFatBinaryEnd"))(handle);
}

constexpr unsigned kCount = 1000;

int launch(void* data, float factor, unsigned block, Stream stream) {
  unsigned count = kCount;
  void* arguments[] = {&data, &factor, &count};
  const Dim3 grid{(kCount + 127) / 128, 1, 1};
  return call("cudaLaunchKernel", static_cast<const void*>(&g_scale_stub), grid, Dim3{block, 1, 1},
              static_cast<void**>(arguments), size_t{0}, stream);
}

bool all(const std::vector<float>& values, float expected) {
  for (float value : values) {
    if (value != expected) return false;
  }
  return true;
}

void check_kernels_and_variables() {
  std::vector<float> host(kCount, 2.0f);
  const size_t bytes = kCount * sizeof(float);
  void* device = nullptr;
  MUST("cudaMalloc", &device, bytes);
  MUST("cudaMemcpy", device, static_cast<const void*>(host.data()), bytes, int{kHostToDevice});
  EXPECT(launch(device, 0.5f, 128, nullptr) == 0);
  MUST("cudaMemcpy", static_cast<void*>(host.data()), static_cast<const void*>(device), bytes,
       int{kDeviceToHost});
  EXPECT(all(host, 4.0f));
  const uint32_t rounds = 10;
  MUST("cudaMemcpyToSymbol", static_cast<const void*>(g_rounds_shadow), static_cast<const void*>(&rounds),
       sizeof rounds, size_t{0}, int{kHostToDevice});
  EXPECT(launch(device, 1.0f, 128, nullptr) == 0);
  MUST("cudaDeviceSynchronize");
  MUST("cudaMemcpy", static_cast<void*>(host.data()), static_cast<const void*>(device), bytes,
       int{kDeviceToHost});
  EXPECT(all(host, 14.0f));
  // An error that a program can make, and its end.
  EXPECT(launch(device, 1.0f, 5000, nullptr) != 0);
  EXPECT(call("cudaGetLastError") != 0);
  EXPECT(call("cudaGetLastError") == 0);
  MUST("cudaFree", device);
  std::printf("kernels and variables done\n");
}

void check_streams() {
  Stream stream = nullptr;
  Event start = nullptr, end = nullptr;
  MUST("cudaStreamCreate", &stream);
  MUST("cudaEventCreate", &start);
  MUST("cudaEventCreate", &end);
  const size_t bytes = kCount * sizeof(float);
  void *device = nullptr, *pinned = nullptr;
  MUST("cudaMallocAsync", &device, bytes, stream);
  MUST("cudaHostAlloc", &pinned, bytes, 0u);
  auto* values = static_cast<float*>(pinned);
  for (unsigned i = 0; i < kCount; ++i) values[i] = 1.0f;
  MUST("cudaEventRecord", start, stream);
  MUST("cudaMemcpyAsync", device, static_cast<const void*>(pinned), bytes, int{kHostToDevice}, stream);
  EXPECT(launch(device, 2.0f, 128, stream) == 0);
  MUST("cudaMemcpyAsync", pinned, static_cast<const void*>(device), bytes, int{kDeviceToHost}, stream);
  MUST("cudaEventRecord", end, stream);
  static std::atomic<int> called{0};
  void (*const function)(void*) = [](void* data) { called += *static_cast<int*>(data); };
  int amount = 7;
  MUST("cudaLaunchHostFunc", stream, function, static_cast<void*>(&amount));
  MUST("cudaStreamSynchronize", stream);
  EXPECT(called == 7);
  EXPECT(values[0] == 12.0f && values[kCount - 1] == 12.0f);
  float ms = -1;
  MUST("cudaEventElapsedTime", &ms, start, end);
  EXPECT(ms >= 0);

  void *graph = nullptr, *node = nullptr, *executable = nullptr;
  (void)node;
  MUST("cudaStreamBeginCapture", stream, 0);
  EXPECT(launch(device, 1.0f, 128, stream) == 0);
  EXPECT(launch(device, 1.0f, 128, stream) == 0);
  MUST("cudaStreamEndCapture", stream, &graph);
  MUST("cudaGraphInstantiateWithFlags", &executable, graph, 0ull);
  MUST("cudaGraphLaunch", executable, stream);
  MUST("cudaMemcpyAsync", pinned, static_cast<const void*>(device), bytes, int{kDeviceToHost}, stream);
  MUST("cudaStreamSynchronize", stream);
  EXPECT(values[0] == 32.0f && values[kCount - 1] == 32.0f);
  MUST("cudaGraphExecDestroy", executable);
  MUST("cudaGraphDestroy", graph);

  MUST("cudaFreeAsync", device, stream);
  MUST("cudaFreeHost", pinned);
  MUST("cudaEventDestroy", start);
  MUST("cudaEventDestroy", end);
  MUST("cudaStreamDestroy", stream);
  std::printf("streams, events and graphs done\n");
}

void check_questions() {
  int major = 0, blocks = 0, current = -1;
  MUST("cudaDeviceGetAttribute", &major, 75, 0);  // cudaDevAttrComputeCapabilityMajor
  EXPECT(major >= 5);
  MUST("cudaOccupancyMaxActiveBlocksPerMultiprocessor", &blocks, static_cast<const void*>(&g_scale_stub), 128,
       size_t{0});
  EXPECT(blocks > 0);
  MUST("cudaGetDevice", &current);
  EXPECT(current == 0);
  size_t free_bytes = 0, total_bytes = 0;
  MUST("cudaMemGetInfo", &free_bytes, &total_bytes);
  EXPECT(free_bytes > 0 && free_bytes <= total_bytes);
  // cudaDeviceProp begins with the name in every version; later ones are longer than any here.
  std::vector<char> properties(16384);
  MUST("cudaGetDeviceProperties", static_cast<void*>(properties.data()), 0);
  std::printf("device: %s\n", properties.data());
  EXPECT(std::strlen(properties.data()) > 3);
  std::printf("questions done\n");
}

void check_threads() {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&right] {
      std::vector<float> host(kCount, 1.0f);
      const size_t bytes = kCount * sizeof(float);
      void* device = nullptr;
      MUST("cudaMalloc", &device, bytes);
      MUST("cudaMemcpy", device, static_cast<const void*>(host.data()), bytes, int{kHostToDevice});
      EXPECT(launch(device, 3.0f, 128, nullptr) == 0);
      MUST("cudaMemcpy", static_cast<void*>(host.data()), static_cast<const void*>(device), bytes,
           int{kDeviceToHost});
      right += all(host, 13.0f) ? 1 : 0;
      MUST("cudaFree", device);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(right == 4);
  std::printf("threads done\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == 0) {
    std::printf("no libcudart.so was named\n");
    return 77;
  }
  g_runtime = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (g_runtime == nullptr) {
    std::printf("%s\nFAIL\n", dlerror());
    return 1;
  }
  static FatBinary binary;
  register_code(binary);
  int runtime = 0, driver = 0, devices = 0;
  MUST("cudaRuntimeGetVersion", &runtime);
  MUST("cudaDriverGetVersion", &driver);
  MUST("cudaGetDeviceCount", &devices);
  std::printf("runtime %d, driver %d\n", runtime, driver);
  EXPECT(devices > 0 && driver >= runtime);
  check_kernels_and_variables();
  check_streams();
  check_questions();
  check_threads();
  MUST("cudaDeviceReset");
  return verdict("any_runtime");
}
