// PTX's fundamental types, and the register widths that hold them.
#pragma once

#include <cstdint>
#include <string_view>

namespace outboard::softgpu::ptx {

enum class Type : uint8_t {
  kNone,
  kPred,
  kB8,
  kU8,
  kS8,
  kB16,
  kU16,
  kS16,
  kF16,
  kBF16,
  kB32,
  kU32,
  kS32,
  kF32,
  kF16x2,
  kBF16x2,
  kTF32,
  kB64,
  kU64,
  kS64,
  kF64,
  kB128,
};

enum class TypeKind : uint8_t { kNone, kPredicate, kBits, kUnsigned, kSigned, kFloat };

// What a register row holds per lane. 8-bit values live in 16-bit registers.
enum class Width : uint8_t { kPredicate, k16, k32, k64, k128 };
inline constexpr unsigned kWidthCount = 5;

Type find_type(std::string_view name);  // "f32" -> kF32; kNone if it is not a type
std::string_view type_name(Type type);
uint32_t type_bytes(Type type);  // size in memory; 0 for predicates
TypeKind type_kind(Type type);
Width type_width(Type type);
uint32_t width_bytes(Width width);  // bytes per lane; 0 for predicates, which are bits of a mask

}  // namespace outboard::softgpu::ptx
