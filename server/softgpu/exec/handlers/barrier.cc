// Barriers of CTAs and warps, and memory fences.
#include "server/softgpu/exec/cta.h"
#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

OUTBOARD_INLINE u32 uniform(Warp& warp, u32 row, u32 mask, u32 missing) {
  return row == kNoOperand ? missing : warp.row<const u32>(row)[first_lane(mask)];
}

// a [, b]: barrier, number of threads
template <bool Wait>
const Op* barrier(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  BarrierArrival arrival;
  arrival.barrier = uniform(warp, op->r[0], mask, 0);
  arrival.count = uniform(warp, op->r[1], mask, 0);
  arrival.wait = Wait;
  return warp.cta->arrive(warp, op, mask, index_of(warp, op) + 1, arrival);
}

// barrier.cluster of clusters of one CTA is a barrier of the CTA; the hardware has it apart from
// the sixteen of PTX, here it shares the last.
template <bool Wait>
const Op* cluster_barrier(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0 || !Wait) return op + 1;
  BarrierArrival arrival;
  arrival.barrier = kBarriers - 1;
  return warp.cta->arrive(warp, op, mask, index_of(warp, op) + 1, arrival);
}

// d, a [, b], c. aux: the reduction. The count is operand 2 in the long form.
template <bool HasCount>
const Op* barrier_reduce(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  BarrierArrival arrival;
  arrival.reduction = static_cast<Reduction>(op->aux);
  arrival.destination = op->r[0];
  arrival.barrier = uniform(warp, op->r[1], mask, 0);
  arrival.count = HasCount ? uniform(warp, op->r[2], mask, 0) : 0;
  arrival.predicate = warp.predicate(op->r[HasCount ? 3 : 2]);
  return warp.cta->arrive(warp, op, mask, index_of(warp, op) + 1, arrival);
}

const Op* warp_barrier(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 members;
  const Op* other;
  return gather(warp, op, op->r[0], mask, members, other) ? op + 1 : other;
}

const Op* fence(Warp& warp, const Op* op) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return op + 1;
}

}  // namespace

void add_barrier_forms(FormTable& table) {
  table.begin_group("barrier");
  for (const char* pattern : {"bar[.cta].sync", "barrier[.cta].sync[.aligned]"})
    table.add(pattern, "u32 u32?", barrier<true>);
  for (const char* pattern : {"bar[.cta].arrive", "barrier[.cta].arrive[.aligned]"})
    table.add(pattern, "u32 u32", barrier<false>);
  struct {
    const char *popc, *all, *any;
  } const names[] = {{"bar[.cta].red.popc.u32", "bar[.cta].red.and.pred", "bar[.cta].red.or.pred"},
                     {"barrier[.cta].red.popc[.aligned].u32", "barrier[.cta].red.and[.aligned].pred",
                      "barrier[.cta].red.or[.aligned].pred"}};
  for (const auto& name : names) {
    table.add(name.popc, "=u32 u32 p", barrier_reduce<false>, static_cast<u32>(Reduction::kPopulation));
    table.add(name.all, "=p u32 p", barrier_reduce<false>, static_cast<u32>(Reduction::kAnd));
    table.add(name.any, "=p u32 p", barrier_reduce<false>, static_cast<u32>(Reduction::kOr));
    table.add(name.popc, "=u32 u32 u32 p", barrier_reduce<true>, static_cast<u32>(Reduction::kPopulation));
    table.add(name.all, "=p u32 u32 p", barrier_reduce<true>, static_cast<u32>(Reduction::kAnd));
    table.add(name.any, "=p u32 u32 p", barrier_reduce<true>, static_cast<u32>(Reduction::kOr));
  }
  table.add("barrier.cluster.arrive[.release][.aligned]", "", cluster_barrier<false>);
  table.add("barrier.cluster.arrive.relaxed[.aligned]", "", cluster_barrier<false>);
  table.add("barrier.cluster.wait[.acquire][.aligned]", "", cluster_barrier<true>);
  table.add("bar.warp.sync", "b32", warp_barrier);
  table.add("membar.{cta,gl,sys}", "", fence);
  table.add("membar.proxy.alias", "", fence);
  // All fences are the strongest one.
  table.ignore("fence", "sc acq_rel acquire release cta cluster gpu sys");
  table.add("fence", "", fence);
  table.add("fence.proxy.{alias,async,async.global,async.shared::cta,async.shared::cluster}", "", fence);
  table.add("fence.mbarrier_init", "", fence);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
