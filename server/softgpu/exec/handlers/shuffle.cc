// Exchange between the lanes of a warp: shfl, vote, match, redux.
#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

enum class Mode : u32 { kUp, kDown, kButterfly, kIndex };

// The source lane, and whether it is within the lane's segment.
template <Mode M>
OUTBOARD_INLINE bool source_lane(u32 lane, u32 b, u32 c, u32& source) {
  u32 clamp = c & 31, segment = c >> 8 & 31;
  u32 most = (lane & segment) | (clamp & ~segment);
  u32 least = lane & segment;
  b &= 31;
  bool inside;
  if constexpr (M == Mode::kUp) {
    s32 j = static_cast<s32>(lane) - static_cast<s32>(b);
    inside = j >= static_cast<s32>(most);
    source = static_cast<u32>(j);
  } else if constexpr (M == Mode::kDown) {
    source = lane + b;
    inside = source <= most;
  } else if constexpr (M == Mode::kButterfly) {
    source = lane ^ b;
    inside = source <= most;
  } else {
    source = least | (b & ~segment);
    inside = source <= most;
  }
  if (!inside) source = lane;
  return inside;
}

template <Mode M>
const Op* exchange(Warp& warp, const Op* op, u32 mask) {
  u32* d = warp.row<u32>(op->r[0]);
  const u32 *a = warp.row<const u32>(op->r[2]), *b = warp.row<const u32>(op->r[3]),
            *c = warp.row<const u32>(op->r[4]);
  alignas(64) u32 values[kLanes];
  u32 inside = 0;
  for (u32 lane = 0; lane < kLanes; ++lane) {
    u32 source;
    inside |= static_cast<u32>(source_lane<M>(lane, b[lane], c[lane], source)) << lane;
    values[lane] = a[source & 31];
  }
  blend(d, values, mask);
  warp.set_predicate(op->r[1], mask, inside);
  return op + 1;
}

// d|p, a, b, c [, members]
template <Mode M, bool Sync>
const Op* shuffle(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  if constexpr (Sync) {
    u32 members;
    const Op* other;
    if (!gather(warp, op, op->r[5], mask, members, other)) return other;
  }
  return exchange<M>(warp, op, mask);
}

enum class Vote : u32 { kAll, kAny, kUniform, kBallot };

// d, p [, members]
template <Vote V, bool Sync>
const Op* vote(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 members = mask;
  const Op* other;
  if (Sync && !gather(warp, op, op->r[2], mask, members, other)) return other;
  u32 holding = warp.predicate(op->r[1]) & members & mask;
  members &= mask;
  if constexpr (V == Vote::kBallot) {
    u32* d = warp.row<u32>(op->r[0]);
    for_lanes(mask, [&](u32 lane) { d[lane] = holding; });
  } else {
    bool result = V == Vote::kAll   ? holding == members
                  : V == Vote::kAny ? holding != 0
                                    : holding == members || holding == 0;
    warp.set_predicate(op->r[0], mask, result ? kAllLanes : 0);
  }
  return op + 1;
}

// d, a, members: lanes with the same value
template <typename T>
const Op* match_any(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op), members;
  if (mask == 0) return op + 1;
  const Op* other;
  if (!gather(warp, op, op->r[2], mask, members, other)) return other;
  const T* a = warp.row<const T>(op->r[1]);
  alignas(64) u32 values[kLanes] = {};
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    for_lanes(members & mask,
              [&](u32 peer) { values[lane] |= static_cast<u32>(a[peer] == a[lane]) << peer; });
  }
  blend(warp.row<u32>(op->r[0]), values, mask);
  return op + 1;
}

// d|p, a, members: all members if they have the same value, else 0
template <typename T>
const Op* match_all(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op), members;
  if (mask == 0) return op + 1;
  const Op* other;
  if (!gather(warp, op, op->r[3], mask, members, other)) return other;
  const T* a = warp.row<const T>(op->r[2]);
  T first = a[first_lane(mask)];
  bool equal = true;
  for_lanes(members & mask, [&](u32 lane) { equal &= a[lane] == first; });
  u32 result = equal ? members & mask : 0;
  u32* d = warp.row<u32>(op->r[0]);
  for_lanes(mask, [&](u32 lane) { d[lane] = result; });
  warp.set_predicate(op->r[1], mask, equal ? kAllLanes : 0);
  return op + 1;
}

