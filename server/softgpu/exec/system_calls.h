// Functions that device code may call without defining them: printf, the heap, and what CUDA's device
// runtime library needs to launch kernels.
#pragma once

#include <cstdint>
#include <string_view>

namespace outboard::softgpu::exec {

enum class SystemCall : uint8_t {
  kPrint,
  kAllocate,
  kFree,
  kAssertFail,
  kGetParameterBuffer,
  kLaunch,
  kGetLastError,
  kSetLastError,
  kCreateStream,
  kDestroyStream,
  kStreamWaitEvent,
  kCreateEvent,
  kRecordEvent,
  kDestroyEvent,
  kSetConditional,
  kCount
};

// Number of a system call by its symbol ("vprintf", "malloc", ...), or -1.
int find_system_call(std::string_view name);

}  // namespace outboard::softgpu::exec
