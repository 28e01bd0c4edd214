// The constant bank of a loaded module: a row for every immediate operand and address in its code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu::exec {

class KernelConstants {
 public:
  // `addresses`: of the program's variables.
  KernelConstants(const ptx::Program& program, std::span<const uint64_t> addresses);
  const std::byte* data() const { return aligned_; }

 private:
  std::unique_ptr<std::byte[]> storage_;
  std::byte* aligned_ = nullptr;
};

// What a function's address is: not the address of code, but recognised by indirect calls.
uint64_t function_address(uint32_t index);
// The opposite; false if `address` is not one.
bool function_index(uint64_t address, uint32_t& index);

}  // namespace outboard::softgpu::exec
