// Starting and stopping a profiler that is not there.
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

extern "C" {

CUresult cuProfilerStart() {
  return with_any_context([](Context&) { return CUDA_SUCCESS; });
}
CUresult cuProfilerStop() {
  return with_any_context([](Context&) { return CUDA_SUCCESS; });
}

}  // extern "C"
