// cp.async and what waits for it. The copy is done at once: a program can only look at the bytes
// after a wait, so it cannot tell. mbarrier is how programs of sm_80 and later learn of arrivals.
#include "server/softgpu/exec/handlers/access.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

const Op* nothing(Warp& warp, const Op* op) { return op + 1; }

// Copies that read fewer bytes than they write; the rest becomes zero. A lane that reads nothing
// may have any source address.
[[gnu::noinline]] bool copy_short(Warp& warp, const Op* op, u32 mask, u32 size, const u32* source_bytes,
                                  Access& to) {
  alignas(64) u64 addresses[kLanes];
  widen_addresses(warp, op, op->r[2], static_cast<s32>(op->r[3]), kSecondAddress32, addresses);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    u32 bytes = source_bytes[lane] < size ? source_bytes[lane] : size;
    __builtin_memset(to.lane[lane], 0, size);
    if (bytes == 0) continue;
    bool misaligned = addresses[lane] % size != 0;
    const std::byte* from = misaligned ? nullptr : translate_generic(warp, lane, addresses[lane], bytes);
    if (from == nullptr)
      return bad_access(warp, op, lane, addresses[lane], bytes, "global", misaligned), false;
    __builtin_memcpy(to.lane[lane], from, bytes);
  }
  return true;
}

// Op::aux of copies: what the operand behind the size is, if it is there.
enum : u32 { kSourceBytes, kIgnoreSource };

// [shared], [global], size [, bytes to read | predicate: read none]
const Op* copy(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 size = op->r[4];
  Access to, from;
  Layout layout = resolve_in<Window::kShared>(warp, op, 0, mask, size, false, to);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, size, to);
  if (op->r[5] != kNoOperand) {
    u32 ignored = op->aux == kIgnoreSource ? warp.predicate(op->r[5]) : 0;
    const u32* given = op->aux == kSourceBytes ? warp.row<const u32>(op->r[5]) : nullptr;
    alignas(64) u32 source_bytes[kLanes];
    bool whole = true;
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
      u32 lane = first_lane(rest);
      source_bytes[lane] = given != nullptr ? given[lane] : (ignored >> lane & 1) != 0 ? 0 : size;
      whole &= source_bytes[lane] >= size;
    }
    if (!whole) return copy_short(warp, op, mask, size, source_bytes, to) ? op + 1 : nullptr;
  }
  layout = resolve_in<Window::kGlobal>(warp, op, 2, mask, size, true, from);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, size, from);
  for_lanes(mask, [&](u32 lane) {
    switch (size) {
      case 4: __builtin_memcpy(to.lane[lane], from.lane[lane], 4); break;
      case 8: __builtin_memcpy(to.lane[lane], from.lane[lane], 8); break;
      default: __builtin_memcpy(to.lane[lane], from.lane[lane], 16); break;
    }
  });
  return op + 1;
}

// An mbarrier object is 8 bytes of shared memory that only these instructions understand:
//   bits 0-19 arrivals still expected in this phase, 20-39 arrivals of a phase, 63 phase parity.
// The CTA's warps run on one thread, so plain reads and writes are atomic.
struct Mbarrier {
  u32 pending, expected;
  bool phase;
};

constexpr u64 kCountMask = (1u << 20) - 1;

OUTBOARD_INLINE Mbarrier unpack(u64 bits) {
  return {static_cast<u32>(bits & kCountMask), static_cast<u32>(bits >> 20 & kCountMask), (bits >> 63) != 0};
}
OUTBOARD_INLINE u64 pack(const Mbarrier& barrier) {
  return (barrier.pending & kCountMask) | (barrier.expected & kCountMask) << 20 | u64{barrier.phase} << 63;
}

OUTBOARD_INLINE void finish_phase(Mbarrier& barrier) {
  if (barrier.pending != 0) return;
  barrier.pending = barrier.expected;
  barrier.phase = !barrier.phase;
}

// Calls f(object as u64&, lane) for every lane; the address is operand `at`.
template <Window W, typename F>
OUTBOARD_INLINE const Op* each_barrier(Warp& warp, const Op* op, u32 at, F f) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  Access access;
  Layout layout = resolve_in<W>(warp, op, at, mask, 8, false, access);
  if (layout == Layout::kFault) return nullptr;
  spread(layout, 8, access);
  const Op* failed = nullptr;
  bool ok = true;
  for (u32 rest = mask; rest != 0 && ok; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    u64 bits;
    __builtin_memcpy(&bits, access.lane[lane], 8);
    ok = f(bits, lane);
    if (!ok)
      failed = fault(warp, op, 719, lane,
                     "mbarrier count is outside 1..1048575, or more threads arrived than expected");
    __builtin_memcpy(access.lane[lane], &bits, 8);
  }
  return ok ? op + 1 : failed;
}

template <Window W>
const Op* barrier_init(Warp& warp, const Op* op) {
  return each_barrier<W>(warp, op, 0, [&](u64& bits, u32 lane) {
    u32 count = warp.row<const u32>(op->r[2])[lane];
    bits = pack({count, count, false});
    return count != 0 && count <= kCountMask;
  });
}

