// Moves: between registers, of special registers, packing and unpacking, changes of width, and
// conversions between address spaces.
#include "server/softgpu/exec/handlers/lanes.h"
#include "server/softgpu/exec/special.h"
#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

struct Same {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return a;
  }
};

const Op* move_predicate(Warp& warp, const Op* op) {
  warp.set_predicate(op->r[0], warp.mask(op), warp.predicate(op->r[1]));
  return op + 1;
}

// {d0, d1, ...} = the parts of a, lowest first.
template <typename Part, typename Whole, u32 N>
const Op* unpack(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  const auto* a = warp.row<const Whole>(op->r[N]);
  for (u32 part = 0; part < N; ++part) {
    alignas(64) Part values[kLanes];
    OUTBOARD_LANE_LOOP
    for (u32 i = 0; i < kLanes; ++i) values[i] = static_cast<Part>(a[i] >> (8 * sizeof(Whole) / N * part));
    blend(warp.row<Part>(op->r[part]), values, mask);
  }
  return op + 1;
}

// d = parts put together, the first lowest. Part may be wider than its share (8-bit values).
template <typename Part, typename Whole, u32 N>
const Op* pack(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  constexpr u32 kShare = 8 * sizeof(Whole) / N;
  alignas(64) Whole values[kLanes] = {};
  for (u32 part = 0; part < N; ++part) {
    const auto* a = warp.row<const Part>(op->r[1 + part]);
    OUTBOARD_LANE_LOOP
    for (u32 i = 0; i < kLanes; ++i) {
      values[i] |= (static_cast<Whole>(a[i]) & ((Whole{1} << kShare) - 1)) << (kShare * part);
    }
  }
  blend(warp.row<Whole>(op->r[0]), values, mask);
  return op + 1;
}

// Values that change while the kernel runs.
enum class Clock : u32 { kClock, kClockHigh, kClock64, kTimer, kTimerLow, kTimerHigh };
template <typename T>
const Op* read_clock(Warp& warp, const Op* op) {
  u64 value;
  switch (static_cast<Clock>(op->aux)) {
    case Clock::kClock:
    case Clock::kClock64: value = warp.launch->device->clock_cycles(); break;
    case Clock::kClockHigh: value = warp.launch->device->clock_cycles() >> 32; break;
    case Clock::kTimerHigh: value = warp.launch->device->global_timer_ns() >> 32; break;
    default: value = warp.launch->device->global_timer_ns(); break;
  }
  // Programs wait for time to pass.
  warp.may_spin();
  T* d = warp.row<T>(op->r[0]);
  for_lanes(warp.mask(op), [&](u32 lane) { d[lane] = static_cast<T>(value); });
  return op + 1;
}

// Address of a variable in the frame, or of the dynamic shared memory: row + constant.
template <typename T, Special Base>
const Op* add_to_special(Warp& warp, const Op* op) {
  constexpr u32 kBase = special_operand(Base);
  const u32* base = warp.row<const u32>(kBase);
  u32 offset = op->r[1];
  T* d = warp.row<T>(op->r[0]);
  for_lanes(warp.mask(op), [&](u32 lane) { d[lane] = base[lane] + offset; });
  return op + 1;
}

// cvta: window address plus offset; null pointers are not special, as on hardware.
template <u64 Window>
struct ToGeneric {
  template <typename T>
  OUTBOARD_INLINE u64 operator()(T a) const {
    return a + Window;
  }
};
template <u64 Window>
struct FromGeneric {
  OUTBOARD_INLINE u64 operator()(u64 a) const { return a - Window; }
};

template <u64 Window>
const Op* is_in_window(Warp& warp, const Op* op) {
  const u64* a = warp.row<const u64>(op->r[1]);
  u32 result = compare(a, a, [](u64 x, u64) { return x >> kWindowShift == Window >> kWindowShift; });
  warp.set_predicate(op->r[0], warp.mask(op), result);
  return op + 1;
}
const Op* is_global(Warp& warp, const Op* op) {
  const u64* a = warp.row<const u64>(op->r[1]);
  warp.set_predicate(op->r[0], warp.mask(op), compare(a, a, [](u64 x, u64) { return x >> 47 == 0; }));
  return op + 1;
}
const Op* always_false(Warp& warp, const Op* op) {
  warp.set_predicate(op->r[0], warp.mask(op), 0);
  return op + 1;
}

