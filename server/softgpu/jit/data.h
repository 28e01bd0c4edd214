// Constants that machine code reads. They lie behind it.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

namespace outboard::softgpu::jit {

class Data {
 public:
  explicit Data(asmjit::x86::Assembler& assembler) : a_(assembler) {}

  asmjit::Label word(uint32_t value);
  // 0, 1, 2, ... times `step`, for 32 lanes of 32 or 64 bits.
  asmjit::Label multiples(int64_t step, bool is32);
  // For VPERMI2D: every `step`th element from `first` on.
  asmjit::Label every(uint32_t step, uint32_t first);

  void emit();

 private:
  template <typename Map, typename Key>
  asmjit::Label label(Map& map, const Key& key);

  asmjit::x86::Assembler& a_;
  std::unordered_map<uint32_t, asmjit::Label> words_;
  std::map<std::pair<uint32_t, uint32_t>, asmjit::Label> every_;
  std::map<std::pair<int64_t, bool>, asmjit::Label> multiples_;
};

}  // namespace outboard::softgpu::jit
