#include "server/softgpu/jit/emit_memory.h"

#include <optional>

#include "server/softgpu/exec/form_aux.h"
#include "server/softgpu/exec/lane_facts.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

using exec::Window;

constexpr uint8_t kNotEqual = 4;              // of VPCMP
constexpr uint32_t kScattered = 0x7fff'ffff;  // no distance of lanes that is looked for
constexpr int32_t kRangeBegin = offsetof(exec::MemoryRange, begin);
constexpr int32_t kRangeEnd = offsetof(exec::MemoryRange, end);

// One memory instruction while its code is being made.
struct Access {
  Emitter& e;
  uint32_t bytes;     // per element
  uint32_t elements;  // per lane
  uint32_t address;   // operand: row, then offset
  Window window = static_cast<Window>(e.op().aux & exec::kWindowMask);
  bool is32 = e.op().flags & exec::kAddress32;
  bool uniform = e.op().flags & exec::kUniformAddress;
  std::optional<int64_t> stride = {};                    // of the address, if it is known now
  int shape = kNoShape;                                  // else the slot with what was measured
  std::optional<uint32_t> parameter = find_parameter();  // a place among the parameters that is known
  asmjit::Label slow = e.a.newLabel();

  uint32_t lane_bytes() const { return bytes * elements; }
  uint32_t row() const { return e.op().operand(address); }
  int32_t offset() const { return static_cast<int32_t>(e.op().operand(address + 1)); }

 private:
  std::optional<uint32_t> find_parameter() const {
    uint64_t place = 0;
    if (window != Window::kParam || !e.immediate(row(), place)) return std::nullopt;
    place += static_cast<uint64_t>(int64_t{offset()});
    if (place % lane_bytes() != 0 || place > exec::kMaxParamBytes) return std::nullopt;
    return static_cast<uint32_t>(place);
  }
};

// rcx = address of the first lane. Zero flag if the lanes lie `distance` apart. zmm0 = the first
// lane's address in every lane.
void compare_addresses(Emitter& e, const Parts& row, uint32_t distance) {
  auto& a = e.a;
  const bool is32 = row.count == 2;
  if (is32) {
    a.vmovd(x86::ecx, row[0].xmm());
    a.vpbroadcastd(x86::zmm0, row[0].xmm());
  } else {
    a.vmovq(x86::rcx, row[0].xmm());
    a.vpbroadcastq(x86::zmm0, row[0].xmm());
  }
  for (uint32_t i = 0; i < row.count; ++i) {
    x86::Zmm expected = x86::zmm0;
    if (distance != 0) {
      expected = x86::zmm1;
      x86::Mem offsets = x86::zmmword_ptr(e.data.multiples(distance, is32));
      offsets.addOffset(64 * i);
      a.emit(is32 ? x86::Inst::kIdVpaddd : x86::Inst::kIdVpaddq, expected, x86::zmm0, offsets);
    }
    const x86::KReg differs = i == 0 ? x86::k1 : x86::k2;
    a.emit(is32 ? x86::Inst::kIdVpcmpd : x86::Inst::kIdVpcmpq, differs, expected, row[i],
           asmjit::imm(kNotEqual));
    if (i > 0) a.korw(x86::k1, x86::k1, x86::k2);
  }
  a.kortestw(x86::k1, x86::k1);
}

// rdx = distance of lanes: `distance`, 0 or kScattered.
void measure_row(Emitter& e, const Parts& row, uint32_t distance) {
  auto& a = e.a;
  const asmjit::Label done = a.newLabel(), other = a.newLabel();
  compare_addresses(e, row, distance);
  a.mov(x86::edx, distance);
  a.jnz(other);
  a.bind(done);
  e.beside([&e, row, done, other] {
    e.a.bind(other);
    compare_addresses(e, row, 0);
    e.a.mov(x86::edx, 0);
    e.a.jz(done);
    e.a.mov(x86::edx, kScattered);
    e.a.jmp(done);
  });
}