void add_internal_rows(FormTable& table) {
  u32 aux = 0;
  table.add("narrow.b16.b32", "=b16 b32", run<u16, Same, u32>, aux, kInternal);
  table.add("narrow.b16.b64", "=b16 b64", run<u16, Same, u64>, aux, kInternal);
  table.add("narrow.b32.b64", "=b32 b64", run<u32, Same, u64>, aux, kInternal);
  table.add("widen.u32.u16", "=b32 b16", run<u32, Same, u16>, aux, kInternal);
  table.add("widen.u64.u16", "=b64 b16", run<u64, Same, u16>, aux, kInternal);
  table.add("widen.u64.u32", "=b64 b32", run<u64, Same, u32>, aux, kInternal);
  table.add("widen.s32.s16", "=b32 b16", run<s32, Same, s16>, aux, kInternal);
  table.add("widen.s64.s16", "=b64 b16", run<s64, Same, s16>, aux, kInternal);
  table.add("widen.s64.s32", "=b64 b32", run<s64, Same, s32>, aux, kInternal);
  table.add("special.clock.b32", "=b32", read_clock<u32>, static_cast<u32>(Clock::kClock), kInternal);
  table.add("special.clock_hi.b32", "=b32", read_clock<u32>, static_cast<u32>(Clock::kClockHigh), kInternal);
  table.add("special.clock64.b64", "=b64", read_clock<u64>, static_cast<u32>(Clock::kClock64), kInternal);
  table.add("special.globaltimer.b64", "=b64", read_clock<u64>, static_cast<u32>(Clock::kTimer), kInternal);
  table.add("special.globaltimer_lo.b32", "=b32", read_clock<u32>, static_cast<u32>(Clock::kTimerLow),
            kInternal);
  table.add("special.globaltimer_hi.b32", "=b32", read_clock<u32>, static_cast<u32>(Clock::kTimerHigh),
            kInternal);
  table.add("frame.address.b32", "=b32 #", add_to_special<u32, Special::kStackPointer>, aux, kInternal);
  table.add("frame.address.b64", "=b64 #", add_to_special<u64, Special::kStackPointer>, aux, kInternal);
  table.add("shared.address.b32", "=b32 #", add_to_special<u32, Special::kDynamicSharedBase>, aux, kInternal);
  table.add("shared.address.b64", "=b64 #", add_to_special<u64, Special::kDynamicSharedBase>, aux, kInternal);
}

}  // namespace

void add_move_forms(FormTable& table) {
  table.begin_group("move");
  table.add("mov.{b16,u16,s16,f16,bf16}", "=b16 b16", unary<u16, Same>);
  table.add("mov.{b32,u32,s32,f16x2}", "=b32 b32", unary<u32, Same>);
  table.add("mov.f32", "=f32 f32", unary<u32, Same>);
  table.add("mov.{b64,u64,s64}", "=b64 b64", unary<u64, Same>);
  table.add("mov.f64", "=f64 f64", unary<u64, Same>);
  table.add("mov.b128", "=b128 b128", unary<u128, Same>);
  table.add("mov.pred", "=p p", move_predicate);
  // The part behind the type says that one operand is a vector in braces.
  table.add("mov.b16.unpack2", "=b8x2 b16", unpack<u16, u16, 2>);
  table.add("mov.{b32,u32}.unpack2", "=b16x2 b32", unpack<u16, u32, 2>);
  table.add("mov.b32.unpack4", "=b8x4 b32", unpack<u16, u32, 4>);
  table.add("mov.{b64,u64,f64}.unpack2", "=b32x2 b64", unpack<u32, u64, 2>);
  table.add("mov.b64.unpack4", "=b16x4 b64", unpack<u16, u64, 4>);
  table.add("mov.b128.unpack2", "=b64x2 b128", unpack<u64, u128, 2>);
  table.add("mov.b128.unpack4", "=b32x4 b128", unpack<u32, u128, 4>);
  table.add("mov.b16.pack2", "=b16 b8x2", pack<u16, u16, 2>);
  table.add("mov.{b32,u32}.pack2", "=b32 b16x2", pack<u16, u32, 2>);
  table.add("mov.b32.pack4", "=b32 b8x4", pack<u16, u32, 4>);
  table.add("mov.{b64,u64,f64}.pack2", "=b64 b32x2", pack<u32, u64, 2>);
  table.add("mov.b64.pack4", "=b64 b16x4", pack<u16, u64, 4>);
  table.add("mov.b128.pack2", "=b128 b64x2", pack<u64, u128, 2>);
  table.add("mov.b128.pack4", "=b128 b32x4", pack<u32, u128, 4>);
  table.add("cvta.{global,const,to.global,to.const}.u64", "=u64 u64", unary<u64, Same>);
  table.add("cvta.{shared,shared::cta}.u64", "=u64 u64", unary<u64, ToGeneric<kSharedWindow>>);
  table.add("cvta.local.u64", "=u64 u64", unary<u64, ToGeneric<kLocalWindow>>);
  table.add("cvta.param.u64", "=u64 u64", unary<u64, ToGeneric<kParamWindow>>);
  table.add("cvta.to.{shared,shared::cta}.u64", "=u64 u64", unary<u64, FromGeneric<kSharedWindow>>);
  table.add("cvta.to.local.u64", "=u64 u64", unary<u64, FromGeneric<kLocalWindow>>);
  table.add("cvta.to.param.u64", "=u64 u64", unary<u64, FromGeneric<kParamWindow>>);
  table.add("isspacep.global", "=p u64", is_global);
  table.add("isspacep.const", "=p u64", always_false);
  table.add("isspacep.{shared,shared::cta,shared::cluster}", "=p u64", is_in_window<kSharedWindow>);
  table.add("isspacep.local", "=p u64", is_in_window<kLocalWindow>);
  table.add("isspacep.{param,param::entry}", "=p u64", is_in_window<kParamWindow>);
  // One CTA per cluster: its own shared memory is all there is.
  table.ignore("mapa", "shared::cluster");
  table.add("mapa.u32", "=u32 u32 u32", run<u32, Same, u32>);
  table.add("mapa.u64", "=u64 u64 u32", run<u64, Same, u64>);
  add_internal_rows(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
