// What makes a program faster once it is worth it: the interpreter tells it of launches, it may
// replace handlers of the program's code by faster ones that do the same.
#pragma once

#include <cstdint>

namespace outboard::softgpu::exec {

class Tier {
 public:
  virtual ~Tier() = default;
  // `warps` of function `function` of the image are about to run. Thread-safe; launches of the same
  // function may be running.
  virtual void launching(uint32_t function, uint64_t warps) = 0;
};

}  // namespace outboard::softgpu::exec
