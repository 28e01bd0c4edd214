// Branches, calls, returns, and what ends or delays a thread.
#include "server/softgpu/exec/calls.h"
#include "server/softgpu/exec/handlers/lanes.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

const Op* branch(Warp& warp, const Op* op) {
  u32 taken = warp.mask(op);
  if (taken == warp.active) return go(warp, op, static_cast<u32>(op->imm));
  u32 next = index_of(warp, op) + 1;
  if (taken == 0) return next >= warp.lowest_pending ? warp.regroup(next) : op + 1;
  if (static_cast<u32>(op->imm) < next) --warp.budget;
  return warp.split(taken, static_cast<u32>(op->imm), next);
}

const Op* branch_indexed(Warp& warp, const Op* op) {
  const auto& targets = warp.launch->image->branch_tables[static_cast<size_t>(op->imm)];
  const u32* index = warp.row<const u32>(op->r[0]);
  u32 mask = warp.mask(op), next = index_of(warp, op) + 1;
  for (u32 rest = warp.active; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    if (!(mask >> lane & 1)) {
      warp.next[lane] = next;
    } else if (index[lane] < targets.size()) {
      warp.next[lane] = targets[index[lane]];
    } else {
      return fault(warp, op, 718, lane, "brx.idx has an index beyond its branch targets");
    }
  }
  if (--warp.budget < 0) {
    warp.stop = Stop::kYielded;
    return nullptr;
  }
  return warp.select();
}

const Op* thread_exit(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  return mask == 0 ? op + 1 : warp.exit_lanes(mask, index_of(warp, op) + 1);
}

// Operand 0: offset of the callee's frame. imm: the function.
const Op* call(Warp& warp, const Op* op) {
  return enter_function(warp, op, static_cast<u32>(op->imm), op->r[0], index_of(warp, op) + 1);
}
const Op* call_indirect(Warp& warp, const Op* op) {
  return enter_functions(warp, op, warp.row<const u64>(op->r[1]), op->r[0], index_of(warp, op) + 1);
}
const Op* resume(Warp& warp, const Op* op) {
  leave_frame(warp, op, op->r[0]);
  return op + 1;
}
const Op* return_from(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  return mask == 0 ? op + 1 : return_to(warp, op, mask, warp.row<const u32>(op->r[0]));
}
const Op* call_system(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  return mask == 0 ? op + 1 : system_call(warp, op, mask);
}

const Op* trap(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  return mask == 0 ? op + 1 : fault(warp, op, 719, first_lane(mask), "trap instruction");
}

// Others may have something to do meanwhile; the time itself does not matter.
const Op* nanosleep(Warp& warp, const Op* op) {
  if (warp.mask(op) == 0) return op + 1;
  warp.may_spin();
  return warp.yield(index_of(warp, op) + 1);
}

const Op* nothing(Warp&, const Op* op) { return op + 1; }

const Op* active_mask(Warp& warp, const Op* op) {
  u32* d = warp.row<u32>(op->r[0]);
  for_lanes(warp.mask(op), [&](u32 lane) { d[lane] = warp.active; });
  return op + 1;
}

// One lane of the mask, the lowest.
const Op* elect(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 members;
  const Op* other;
  if (!gather(warp, op, op->r[2], mask, members, other)) return other;
  u32 leader = first_lane(members != 0 ? members : mask);
  u32* d = warp.row<u32>(op->r[0]);
  for_lanes(mask, [&](u32 lane) { d[lane] = leader; });
  warp.set_predicate(op->r[1], mask, 1u << leader);
  return op + 1;
}

}  // namespace

void add_control_forms(FormTable& table) {
  table.begin_group("control");
  table.ignore("bra", "uni");
  table.ignore("brx", "uni");
  table.add("bra", "label", branch, 0, kControl);
  table.add("brx.idx", "u32 label", branch_indexed, 0, kControl);
  table.add("ret[.uni]", "", thread_exit, 0, kControl | kTerminator);
  table.add("exit", "", thread_exit, 0, kControl | kTerminator);
  table.add("call[.uni]", "label", call, 0, kControl);
  table.add("trap", "", trap, 0, kTerminator);
  table.add("brkpt", "", trap, 0, kTerminator);
  table.add("nanosleep.u32", "u32", nanosleep);
  table.add("pmevent[.mask]", "#", nothing);
  table.add("griddepcontrol.{launch_dependents,wait}", "", nothing);
  table.add("setmaxnreg.{inc,dec}.sync.aligned.u32", "#", nothing);
  table.add("activemask.b32", "=b32", active_mask);
  table.add("elect.sync", "=b32|p b32", elect);
  table.add("thread.exit", "", thread_exit, 0, kInternal | kTerminator);
  table.add("function.call", "#", call, 0, kInternal);
  table.add("function.call_indirect", "# b64", call_indirect, 0, kInternal);
  table.add("function.resume", "#", resume, 0, kInternal);
  table.add("function.return", "b32", return_from, 0, kInternal | kTerminator);
  table.add("system.call", "# # # # # # # #", call_system, 0, kInternal);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
