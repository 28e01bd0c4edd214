// Comparison and selection: setp, set, selp, slct, testp is with the floats' classes here too.
#include "server/softgpu/exec/form_aux.h"
#include "server/softgpu/exec/handlers/float_bits.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Results of comparing; the unordered ones are also true if an operand is NaN.
struct Eq {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a == b;
  }
};
struct Ne {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a < b || a > b;
  }
};
struct Lt {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a < b;
  }
};
struct Le {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Gt {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Ge {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a >= b;
  }
};
struct Equ {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a < b || a > b);
  }
};
struct Neu {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a == b);
  }
};
struct Ltu {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a >= b);
  }
};
struct Leu {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a > b);
  }
};
struct Gtu {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a <= b);
  }
};
struct Geu {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a < b);
  }
};
struct Num {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return a == a && b == b;
  }
};
struct Nan {
  template <typename T>
  OUTBOARD_INLINE bool operator()(T a, T b) const {
    return !(a == a && b == b);
  }
};

// Op::aux, besides what form_aux.h has.
constexpr u32 kFlush = 4;

template <typename T, typename F>
OUTBOARD_INLINE u32 compare_rows(const T* a, const T* b, bool flush) {
  if constexpr (std::is_same_v<T, f32>) {
    if (flush) return compare(a, b, [](f32 x, f32 y) { return F{}(flush_subnormal(x), flush_subnormal(y)); });
  }
  return compare(a, b, F{});
}

OUTBOARD_INLINE u32 combine(u32 aux, u32 result, u32 other) {
  switch (aux & kCombineMask) {
    case kCombineAnd: return result & other;
    case kCombineOr: return result | other;
    case kCombineXor: return result ^ other;
    default: return result;
  }
}

// p|q, a, b [, c]: p = (a cmp b) op c, q = !(a cmp b) op c
template <typename T, typename F>
const Op* setp(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  u32 result = compare_rows<T, F>(warp.row<const T>(op->r[2]), warp.row<const T>(op->r[3]), op->aux & kFlush);
  u32 other = op->aux & kCombineMask ? warp.predicate(op->r[4]) : 0;
  warp.set_predicate(op->r[0], mask, combine(op->aux, result, other));
  warp.set_predicate(op->r[1], mask, combine(op->aux, ~result, other));
  return op + 1;
}

// d, a, b [, c]: all ones (or 1.0) where setp would give true.
template <typename D, typename T, typename F>
const Op* set(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  u32 result = compare_rows<T, F>(warp.row<const T>(op->r[1]), warp.row<const T>(op->r[2]), op->aux & kFlush);
  result = combine(op->aux, result, op->aux & kCombineMask ? warp.predicate(op->r[3]) : 0);
  alignas(64) u32 values[kLanes];
  constexpr u32 kTrue = std::is_same_v<D, f32> ? 0x3f80'0000 : ~0u;
  for (u32 i = 0; i < kLanes; ++i) values[i] = result >> i & 1 ? kTrue : 0;
  blend(warp.row<u32>(op->r[0]), values, mask);
  return op + 1;
}

template <typename T>
const Op* selp(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 choose = warp.predicate(op->r[3]);
  T* d = warp.row<T>(op->r[0]);
  const T *a = warp.row<const T>(op->r[1]), *b = warp.row<const T>(op->r[2]);
  alignas(64) T chosen[kLanes];
  for (u32 i = 0; i < kLanes; ++i) chosen[i] = b[i];
  blend(chosen, a, choose);
  if (warp.covers_all(mask)) {
    for (u32 i = 0; i < kLanes; ++i) d[i] = chosen[i];
  } else {
    blend(d, chosen, mask);
  }
  return op + 1;
}

struct SlctS32 {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, s32 c) const {
    return c >= 0 ? a : b;
  }
};
struct SlctF32 {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, f32 c) const {
    return c >= 0 ? a : b;
  }
};
struct SlctF32Flush {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, f32 c) const {
    return flush_subnormal(c) >= 0 ? a : b;
  }
};

struct Combination {
  const char* text;
  u32 aux;
  bool has_operand;
};
constexpr Combination kCombinations[] = {{"", kCombineNone, false},
                                         {".and", kCombineAnd, true},
                                         {".or", kCombineOr, true},
                                         {".xor", kCombineXor, true}};

// setp.CMP[.BOOL][.ftz].TYPE and set likewise, for one comparison and type.
struct TypeText {
  const char *types, *setp, *setp_combined, *set_u32, *set_u32_combined, *set_f32, *set_f32_combined;
};

template <typename T, typename F>
void rows(FormTable& table, const char* comparison, const char* types, const char* flush_types,
          const TypeText& text) {
  for (const Combination& combination : kCombinations) {
    u32 aux = combination.aux;
    for (int flush = 0; flush < (flush_types != nullptr ? 2 : 1); ++flush) {
      const char* suffixes = flush ? flush_types : types;
      u32 all = aux | (flush ? kFlush : 0u);
      table.add(Pattern("setp", comparison, combination.text, suffixes).text,
                combination.has_operand ? text.setp_combined : text.setp, setp<T, F>, all);
      if constexpr (sizeof(T) != 2 || std::is_integral_v<T>) {
        // set.CMP[.BOOL][.ftz].{u32,s32,f32}.TYPE
        const char* dtypes = flush ? ".ftz.{u32,s32}" : ".{u32,s32}";
        const char* tail = flush ? suffixes + 4 : suffixes;
        table.add(Pattern("set", comparison, combination.text, dtypes, tail).text,
                  combination.has_operand ? text.set_u32_combined : text.set_u32, set<u32, T, F>, all);
        table.add(Pattern("set", comparison, combination.text, flush ? ".ftz.f32" : ".f32", tail).text,
                  combination.has_operand ? text.set_f32_combined : text.set_f32, set<f32, T, F>, all);
      }
    }
  }
}

