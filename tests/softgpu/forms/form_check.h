// Lists of forms with a function that gives the expected result, run over edge values.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/softgpu/forms/form_runner.h"

namespace outboard::softgpu::exec {

using Values = std::vector<uint64_t>;
// Result bits from the inputs' bits of one lane. Only the low bits of the result's width count.
using Expectation = std::function<uint64_t(const Values& in)>;
// Whether a result is right, where more than one is.
using Acceptance = std::function<bool(const Values& in, uint64_t got)>;

// Values at which integer instructions of a width tend to go wrong.
const Values& integer_edges(const std::string& type);
inline const Values kFloatEdges = {0x0000'0000, 0x8000'0000, 0x3f80'0000, 0xbf80'0000, 0x7f80'0000,
                                   0xff80'0000, 0x7fc0'0000, 0xffc0'0001, 0x0000'0001, 0x807f'ffff,
                                   0x0080'0000, 0x7f7f'ffff, 0xff7f'ffff, 0x3f00'0000, 0x4049'0fdb,
                                   0x4b7f'ffff, 0xcf00'0000};
inline const Values kDoubleEdges = {0,
                                    0x8000'0000'0000'0000,
                                    0x3ff0'0000'0000'0000,
                                    0xbff0'0000'0000'0000,
                                    0x7ff0'0000'0000'0000,
                                    0xfff0'0000'0000'0000,
                                    0x7ff8'0000'0000'0000,
                                    1,
                                    0x800f'ffff'ffff'ffff,
                                    0x0010'0000'0000'0000,
                                    0x7fef'ffff'ffff'ffff,
                                    0x3fe0'0000'0000'0000,
                                    0x4009'21fb'5444'2d18};

struct FormCheck {
  std::string opcode;
  const char* output;
  std::vector<const char*> inputs;
  Expectation expected;
  std::vector<const Values*> edges = {};  // per input; none: integer_edges of its type
  std::string code = {};                  // instead of "opcode %o0, %i0, ...;"
  unsigned rounds = 6;                    // of 32 lanes
  Acceptance accepts = {};                // asked instead of comparing with `expected`
};

// On every instruction set; lanes combine the inputs' edge values in several ways.
void check_form(const FormCheck& check);
inline void check_forms(const std::vector<FormCheck>& checks) {
  for (const FormCheck& check : checks) check_form(check);
}

inline uint64_t low_bits(uint64_t value, unsigned bits) {
  return bits >= 64 ? value : value & ((uint64_t{1} << bits) - 1);
}
// Sign-extends the low bits.
inline int64_t as_signed(uint64_t value, unsigned bits) {
  return bits >= 64 ? static_cast<int64_t>(value) : static_cast<int64_t>(value << (64 - bits)) >> (64 - bits);
}

}  // namespace outboard::softgpu::exec
