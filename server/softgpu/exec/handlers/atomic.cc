// atom and red: lane by lane in ascending order, and atomic towards other threads.
#include "server/softgpu/exec/handlers/access.h"
#include "server/softgpu/exec/handlers/modify.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

struct Inc {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b) const { return a >= b ? 0 : a + 1; }
};
struct Dec {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b) const { return a == 0 || a > b ? b : a - 1; }
};

// Half precision, computed in single and rounded once: exact for one addition.
OUTBOARD_INLINE f32 from_half(u16 v) { return _cvtsh_ss(v); }
OUTBOARD_INLINE u16 to_half(f32 v) { return static_cast<u16>(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT)); }
OUTBOARD_INLINE f32 from_brain(u16 v) { return bits_as<f32>(u32{v} << 16); }
OUTBOARD_INLINE u16 to_brain(f32 v) {
  u32 bits = bits_as<u32>(v);
  if ((bits & 0x7fff'ffff) > 0x7f80'0000) return 0x7fff;
  return static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
struct AddHalf {
  OUTBOARD_INLINE u16 operator()(u16 a, u16 b) const { return to_half(from_half(a) + from_half(b)); }
};
struct AddBrain {
  OUTBOARD_INLINE u16 operator()(u16 a, u16 b) const { return to_brain(from_brain(a) + from_brain(b)); }
};
template <typename F>
struct Pair {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b) const {
    return u32{F{}(static_cast<u16>(a >> 16), static_cast<u16>(b >> 16))} << 16 |
           F{}(static_cast<u16>(a), static_cast<u16>(b));
  }
};

// Op::aux: window, and whether the old value is wanted.
constexpr u32 kReturns = 0x100;

// [d,] [a], b
template <typename T, typename F>
const Op* atomic(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  bool returns = op->aux & kReturns;
  u32 at = returns ? 1 : 0;
  Access access;
  Layout layout = resolve(static_cast<Window>(op->aux & 0xff), warp, op, at, mask, sizeof(T), false, access);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, sizeof(T), access);
  warp.may_spin();
  const T* b = warp.row<const T>(op->r[at + 2]);
  bool shared = access.shared;
  if (returns) {
    T* d = warp.row<T>(op->r[0]);
    for_lanes(mask, [&](u32 lane) { d[lane] = modify<T, F>(access.lane[lane], b[lane], shared); });
  } else {
    for_lanes(mask, [&](u32 lane) { modify<T, F>(access.lane[lane], b[lane], shared); });
  }
  return op + 1;
}

// {d...}, [a], {b...}: each element by itself
template <typename T, typename F, u32 N>
const Op* atomic_vector(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  bool returns = op->aux & kReturns;
  u32 at = returns ? N : 0;
  constexpr u32 kBytes = sizeof(T) * N;
  Access access;
  Layout layout = resolve(static_cast<Window>(op->aux & 0xff), warp, op, at, mask, kBytes, false, access);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, kBytes, access);
  bool shared = access.shared;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    for (u32 e = 0; e < N; ++e) {
      T old = modify<T, F>(access.lane[lane] + e * sizeof(T),
                           warp.row<const T>(op->operand(at + 2 + e))[lane], shared);
      if (returns) warp.row<T>(op->operand(e))[lane] = old;
    }
  }
  constexpr u32 kMost = 2 * N + 2;
  return op + 1 + (returns ? (kMost - 1) / kInlineOperands : (N + 1) / kInlineOperands);
}

// d, [a], b, c: stores c if memory equals b
template <typename T>
const Op* compare_and_swap(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  Access access;
  Layout layout = resolve(static_cast<Window>(op->aux & 0xff), warp, op, 1, mask, sizeof(T), false, access);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, sizeof(T), access);
  warp.may_spin();
  T* d = warp.row<T>(op->r[0]);
  const T *b = warp.row<const T>(op->r[3]), *c = warp.row<const T>(op->r[4]);
  bool shared = access.shared;
  for_lanes(mask, [&](u32 lane) {
    auto* word = reinterpret_cast<T*>(access.lane[lane]);
    T expected = b[lane];
    if (shared) {
      T old = *word;
      if (old == expected) *word = c[lane];
      d[lane] = old;
    } else {
      __atomic_compare_exchange_n(word, &expected, c[lane], false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
      d[lane] = expected;
    }
  });
  return op + 1;
}

// 16 bytes, with the processor's own instruction: the library's version takes locks.
OUTBOARD_INLINE bool swap16(u128* word, u128& expected, u128 fresh) {
  u64 low = static_cast<u64>(expected), high = static_cast<u64>(expected >> 64);
  bool done;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(done), "+m"(*word), "+a"(low), "+d"(high)
               : "b"(static_cast<u64>(fresh)), "c"(static_cast<u64>(fresh >> 64))
               : "memory");
  expected = u128{high} << 64 | low;
  return done;
}
template <bool Exchange>
const Op* atomic16(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  Access access;
  Layout layout = resolve(static_cast<Window>(op->aux & 0xff), warp, op, 1, mask, 16, false, access);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, 16, access);
  warp.may_spin();
  u128* d = warp.row<u128>(op->r[0]);
  const u128* b = warp.row<const u128>(op->r[3]);
  for_lanes(mask, [&](u32 lane) {
    auto* word = reinterpret_cast<u128*>(access.lane[lane]);
    if constexpr (Exchange) {
      u128 expected = *word;
      while (!swap16(word, expected, b[lane])) {
      }
      d[lane] = expected;
    } else {
      u128 expected = b[lane];
      swap16(word, expected, warp.row<const u128>(op->r[4])[lane]);
      d[lane] = expected;
    }
  });
  return op + 1;
}

