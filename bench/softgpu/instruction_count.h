// Counting what a launch executes.
#pragma once

#include "server/softgpu/exec/launch.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::bench {

// Executes the launch and gives the instructions that its threads executed, counted one by one.
// Every handler of the image is replaced, so its program is of no use afterwards. One count at a
// time.
uint64_t count_thread_instructions(const softgpu::exec::LaunchRequest& request,
                                   const softgpu::ptx::Image& image, softgpu::exec::Device& device);

}  // namespace outboard::bench
