// What a worker may no longer ask the kernel for once its driver runs: a client that found a way to
// run code in it gets no new program, no view into other processes, no other namespace.
#pragma once

#include "protocol/base/result.h"

namespace outboard::server {

// For all threads of this process, for good; the calls fail with EPERM. Call it after the driver is
// initialised, since drivers may start helpers then. kUnsupported where the kernel has no filters.
Status enter_sandbox();

}  // namespace outboard::server
