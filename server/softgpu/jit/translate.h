// The second tier: machine code for a function whose warps are whole. The interpreter stays in
// charge: machine code is entered through handlers that replace those of the first instruction of
// every block, calls the interpreter's handlers for instructions it knows nothing of, and hands
// back to the interpreter's loop whenever lanes part ways. Whatever it computes is what the
// interpreter would have computed, to the bit.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/softgpu/exec/op.h"

namespace outboard::softgpu::ptx {
class Image;
struct FunctionCode;
}  // namespace outboard::softgpu::ptx

namespace outboard::softgpu::jit {

// What the processor must have: AVX-512 F, BW, DQ and VL. Without it everything is interpreted.
bool available();

// Owns the machine code of one function.
class Translation {
 public:
  struct Entry {
    uint32_t index;  // in the image's code
    exec::Handler handler;
  };
  Translation(void* code, std::vector<Entry> entries, std::unique_ptr<uint32_t[]> range_hints)
      : code_(code), entries_(std::move(entries)), range_hints_(std::move(range_hints)) {}
  ~Translation();
  Translation(const Translation&) = delete;
  Translation& operator=(const Translation&) = delete;

  const std::vector<Entry>& entries() const { return entries_; }

  // For reports.
  uint32_t native = 0;       // instructions with machine code of their own
  uint32_t interpreted = 0;  // instructions that call the interpreter's handler
  size_t bytes = 0;

 private:
  void* code_;
  std::vector<Entry> entries_;
  std::unique_ptr<uint32_t[]> range_hints_;  // that the code reads and writes
};

// nullptr if memory for code cannot be had. The image must live as long as the translation, and
// its handlers must be the interpreter's.
std::unique_ptr<Translation> translate(const ptx::Image& image, const ptx::FunctionCode& function);

}  // namespace outboard::softgpu::jit