// Finds out once per value of the address row how its lanes lie; false if the frame is full, or if
// they are known to lie in a way that only the interpreter can do.
bool measure(Access& access) {
  Emitter& e = access.e;
  access.stride = access.uniform ? 0 : e.stride(access.row(), access.is32 ? 2 : 4);
  access.uniform = access.stride == 0;
  if (access.stride) return access.uniform || *access.stride == access.lane_bytes();
  const Parts row = e.rows.read(access.row(), access.is32 ? 2 : 4);
  CachedRow* cached = e.rows.find(access.row());
  if (cached->shape == kNoShape) {
    const int slot = e.new_shape();
    if (slot == kNoShape) return false;
    measure_row(e, row, access.lane_bytes());
    e.a.mov(e.shape_first(slot), x86::rcx);
    e.a.mov(e.shape_stride(slot), x86::rdx);
    cached->shape = slot;
  }
  access.shape = cached->shape;
  return true;
}

// rcx = address of the first lane, the constant offset added.
void load_address(const Access& access) {
  if (access.parameter) return;
  auto& a = access.e.a;
  uint64_t address = 0;
  if (access.e.immediate(access.row(), address)) {
    address += static_cast<uint64_t>(int64_t{access.offset()});
    a.mov(x86::rcx, access.is32 ? static_cast<uint32_t>(address) : address);
    return;
  }
  if (access.stride) {
    access.e.load_first(x86::rcx, access.row(), !access.is32);
  } else {
    a.mov(x86::rcx, access.e.shape_first(access.shape));
  }
  if (access.offset() == 0) return;
  if (access.is32) {
    a.add(x86::ecx, access.offset());
  } else {
    a.add(x86::rcx, access.offset());
  }
}

void check_parameter(const Access& access, uint32_t end) {
  Emitter& e = access.e;
  if (e.require_parameters(end)) return;
  e.a.mov(x86::rdx, x86::qword_ptr(e.anchor.warp, offsetof(exec::Warp, launch)));
  e.a.cmp(x86::dword_ptr(x86::rdx, offsetof(exec::Launch, param_bytes)), end);
  e.a.jb(access.slow);
}

// [rcx, rax) in global memory. Each instruction tries the allocation that it found last.
void check_ranges(const Access& access) {
  Emitter& e = access.e;
  auto& a = e.a;
  const asmjit::Label found = a.newLabel(), look = a.newLabel(), slow = access.slow;
  a.mov(x86::r8, reinterpret_cast<uint64_t>(e.new_range_hint()));
  a.mov(x86::esi, x86::dword_ptr(x86::r8));
  a.cmp(x86::rcx, x86::qword_ptr(e.anchor.ranges, x86::rsi, 0, kRangeBegin));
  a.jb(look);
  a.cmp(x86::rax, x86::qword_ptr(e.anchor.ranges, x86::rsi, 0, kRangeEnd));
  a.ja(look);
  a.bind(found);
  e.beside([&e, found, look, slow] {
    e.a.bind(look);
    e.a.call(e.find_range);
    e.a.jz(found);
    e.a.jmp(slow);
  });
}

// Goes to `slow` unless `length` bytes at rcx are accessible. Loses rax, rdx, rsi, rdi and r8.
void check(const Access& access, uint32_t length) {
  if (access.parameter) return check_parameter(access, *access.parameter + length);
  Emitter& e = access.e;
  auto& a = e.a;
  if (access.lane_bytes() > 1) {
    a.test(x86::ecx, access.lane_bytes() - 1);
    a.jnz(access.slow);
  }
  a.mov(x86::rax, x86::rcx);
  a.add(x86::rax, length);
  if (!access.is32) a.jc(access.slow);
  if (access.window != Window::kShared && access.window != Window::kParam) return check_ranges(access);
  if (access.window == Window::kShared) {
    a.mov(x86::edx, x86::dword_ptr(e.anchor.warp, offsetof(exec::Warp, shared_bytes)));
    a.mov(x86::rdi, x86::qword_ptr(e.anchor.warp, offsetof(exec::Warp, shared)));
  } else {
    a.mov(x86::rdx, x86::qword_ptr(e.anchor.warp, offsetof(exec::Warp, launch)));
    a.mov(x86::edx, x86::dword_ptr(x86::rdx, offsetof(exec::Launch, param_bytes)));
  }
  a.cmp(x86::rax, x86::rdx);
  a.ja(access.slow);
}