template <Window W>
const Op* barrier_invalidate(Warp& warp, const Op* op) {
  return each_barrier<W>(warp, op, 0, [](u64& bits, u32) {
    bits = 0;
    return true;
  });
}

// state, [object] [, count]; Drop lowers what later phases expect.
template <Window W, bool Drop>
const Op* arrive(Warp& warp, const Op* op) {
  return each_barrier<W>(warp, op, 1, [&](u64& bits, u32 lane) {
    u32 count = op->r[3] == kNoOperand ? 1 : warp.row<const u32>(op->r[3])[lane];
    warp.row<u64>(op->r[0])[lane] = bits;
    Mbarrier barrier = unpack(bits);
    if (count == 0 || count > barrier.pending) return false;
    barrier.pending -= count;
    if (Drop) barrier.expected -= count;
    finish_phase(barrier);
    bits = pack(barrier);
    return true;
  });
}

// p, [object], state | parity: has the phase that the state, or the parity, stands for ended?
template <Window W, bool Parity>
const Op* test_wait(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op), done = 0;
  const Op* next = each_barrier<W>(warp, op, 1, [&](u64& bits, u32 lane) {
    bool phase = Parity ? (warp.row<const u32>(op->r[3])[lane] & 1) != 0
                        : (warp.row<const u64>(op->r[3])[lane] >> 63) != 0;
    done |= u32{unpack(bits).phase != phase} << lane;
    return true;
  });
  warp.set_predicate(op->r[0], mask, done);
  if (done != mask) warp.may_spin();
  return next;
}

const Op* pending_count(Warp& warp, const Op* op) {
  return map<u32, u64>(warp, op, [](u64 state) { return static_cast<u32>(state & kCountMask); });
}

// The copies before it are done already, so the arrival can happen now. Without .noinc the arrival
// is one more than the object was made for.
template <Window W, bool CountsAsOne>
const Op* copy_arrive(Warp& warp, const Op* op) {
  return each_barrier<W>(warp, op, 0, [](u64& bits, u32) {
    if (!CountsAsOne) return true;
    Mbarrier barrier = unpack(bits);
    if (barrier.pending == 0) return false;
    --barrier.pending;
    finish_phase(barrier);
    bits = pack(barrier);
    return true;
  });
}

template <Window W>
void add_barrier_rows(FormTable& t, const char* space) {
  auto add = [&](const char* head, const char* tail, const char* signature, Handler handler) {
    t.add(Pattern(head, space, tail).text, signature, handler);
  };
  add("mbarrier.init", ".b64", "[] u32", barrier_init<W>);
  add("mbarrier.inval", ".b64", "[]", barrier_invalidate<W>);
  add("mbarrier.arrive", ".b64", "=b64 [] u32?", arrive<W, false>);
  add("mbarrier.arrive_drop", ".b64", "=b64 [] u32?", arrive<W, true>);
  add("mbarrier.arrive.noComplete", ".b64", "=b64 [] u32", arrive<W, false>);
  add("mbarrier.arrive_drop.noComplete", ".b64", "=b64 [] u32", arrive<W, true>);
  // try_wait may wait for as long as its last operand says; it need not.
  add("mbarrier.test_wait", ".b64", "=p [] b64", test_wait<W, false>);
  add("mbarrier.try_wait", ".b64", "=p [] b64 u32?", test_wait<W, false>);
  add("mbarrier.test_wait.parity", ".b64", "=p [] u32", test_wait<W, true>);
  add("mbarrier.try_wait.parity", ".b64", "=p [] u32 u32?", test_wait<W, true>);
  add("cp.async.mbarrier.arrive", ".b64", "[]", copy_arrive<W, false>);
  add("cp.async.mbarrier.arrive.noinc", ".b64", "[]", copy_arrive<W, true>);
}

// A predicate behind the size, not told from a number of bytes by the opcode, is what the front end
// writes .ignore_src for.
void add_copies(FormTable& t) {
  constexpr const char* kCopy = "cp.async.{ca,cg}{.shared,.shared::cta}.global";
  t.add(kCopy, "[] [] # u32?", copy, kSourceBytes);
  t.add(Pattern(kCopy, ".ignore_src").text, "[] [] # p", copy, kIgnoreSource, kInternal);
}

}  // namespace

void add_async_copy_forms(FormTable& table) {
  table.begin_group("async_copy");
  table.ignore("cp", "L2::64B L2::128B L2::256B L2::cache_hint");
  // A CTA's warps run on one thread, in the order of their accesses.
  table.ignore("mbarrier", "relaxed acquire release cta cluster");
  add_copies(table);
  table.add("cp.async.bulk.prefetch.L2.global", "[] u32", nothing);
  table.add("cp.async.commit_group", "", nothing);
  table.add("cp.async.wait_group", "#", nothing);
  table.add("cp.async.wait_all", "", nothing);
  add_barrier_rows<Window::kShared>(table, "{.shared,.shared::cta}");
  add_barrier_rows<Window::kGeneric>(table, "");
  table.add("mbarrier.pending_count.b64", "=u32 b64", pending_count);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
