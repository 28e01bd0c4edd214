// Whether the caller is a function that a stream runs: such may not call CUDA.
#pragma once

namespace outboard::client {

// True on the thread that HostFunctions runs them on.
bool on_host_function_thread();

}  // namespace outboard::client