// Memory at rcx + offset, after check().
x86::Mem data_at(const Access& access, uint32_t offset) {
  const auto displacement = static_cast<int32_t>(offset);
  const Anchors& anchor = access.e.anchor;
  if (access.parameter)
    return x86::ptr(anchor.params, static_cast<int32_t>(*access.parameter) + displacement);
  switch (access.window) {
    case Window::kShared: return x86::ptr(x86::rdi, x86::rcx, 0, displacement);
    case Window::kParam: return x86::ptr(anchor.params, x86::rcx, 0, displacement);
    default: return x86::ptr(x86::rcx, displacement);
  }
}

void load_uniform(const Access& access, uint32_t element, const Parts& to) {
  auto& a = access.e.a;
  x86::Mem from = data_at(access, element * access.bytes);
  switch (access.bytes) {
    case 1:
      from.setSize(1);
      a.movzx(x86::eax, from);
      a.vpbroadcastw(to[0], x86::eax);
      break;
    case 2: a.vpbroadcastw(to[0], from); break;
    case 4: a.vpbroadcastd(to[0], from); break;
    default: a.vpbroadcastq(to[0], from); break;
  }
  for (uint32_t i = 1; i < to.count; ++i) a.vmovdqa64(to[i], to[0]);
}

// One of several 32-bit elements per lane: picks it out of the lanes' vectors.
void load_interleaved(const Access& access, uint32_t element, const Parts& to) {
  Emitter& e = access.e;
  auto& a = e.a;
  for (uint32_t part = 0; part < 2; ++part) {
    const uint32_t begin = part * 64 * access.elements;
    for (uint32_t half = 0; half < access.elements / 2; ++half) {
      const x86::Zmm into = half == 0 ? to[part] : x86::zmm1;
      a.vmovdqu64(x86::zmm0, data_at(access, begin + 128 * half));
      a.vmovdqa64(into, x86::zmmword_ptr(e.data.every(access.elements, element)));
      a.vpermi2d(into, x86::zmm0, data_at(access, begin + 128 * half + 64));
      if (half == 1) a.vinserti64x4(to[part], to[part], x86::ymm1, 1);
    }
  }
}

void load_contiguous(const Access& access, uint32_t element, const Parts& to) {
  auto& a = access.e.a;
  if (access.elements > 1) return load_interleaved(access, element, to);
  if (access.bytes == 1) {
    a.vpmovzxbw(to[0], data_at(access, 0));
    return;
  }
  for (uint32_t i = 0; i < to.count; ++i) a.vmovdqu64(to[i], data_at(access, 64 * i));
}

// Only whole warps take the main path.
void check_guard(const Access& access) {
  if (access.e.unguarded()) return;
  access.e.load_guard(x86::eax);
  access.e.a.cmp(x86::eax, -1);
  access.e.a.jne(access.slow);
}

bool can_be_contiguous(const Access& access) {
  return access.elements == 1 || (access.bytes == 4 && access.elements <= 4);
}

// Fetches what the instruction reads some steps later, if it goes on as since the last time. The
// processor does so by itself only within a page. Loses rdx and rdi.
void fetch_ahead(const Access& access) {
  constexpr uint32_t kAheadShift = 3;  // 8 steps
  Emitter& e = access.e;
  auto& a = e.a;
  if (access.window == Window::kShared || access.window == Window::kParam || !access.stride) return;
  const int32_t stream = e.stream();  // outside of loops, warps walk through memory page by page
  if (stream < 0) return;
  const auto place =
      static_cast<int32_t>(exec::kLaneFactsOffset + offsetof(exec::LaneFacts, streams)) + 8 * stream;
  a.mov(x86::rdi, x86::qword_ptr(e.anchor.warp, offsetof(exec::Warp, bank) + 8 * exec::kBankSpecial));
  a.mov(x86::rdx, x86::rcx);
  a.sub(x86::rdx, x86::qword_ptr(x86::rdi, place));
  a.mov(x86::qword_ptr(x86::rdi, place), x86::rcx);
  a.lea(x86::rdx, x86::ptr(x86::rcx, x86::rdx, kAheadShift));
  for (uint32_t line = 0; line < access.lane_bytes() * exec::kLanes / 64; ++line)
    a.prefetcht0(x86::ptr(x86::rdx, static_cast<int32_t>(64 * line)));
}