// d, a, members
template <typename T, typename F>
const Op* redux(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op), members;
  if (mask == 0) return op + 1;
  const Op* other;
  if (!gather(warp, op, op->r[2], mask, members, other)) return other;
  const T* a = warp.row<const T>(op->r[1]);
  u32 rest = members & mask;
  if (rest == 0) return op + 1;
  T result = a[first_lane(rest)];
  for (rest &= rest - 1; rest != 0; rest &= rest - 1) result = F{}(result, a[first_lane(rest)]);
  T* d = warp.row<T>(op->r[0]);
  for_lanes(mask, [&](u32 lane) { d[lane] = result; });
  return op + 1;
}

}  // namespace

void add_shuffle_forms(FormTable& table) {
  table.begin_group("shuffle");
  table.add("shfl.sync.up.b32", "=b32|p b32 b32 b32 b32", shuffle<Mode::kUp, true>, 0, kEarlyClobber);
  table.add("shfl.sync.down.b32", "=b32|p b32 b32 b32 b32", shuffle<Mode::kDown, true>, 0, kEarlyClobber);
  table.add("shfl.sync.bfly.b32", "=b32|p b32 b32 b32 b32", shuffle<Mode::kButterfly, true>, 0,
            kEarlyClobber);
  table.add("shfl.sync.idx.b32", "=b32|p b32 b32 b32 b32", shuffle<Mode::kIndex, true>, 0, kEarlyClobber);
  table.add("shfl.up.b32", "=b32|p b32 b32 b32", shuffle<Mode::kUp, false>, 0, kEarlyClobber);
  table.add("shfl.down.b32", "=b32|p b32 b32 b32", shuffle<Mode::kDown, false>, 0, kEarlyClobber);
  table.add("shfl.bfly.b32", "=b32|p b32 b32 b32", shuffle<Mode::kButterfly, false>, 0, kEarlyClobber);
  table.add("shfl.idx.b32", "=b32|p b32 b32 b32", shuffle<Mode::kIndex, false>, 0, kEarlyClobber);
  table.add("vote.sync.all.pred", "=p p b32", vote<Vote::kAll, true>);
  table.add("vote.sync.any.pred", "=p p b32", vote<Vote::kAny, true>);
  table.add("vote.sync.uni.pred", "=p p b32", vote<Vote::kUniform, true>);
  table.add("vote.sync.ballot.b32", "=b32 p b32", vote<Vote::kBallot, true>, 0, kEarlyClobber);
  table.add("vote.all.pred", "=p p", vote<Vote::kAll, false>);
  table.add("vote.any.pred", "=p p", vote<Vote::kAny, false>);
  table.add("vote.uni.pred", "=p p", vote<Vote::kUniform, false>);
  table.add("vote.ballot.b32", "=b32 p", vote<Vote::kBallot, false>);
  table.add("match.any.sync.b32", "=b32 b32 b32", match_any<u32>, 0, kEarlyClobber);
  table.add("match.any.sync.b64", "=b32 b64 b32", match_any<u64>, 0, kEarlyClobber);
  table.add("match.all.sync.b32", "=b32|p b32 b32", match_all<u32>, 0, kEarlyClobber);
  table.add("match.all.sync.b64", "=b32|p b64 b32", match_all<u64>, 0, kEarlyClobber);
  table.add("redux.sync.add.{u32,s32}", "=b32 b32 b32", redux<u32, Add>, 0, kEarlyClobber);
  table.add("redux.sync.min.u32", "=u32 u32 b32", redux<u32, Min>, 0, kEarlyClobber);
  table.add("redux.sync.min.s32", "=s32 s32 b32", redux<s32, Min>, 0, kEarlyClobber);
  table.add("redux.sync.max.u32", "=u32 u32 b32", redux<u32, Max>, 0, kEarlyClobber);
  table.add("redux.sync.max.s32", "=s32 s32 b32", redux<s32, Max>, 0, kEarlyClobber);
  table.add("redux.sync.and.b32", "=b32 b32 b32", redux<u32, And>, 0, kEarlyClobber);
  table.add("redux.sync.or.b32", "=b32 b32 b32", redux<u32, Or>, 0, kEarlyClobber);
  table.add("redux.sync.xor.b32", "=b32 b32 b32", redux<u32, Xor>, 0, kEarlyClobber);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
