// The constants of a program, each once.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "server/softgpu/ptx/ir.h"

namespace outboard::softgpu::ptx {

class ConstantPool {
 public:
  uint32_t add(const Constant& constant);
  const std::vector<Constant>& constants() const { return constants_; }
  std::vector<Constant> take() { return std::move(constants_); }

 private:
  struct Hash {
    size_t operator()(const Constant& c) const {
      uint64_t h = c.bits * 0x9e37'79b9'7f4a'7c15ull;
      h ^= (uint64_t{c.symbol} << 8 | static_cast<uint64_t>(c.kind) << 4 | static_cast<uint64_t>(c.width)) *
           0xff51'afd7'ed55'8ccdull;
      return static_cast<size_t>(h ^ (h >> 29));
    }
  };
  std::vector<Constant> constants_;
  std::unordered_map<Constant, uint32_t, Hash> index_;
};

inline uint32_t ConstantPool::add(const Constant& constant) {
  auto [found, added] = index_.try_emplace(constant, static_cast<uint32_t>(constants_.size()));
  if (added) constants_.push_back(constant);
  return found->second;
}

}  // namespace outboard::softgpu::ptx