// The lanes side by side, or all at one address. Ends in `done`.
void load_lanes(const Access& access, const std::vector<Parts>& to, const asmjit::Label& done) {
  auto& a = access.e.a;
  const auto count = static_cast<uint32_t>(to.size());
  const auto side_by_side = [&] {
    check(access, exec::kLanes * access.lane_bytes());
    for (uint32_t i = 0; i < count; ++i) load_contiguous(access, i, to[i]);
    fetch_ahead(access);
  };
  const auto at_one = [&] {
    check(access, access.lane_bytes());
    for (uint32_t i = 0; i < count; ++i) load_uniform(access, i, to[i]);
  };
  load_address(access);
  if (access.stride) {
    access.uniform ? at_one() : side_by_side();
    a.bind(done);
    return;
  }
  const asmjit::Label same = a.newLabel();
  a.mov(x86::rdx, access.e.shape_stride(access.shape));
  if (can_be_contiguous(access)) {
    a.cmp(x86::rdx, access.lane_bytes());
    a.jne(same);
    side_by_side();
    a.jmp(done);
  }
  a.bind(same);
  a.test(x86::rdx, x86::rdx);
  a.jnz(access.slow);
  at_one();
  a.bind(done);
}

// Whole rows whose lanes are all the same: one lane is loaded, if it looks like an address or a size.
// What shared and global memory hold in 32 bits is mostly for arithmetic, which wants whole rows.
bool load_scalars(const Access& access) {
  Emitter& e = access.e;
  auto& a = e.a;
  if (!access.uniform || !e.unguarded()) return false;
  if (access.bytes != 8 && (access.bytes != 4 || access.window != Window::kParam)) return false;
  std::vector<uint32_t> written;
  for (uint32_t i = 0; i < access.elements; ++i) {
    written.push_back(e.op().operand(i));
    if (!e.has_slot(written.back())) return false;
  }
  load_address(access);
  check(access, access.lane_bytes());
  const RowCache::Snapshot before = e.rows.snapshot();
  const asmjit::Label done = a.newLabel();
  for (uint32_t i = 0; i < access.elements; ++i) {
    x86::Mem from = data_at(access, i * access.bytes);
    from.setSize(access.bytes);
    if (access.bytes == 4) {
      a.mov(x86::eax, from);
    } else {
      a.mov(x86::rax, from);
    }
    e.rows.bind_scalar(written[i], {0, access.bytes / 2});
    a.mov(e.rows.slot(written[i]), x86::rax);
  }
  a.bind(done);
  e.beside([&e, before, written, done, slow = access.slow, index = e.at(), next = e.next()] {
    e.a.bind(slow);
    e.interpret_beside(index, next, before, written);
    for (uint32_t operand : written) {
      e.a.mov(x86::rax, e.rows.memory(operand, 0));
      e.a.mov(e.rows.slot(operand), x86::rax);
    }
    e.a.jmp(done);
  });
  return true;
}

// `bytes` per element in memory, `count` registers per row. Scattered addresses, partial guards and
// everything that fails are left to the interpreter.
void load(Emitter& e, uint32_t bytes, uint32_t count) {
  const uint32_t elements = e.op().aux >> exec::kElementsShift & exec::kElementsMask;
  Access access{e, bytes, elements, elements};
  if (elements > 4 || !measure(access)) return e.interpret();
  if (access.stride && !access.uniform && !can_be_contiguous(access)) return e.interpret();
  if (load_scalars(access)) return;
  std::vector<Parts> to;
  std::vector<uint32_t> written;
  for (uint32_t i = 0; i < elements; ++i) {
    to.push_back(e.rows.fresh(count));
    written.push_back(e.op().operand(i));
  }
  // Making room may have stored rows: only now may the main path be left.
  const RowCache::Snapshot before = e.rows.snapshot();
  const asmjit::Label done = e.a.newLabel();
  check_guard(access);
  load_lanes(access, to, done);
  for (uint32_t i = 0; i < elements; ++i) e.rows.bind(written[i], to[i]);
  e.beside([&e, before, written, to, done, slow = access.slow, index = e.at(), next = e.next()] {
    e.a.bind(slow);
    e.interpret_beside(index, next, before, written);
    for (size_t i = 0; i < to.size(); ++i) {
      for (uint32_t part = 0; part < to[i].count; ++part)
        e.a.vmovdqu64(to[i][part], e.rows.memory(written[i], part));
    }
    e.a.jmp(done);
  });
}