struct SpaceRow {
  const char* text;
  Window window;
};
constexpr SpaceRow kSpaces[] = {{"", Window::kGeneric},
                                {".global", Window::kGlobal},
                                {"{.shared,.shared::cta,.shared::cluster}", Window::kShared}};

struct OperationRow {
  const char *text, *atom, *red;
  Handler handler;
};
constexpr OperationRow kOperations[] = {
    {".add.{u32,s32}", "=b32 [] b32", "[] b32", atomic<u32, Add>},
    {".add.{u64,s64}", "=b64 [] b64", "[] b64", atomic<u64, Add>},
    {".add[.ftz].f32", "=f32 [] f32", "[] f32", atomic<f32, Add>},
    {".add.f64", "=f64 [] f64", "[] f64", atomic<f64, Add>},
    {".add.noftz.f16", "=b16 [] b16", "[] b16", atomic<u16, AddHalf>},
    {".add.noftz.f16x2", "=b32 [] b32", "[] b32", atomic<u32, Pair<AddHalf>>},
    {".add.noftz.bf16", "=b16 [] b16", "[] b16", atomic<u16, AddBrain>},
    {".add.noftz.bf16x2", "=b32 [] b32", "[] b32", atomic<u32, Pair<AddBrain>>},
    {".and.b32", "=b32 [] b32", "[] b32", atomic<u32, And>},
    {".and.b64", "=b64 [] b64", "[] b64", atomic<u64, And>},
    {".or.b32", "=b32 [] b32", "[] b32", atomic<u32, Or>},
    {".or.b64", "=b64 [] b64", "[] b64", atomic<u64, Or>},
    {".xor.b32", "=b32 [] b32", "[] b32", atomic<u32, Xor>},
    {".xor.b64", "=b64 [] b64", "[] b64", atomic<u64, Xor>},
    {".min.u32", "=b32 [] b32", "[] b32", atomic<u32, Min>},
    {".min.s32", "=b32 [] b32", "[] b32", atomic<s32, Min>},
    {".min.u64", "=b64 [] b64", "[] b64", atomic<u64, Min>},
    {".min.s64", "=b64 [] b64", "[] b64", atomic<s64, Min>},
    {".max.u32", "=b32 [] b32", "[] b32", atomic<u32, Max>},
    {".max.s32", "=b32 [] b32", "[] b32", atomic<s32, Max>},
    {".max.u64", "=b64 [] b64", "[] b64", atomic<u64, Max>},
    {".max.s64", "=b64 [] b64", "[] b64", atomic<s64, Max>},
    {".inc.u32", "=b32 [] b32", "[] b32", atomic<u32, Inc>},
    {".dec.u32", "=b32 [] b32", "[] b32", atomic<u32, Dec>},
};

}  // namespace

void add_atomic_forms(FormTable& table) {
  table.begin_group("atomic");
  constexpr const char* kHints = "relaxed acquire release acq_rel cta cluster gpu sys L2::cache_hint";
  table.ignore("atom", kHints);
  table.ignore("red", kHints);
  for (const SpaceRow& space : kSpaces) {
    u32 window = static_cast<u32>(space.window);
    for (const OperationRow& row : kOperations) {
      table.add(Pattern("atom", space.text, row.text).text, row.atom, row.handler, window | kReturns);
      table.add(Pattern("red", space.text, row.text).text, row.red, row.handler, window);
    }
    table.add(Pattern("atom", space.text, ".exch.{b32,u32,s32,f32}").text, "=b32 [] b32",
              atomic<u32, Exchange>, window | kReturns);
    table.add(Pattern("atom", space.text, ".exch.{b64,u64,s64,f64}").text, "=b64 [] b64",
              atomic<u64, Exchange>, window | kReturns);
    table.add(Pattern("atom", space.text, ".exch.b128").text, "=b128 [] b128", atomic16<true>, window);
    table.add(Pattern("atom", space.text, ".cas.b16").text, "=b16 [] b16 b16", compare_and_swap<u16>, window);
    table.add(Pattern("atom", space.text, ".cas.{b32,u32,s32}").text, "=b32 [] b32 b32",
              compare_and_swap<u32>, window);
    table.add(Pattern("atom", space.text, ".cas.{b64,u64,s64}").text, "=b64 [] b64 b64",
              compare_and_swap<u64>, window);
    table.add(Pattern("atom", space.text, ".cas.b128").text, "=b128 [] b128 b128", atomic16<false>, window);
  }
  for (const SpaceRow& space : {kSpaces[0], kSpaces[1]}) {
    u32 window = static_cast<u32>(space.window);
    table.add(Pattern("atom", space.text, ".{add.v2.f32,v2.f32.add}").text, "=b32x2 [] b32x2",
              atomic_vector<f32, Add, 2>, window | kReturns);
    table.add(Pattern("red", space.text, ".{add.v2.f32,v2.f32.add}").text, "[] b32x2",
              atomic_vector<f32, Add, 2>, window);
    table.add(Pattern("atom", space.text, ".{add.v4.f32,v4.f32.add}").text, "=b32x4 [] b32x4",
              atomic_vector<f32, Add, 4>, window | kReturns);
    table.add(Pattern("red", space.text, ".{add.v4.f32,v4.f32.add}").text, "[] b32x4",
              atomic_vector<f32, Add, 4>, window);
  }
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