#define OUTBOARD_TYPE_TEXT(t)    \
  TypeText{"",                   \
           "=p|p " t " " t,      \
           "=p|p " t " " t " p", \
           "=u32 " t " " t,      \
           "=u32 " t " " t " p", \
           "=f32 " t " " t,      \
           "=f32 " t " " t " p"}

template <typename T>
void signed_rows(FormTable& table, const char* types, const TypeText& text) {
  rows<T, Lt>(table, ".lt", types, nullptr, text);
  rows<T, Le>(table, ".le", types, nullptr, text);
  rows<T, Gt>(table, ".gt", types, nullptr, text);
  rows<T, Ge>(table, ".ge", types, nullptr, text);
}

template <typename T>
void unsigned_rows(FormTable& table, const char* all_types, const char* types, const TypeText& text) {
  rows<T, Eq>(table, ".eq", all_types, nullptr, text);
  rows<T, Ne>(table, ".ne", all_types, nullptr, text);
  rows<T, Lt>(table, ".{lt,lo}", types, nullptr, text);
  rows<T, Le>(table, ".{le,ls}", types, nullptr, text);
  rows<T, Gt>(table, ".{gt,hi}", types, nullptr, text);
  rows<T, Ge>(table, ".{ge,hs}", types, nullptr, text);
}

template <typename T>
void float_rows(FormTable& table, const char* types, const char* flush_types, const TypeText& text) {
  rows<T, Eq>(table, ".eq", types, flush_types, text);
  rows<T, Ne>(table, ".ne", types, flush_types, text);
  rows<T, Lt>(table, ".lt", types, flush_types, text);
  rows<T, Le>(table, ".le", types, flush_types, text);
  rows<T, Gt>(table, ".gt", types, flush_types, text);
  rows<T, Ge>(table, ".ge", types, flush_types, text);
  rows<T, Equ>(table, ".equ", types, flush_types, text);
  rows<T, Neu>(table, ".neu", types, flush_types, text);
  rows<T, Ltu>(table, ".ltu", types, flush_types, text);
  rows<T, Leu>(table, ".leu", types, flush_types, text);
  rows<T, Gtu>(table, ".gtu", types, flush_types, text);
  rows<T, Geu>(table, ".geu", types, flush_types, text);
  rows<T, Num>(table, ".num", types, flush_types, text);
  rows<T, Nan>(table, ".nan", types, flush_types, text);
}

}  // namespace

void add_compare_forms(FormTable& table) {
  table.begin_group("compare");
  unsigned_rows<u16>(table, ".{b16,u16,s16}", ".u16", OUTBOARD_TYPE_TEXT("b16"));
  unsigned_rows<u32>(table, ".{b32,u32,s32}", ".u32", OUTBOARD_TYPE_TEXT("b32"));
  unsigned_rows<u64>(table, ".{b64,u64,s64}", ".u64", OUTBOARD_TYPE_TEXT("b64"));
  signed_rows<s16>(table, ".s16", OUTBOARD_TYPE_TEXT("s16"));
  signed_rows<s32>(table, ".s32", OUTBOARD_TYPE_TEXT("s32"));
  signed_rows<s64>(table, ".s64", OUTBOARD_TYPE_TEXT("s64"));
  float_rows<f32>(table, ".f32", ".ftz.f32", OUTBOARD_TYPE_TEXT("f32"));
  float_rows<f64>(table, ".f64", nullptr, OUTBOARD_TYPE_TEXT("f64"));
  table.add("selp.{b16,u16,s16,f16,bf16}", "=b16 b16 b16 p", selp<u16>);
  table.add("selp.{b32,u32,s32}", "=b32 b32 b32 p", selp<u32>);
  table.add("selp.f32", "=f32 f32 f32 p", selp<u32>);
  table.add("selp.{b64,u64,s64}", "=b64 b64 b64 p", selp<u64>);
  table.add("selp.f64", "=f64 f64 f64 p", selp<u64>);
  table.add("slct.{b16,u16,s16}.s32", "=b16 b16 b16 s32", run<u16, SlctS32, u16, u16, s32>);
  table.add("slct.{b32,u32,s32}.s32", "=b32 b32 b32 s32", run<u32, SlctS32, u32, u32, s32>);
  table.add("slct.{b64,u64,s64}.s32", "=b64 b64 b64 s32", run<u64, SlctS32, u64, u64, s32>);
  table.add("slct.f32.s32", "=f32 f32 f32 s32", run<u32, SlctS32, u32, u32, s32>);
  table.add("slct.f64.s32", "=f64 f64 f64 s32", run<u64, SlctS32, u64, u64, s32>);
  table.add("slct.{b16,u16,s16}.f32", "=b16 b16 b16 f32", run<u16, SlctF32, u16, u16, f32>);
  table.add("slct.{b32,u32,s32}.f32", "=b32 b32 b32 f32", run<u32, SlctF32, u32, u32, f32>);
  table.add("slct.{b64,u64,s64}.f32", "=b64 b64 b64 f32", run<u64, SlctF32, u64, u64, f32>);
  table.add("slct.f32.f32", "=f32 f32 f32 f32", run<u32, SlctF32, u32, u32, f32>);
  table.add("slct.f64.f32", "=f64 f64 f64 f32", run<u64, SlctF32, u64, u64, f32>);
  table.add("slct.ftz.{b32,u32,s32,f32}.f32", "=b32 b32 b32 f32", run<u32, SlctF32Flush, u32, u32, f32>);
  table.add("slct.ftz.{b64,u64,s64,f64}.f32", "=b64 b64 b64 f32", run<u64, SlctF32Flush, u64, u64, f32>);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