void store(Emitter& e, uint32_t bytes, uint32_t count) {
  const uint32_t elements = e.op().aux >> exec::kElementsShift & exec::kElementsMask;
  Access access{e, bytes, elements, 0};
  if (elements != 1 || !measure(access) || access.uniform) return e.interpret();
  auto& a = e.a;
  const Parts from = e.rows.read(e.op().operand(2), count);
  check_guard(access);
  const asmjit::Label done = a.newLabel();
  load_address(access);
  if (!access.stride) {
    a.mov(x86::rdx, e.shape_stride(access.shape));
    a.cmp(x86::rdx, access.lane_bytes());
    a.jne(access.slow);
  }
  check(access, exec::kLanes * access.lane_bytes());
  if (bytes == 1) {
    a.vpmovwb(data_at(access, 0), from[0]);
  } else {
    for (uint32_t i = 0; i < count; ++i) a.vmovdqu64(data_at(access, 64 * i), from[i]);
  }
  a.bind(done);
  e.beside([&e, before = e.rows.snapshot(), done, slow = access.slow, index = e.at(), next = e.next()] {
    e.a.bind(slow);
    e.interpret_beside(index, next, before, {});
    e.a.jmp(done);
  });
}

#define OUTBOARD_LOADS(space, vector)                                            \
  {"ld." space vector "u8", load, 1, 1}, {"ld." space vector "u16", load, 2, 1}, \
      {"ld." space vector "u32", load, 4, 2}, {"ld." space vector "u64", load, 8, 4}
#define OUTBOARD_STORES(space)                                                                         \
  {"st." space "u8", store, 1, 1}, {"st." space "u16", store, 2, 1}, {"st." space "u32", store, 4, 2}, \
      {"st." space "u64", store, 8, 4}

constexpr Rule kRules[] = {
    OUTBOARD_LOADS("", ""),
    OUTBOARD_LOADS("", "v2."),
    OUTBOARD_LOADS("", "v4."),
    OUTBOARD_LOADS("global.", ""),
    OUTBOARD_LOADS("global.", "v2."),
    OUTBOARD_LOADS("global.", "v4."),
    OUTBOARD_LOADS("shared.", ""),
    OUTBOARD_LOADS("shared.", "v2."),
    OUTBOARD_LOADS("shared.", "v4."),
    OUTBOARD_LOADS("param.", ""),
    OUTBOARD_STORES(""),
    OUTBOARD_STORES("global."),
    OUTBOARD_STORES("shared."),
};

}  // namespace

std::span<const Rule> memory_rules() { return kRules; }

// Looks for [rcx, rax) among the ranges: the zero flag, and the place for the next time at r8.
void emit_find_range(Emitter& e) {
  auto& a = e.a;
  const asmjit::Label again = a.newLabel(), further = a.newLabel();
  a.bind(e.find_range);
  a.xor_(x86::esi, x86::esi);
  a.bind(again);
  a.cmp(x86::rcx, x86::qword_ptr(e.anchor.ranges, x86::rsi, 0, kRangeBegin));
  a.jb(further);
  a.cmp(x86::rax, x86::qword_ptr(e.anchor.ranges, x86::rsi, 0, kRangeEnd));
  a.ja(further);
  a.mov(x86::dword_ptr(x86::r8), x86::esi);
  a.xor_(x86::edx, x86::edx);
  a.ret();
  a.bind(further);
  a.add(x86::esi, sizeof(exec::MemoryRange));
  a.cmp(x86::esi, exec::RangeCache::kEntries * sizeof(exec::MemoryRange));
  a.jb(again);
  a.or_(x86::edx, 1);
  a.ret();
}

}  // namespace outboard::softgpu::jit
