// Runs one instruction in a kernel made for it: every register it reads comes from a row of 32
// values, one per lane, and every register it writes goes to such a row. Expected values are
// computed by the tests, with host arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "server/softgpu/exec/isa.h"
#include "server/softgpu/exec/texture.h"

namespace outboard::softgpu::exec {

// Raw bits per lane, whatever the register's width. Predicates are 0 or 1.
using Row = std::array<uint64_t, 32>;

template <typename T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
T value_of(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// Row with f(lane) in each lane.
template <typename F>
Row row_of(F f) {
  Row row{};
  for (uint32_t lane = 0; lane < 32; ++lane) row[lane] = bits_of(f(lane));
  return row;
}

struct Input {
  const char* type;  // register type: "pred", "b16", "b32", "b64"
  Row row;
};

struct FormCase {
  // One or more lines. %i0, %i1, ... are the inputs, %o0, ... the outputs, %s0, ... 32-bit scratch
  // registers, %d0, ... 64-bit ones; %rd_mem holds the global address of `memory`.
  std::string code;
  std::vector<Input> inputs;
  std::vector<const char*> outputs;  // register types
  std::vector<uint8_t> memory = {};  // global memory that the code may use
  std::string declarations = {};     // at the start of the kernel: .shared arrays and the like
  uint32_t lanes = 32;               // threads of the one warp
  // Textures, surfaces and samplers with handles from view_handle(0) on. A reference that
  // `declarations` has is bound to the one whose number ends its name.
  std::vector<std::shared_ptr<const TextureView>> views = {};
  std::function<void()> before = {};  // called before each time that the code runs
};

uint64_t view_handle(size_t index);

struct FormResult {
  int code = 0;         // of the launch
  std::string message;  // of a compile error or a failed launch
  std::vector<Row> outputs;
  std::vector<uint8_t> memory;
};

FormResult run_form(const FormCase& test, Isa isa);

// The instruction sets that this processor has.
std::vector<Isa> available_isas();

// Forms of the table's group that no run_form() of this process has used yet, one per line.
std::string forms_without_test(const std::string& group);

}  // namespace outboard::softgpu::exec
