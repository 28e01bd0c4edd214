#include "server/softgpu/ptx/types.h"

#include <array>

namespace outboard::softgpu::ptx {
namespace {

struct TypeFacts {
  std::string_view name;
  uint8_t bytes;
  TypeKind kind;
  Width width;
};

// In the order of enum Type.
constexpr std::array<TypeFacts, 22> kFacts{{
    {"", 0, TypeKind::kNone, Width::k32},        {"pred", 0, TypeKind::kPredicate, Width::kPredicate},
    {"b8", 1, TypeKind::kBits, Width::k16},      {"u8", 1, TypeKind::kUnsigned, Width::k16},
    {"s8", 1, TypeKind::kSigned, Width::k16},    {"b16", 2, TypeKind::kBits, Width::k16},
    {"u16", 2, TypeKind::kUnsigned, Width::k16}, {"s16", 2, TypeKind::kSigned, Width::k16},
    {"f16", 2, TypeKind::kFloat, Width::k16},    {"bf16", 2, TypeKind::kFloat, Width::k16},
    {"b32", 4, TypeKind::kBits, Width::k32},     {"u32", 4, TypeKind::kUnsigned, Width::k32},
    {"s32", 4, TypeKind::kSigned, Width::k32},   {"f32", 4, TypeKind::kFloat, Width::k32},
    {"f16x2", 4, TypeKind::kFloat, Width::k32},  {"bf16x2", 4, TypeKind::kFloat, Width::k32},
    {"tf32", 4, TypeKind::kFloat, Width::k32},   {"b64", 8, TypeKind::kBits, Width::k64},
    {"u64", 8, TypeKind::kUnsigned, Width::k64}, {"s64", 8, TypeKind::kSigned, Width::k64},
    {"f64", 8, TypeKind::kFloat, Width::k64},    {"b128", 16, TypeKind::kBits, Width::k128},
}};

const TypeFacts& facts(Type type) { return kFacts[static_cast<size_t>(type)]; }

}  // namespace

Type find_type(std::string_view name) {
  for (size_t i = 1; i < kFacts.size(); ++i) {
    if (kFacts[i].name == name) return static_cast<Type>(i);
  }
  return Type::kNone;
}

std::string_view type_name(Type type) { return facts(type).name; }
uint32_t type_bytes(Type type) { return facts(type).bytes; }
TypeKind type_kind(Type type) { return facts(type).kind; }
Width type_width(Type type) { return facts(type).width; }

uint32_t width_bytes(Width width) {
  constexpr uint32_t kBytes[kWidthCount] = {0, 2, 4, 8, 16};
  return kBytes[static_cast<size_t>(width)];
}

}  // namespace outboard::softgpu::ptx
