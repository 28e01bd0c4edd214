// Wrong calls and failing kernels: which error, and where it surfaces. Errors that end a context are
// tried in processes of their own.
#include <spawn.h>
#include <sys/wait.h>

#include <cstring>
#include <string>

#include "program.h"

extern char** environ;

__global__ void nothing() {}
__global__ void write_to(int* address) { *address = 1; }
__global__ void stop() { asm volatile("trap;"); }

// CUDA 13.0's runtime passes on what the driver says; older ones name the configuration.
void expect_refused_launch(const char* what) {
  const cudaError_t error = cudaGetLastError();
  std::printf("%s: %s\n", what, cudaGetErrorName(error));
  EXPECT(error == cudaErrorInvalidConfiguration || error == cudaErrorInvalidValue);
}

// Checked at once, and leaving no trace in the context.
void check_recoverable() {
  nothing<<<1, 1025>>>();
  expect_refused_launch("1025 threads");
  nothing<<<0, 32>>>();
  expect_refused_launch("no blocks");
  nothing<<<dim3(1, 70000), 32>>>();
  expect_refused_launch("70000 blocks in y");
  nothing<<<1, dim3(1, 1, 65)>>>();
  expect_refused_launch("65 threads in z");
  nothing<<<1, 32, 100000>>>();
  EXPECT_ERROR(cudaErrorInvalidValue, cudaGetLastError());

  void* memory = nullptr;
  EXPECT_ERROR(cudaErrorMemoryAllocation, cudaMalloc(&memory, size_t{1} << 46));
  EXPECT_ERROR(cudaErrorMemoryAllocation, cudaGetLastError());
  EXPECT_ERROR(cudaErrorInvalidValue, cudaFree(reinterpret_cast<void*>(0x1234)));
  cudaGetLastError();
  MUST(cudaFree(nullptr));
  MUST(cudaMalloc(&memory, 100));
  MUST(cudaFree(memory));
  EXPECT_ERROR(cudaErrorInvalidValue, cudaFree(memory));
  EXPECT_ERROR(cudaErrorInvalidDevice, cudaSetDevice(1000));
  cudaGetLastError();
  int value = 0;
  EXPECT_ERROR(cudaErrorInvalidValue, cudaMemset(reinterpret_cast<void*>(0x1000), 0, 16));
  EXPECT_ERROR(cudaErrorInvalidValue, cudaMemcpy(nullptr, &value, sizeof value, cudaMemcpyHostToDevice));
  cudaGetLastError();

  // None of this harmed the context.
  nothing<<<1, 32>>>();
  MUST(cudaGetLastError());
  MUST(cudaDeviceSynchronize());
  std::printf("recoverable errors done\n");
}

// The kernel's error arrives at the next synchronising call, and at every call after it.
int sticky(cudaError_t expected) {
  const cudaError_t first = cudaDeviceSynchronize();
  std::printf("  at synchronisation: %s\n", cudaGetErrorName(first));
  void* memory = nullptr;
  const cudaError_t second = cudaMalloc(&memory, 100);
  std::printf("  at the next allocation: %s\n", cudaGetErrorName(second));
  const cudaError_t third = cudaGetLastError();
  std::printf("  last error: %s\n", cudaGetErrorName(third));
  return first == expected && second == expected && third == expected ? 0 : 1;
}

int run_case(const std::string& name) {
  if (name == "null_pointer") {
    write_to<<<1, 1>>>(nullptr);
    return sticky(cudaErrorIllegalAddress);
  }
  if (name == "wild_pointer") {
    write_to<<<1, 1>>>(reinterpret_cast<int*>(0x123456789000));
    return sticky(cudaErrorIllegalAddress);
  }
  if (name == "misaligned") {
    char* memory = nullptr;
    MUST(cudaMalloc(&memory, 100));
    write_to<<<1, 1>>>(reinterpret_cast<int*>(memory + 1));
    return sticky(cudaErrorMisalignedAddress);
  }
  if (name == "trap") {
    stop<<<2, 64>>>();
    return sticky(cudaErrorLaunchFailure);
  }
  if (name == "stream") {  // it surfaces at the stream's synchronisation as well
    cudaStream_t stream;
    MUST(cudaStreamCreate(&stream));
    write_to<<<1, 1, 0, stream>>>(nullptr);
    const cudaError_t at_stream = cudaStreamSynchronize(stream);
    std::printf("  at stream synchronisation: %s\n", cudaGetErrorName(at_stream));
    return at_stream == cudaErrorIllegalAddress ? sticky(cudaErrorIllegalAddress) : 1;
  }
  return 2;
}

int run_in_child(const char* program, const char* name) {
  const char* const arguments[] = {program, name, nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, const_cast<char* const*>(arguments), environ) !=
      0) {
    return -1;
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 1) return run_case(argv[1]);
  for (const char* name : {"null_pointer", "wild_pointer", "misaligned", "trap", "stream"}) {
    std::printf("%s\n", name);
    const int code = run_in_child(argv[0], name);
    if (code != 0) std::printf("  exit code %d\n", code);
    EXPECT(code == 0);
  }
  check_recoverable();
  return verdict("errors");
}
