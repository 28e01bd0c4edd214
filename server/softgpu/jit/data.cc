#include "server/softgpu/jit/data.h"

#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::jit {

template <typename Map, typename Key>
asmjit::Label Data::label(Map& map, const Key& key) {
  auto [place, is_new] = map.try_emplace(key);
  if (is_new) place->second = a_.newLabel();
  return place->second;
}

asmjit::Label Data::word(uint32_t value) { return label(words_, value); }

asmjit::Label Data::multiples(int64_t step, bool is32) { return label(multiples_, std::pair(step, is32)); }

asmjit::Label Data::every(uint32_t step, uint32_t first) { return label(every_, std::pair(step, first)); }

void Data::emit() {
  a_.align(asmjit::AlignMode::kData, 64);
  for (const auto& [what, label] : multiples_) {
    a_.bind(label);
    for (uint32_t lane = 0; lane < exec::kLanes; ++lane) {
      const uint64_t value = lane * static_cast<uint64_t>(what.first);
      if (what.second) {
        a_.embedUInt32(static_cast<uint32_t>(value));
      } else {
        a_.embedUInt64(value);
      }
    }
  }
  for (const auto& [what, label] : every_) {
    a_.bind(label);
    for (uint32_t i = 0; i < 16; ++i) a_.embedUInt32((what.second + i * what.first) & 31);
  }
  for (const auto& [value, label] : words_) {
    a_.bind(label);
    a_.embedUInt32(value);
  }
}

}  // namespace outboard::softgpu::jit
