// Two processes share memory and an event; the other one is this program again, with the handles as its
// argument. Each does its part behind the event that the other one has recorded.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "driver.h"

extern char** environ;

namespace {

constexpr uint32_t kCount = 100'000;
constexpr float kFactors[4] = {2, 3, 5, 7};

struct Shared {
  CUipcMemHandle memory;
  CUipcEventHandle event;
};

std::string to_hex(const Shared& shared) {
  std::string text(2 * sizeof shared, '0');
  const auto* bytes = reinterpret_cast<const unsigned char*>(&shared);
  for (size_t i = 0; i < sizeof shared; ++i) std::snprintf(&text[2 * i], 3, "%02x", bytes[i]);
  return text;
}

Shared from_hex(const std::string& text) {
  Shared shared{};
  auto* bytes = reinterpret_cast<unsigned char*>(&shared);
  for (size_t i = 0; i < sizeof shared && 2 * i + 1 < text.size(); ++i)
    bytes[i] = static_cast<unsigned char>(std::strtoul(text.substr(2 * i, 2).c_str(), nullptr, 16));
  return shared;
}

// Multiplies the numbers behind whatever the event stands for, and records it anew.
void take_turn(CUdeviceptr memory, CUevent event, const char* ptx_path) {
  CUmodule module = nullptr;
  CUstream stream = nullptr;
  uint32_t count = kCount;
  const std::vector<float> factors(kFactors, kFactors + 4);
  MUST(DRIVER(cuModuleLoadData)(&module, read_text(ptx_path).c_str()));
  CUdeviceptr constant = 0;
  size_t bytes = 0;
  MUST(DRIVER(cuModuleGetGlobal_v2)(&constant, &bytes, module, "factors"));
  MUST(DRIVER(cuMemcpyHtoD_v2)(constant, factors.data(), sizeof kFactors));
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuStreamWaitEvent)(stream, event, 0));
  launch(function_of(module, "scale"), (kCount + 255) / 256, 256, {&memory, &count}, stream);
  MUST(DRIVER(cuEventRecord)(event, stream));
}

int other_process(const Shared& shared, const char* ptx_path) {
  open_device();
  CUdeviceptr memory = 0;
  CUevent event = nullptr;
  MUST(DRIVER(cuIpcOpenMemHandle_v2)(&memory, shared.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
  MUST(DRIVER(cuIpcOpenEventHandle)(&event, shared.event));
  take_turn(memory, event, ptx_path);
  MUST(DRIVER(cuEventSynchronize)(event));
  const auto seen = download<float>(memory, kCount);
  for (uint32_t i = 0; i < kCount; ++i)
    EXPECT(seen[i] == static_cast<float>(i) * kFactors[i % 4] * kFactors[i % 4]);
  // This too must be there for the other process when this one has told that it is done.
  const float one = -1;
  MUST(DRIVER(cuMemcpyHtoD_v2)(memory, &one, sizeof one));
  MUST(DRIVER(cuMemsetD32Async)(memory + sizeof one, 0x40400000, 1, nullptr));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
  std::printf("the other process is done\n");
  std::fflush(stdout);
  char byte = 0;
  EXPECT(::read(STDIN_FILENO, &byte, 1) == 1);  // ends when it has been seen, not before
  MUST(DRIVER(cuIpcCloseMemHandle)(memory));
  MUST(DRIVER(cuEventDestroy_v2)(event));
  return g_failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return other_process(from_hex(argv[1]), OUTBOARD_TEST_PTX);
  open_device();
  std::vector<float> numbers(kCount);
  for (uint32_t i = 0; i < kCount; ++i) numbers[i] = static_cast<float>(i);
  const CUdeviceptr memory = upload(numbers);
  Shared shared{};
  CUevent event = nullptr;
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuIpcGetMemHandle)(&shared.memory, memory));
  MUST(DRIVER(cuIpcGetEventHandle)(&shared.event, event));
  CUdeviceptr own = 0;
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT,
               DRIVER(cuIpcOpenMemHandle_v2)(&own, shared.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
  take_turn(memory, event, OUTBOARD_TEST_PTX);

  int from[2], to[2];
  EXPECT(pipe(from) == 0 && pipe(to) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, from[0]);
  posix_spawn_file_actions_addclose(&actions, to[1]);
  std::string hex = to_hex(shared);
  char* const arguments[] = {argv[0], hex.data(), nullptr};
  pid_t process = 0;
  EXPECT(posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments, environ) == 0);
  close(from[1]);
  close(to[0]);
  char line[256] = {};
  EXPECT(::read(from[0], line, sizeof line - 1) > 0);
  std::printf("%s", line);
  const auto seen = download<float>(memory, kCount);
  EXPECT(seen[0] == -1 && seen[1] == 3);
  for (uint32_t i = 2; i < kCount; ++i)
    EXPECT(seen[i] == static_cast<float>(i) * kFactors[i % 4] * kFactors[i % 4]);
  EXPECT(::write(to[1], "x", 1) == 1);
  int status = -1;
  EXPECT(waitpid(process, &status, 0) == process && status == 0);
  MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuMemFree_v2)(memory));
  return verdict("driver_ipc");
}
