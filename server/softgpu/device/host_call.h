// Functions of the application that streams and graphs run. These may not call CUDA, and learn so by
// CUDA_ERROR_NOT_PERMITTED; libgomp puts off what it must free until it no longer gets that.
#pragma once

namespace outboard::softgpu {

// While one lives, the calling thread runs such a function.
class HostCall {
 public:
  HostCall();
  ~HostCall();
  HostCall(const HostCall&) = delete;
  HostCall& operator=(const HostCall&) = delete;

  // Whether one lives on the calling thread.
  static bool active();
};

}  // namespace outboard::softgpu
