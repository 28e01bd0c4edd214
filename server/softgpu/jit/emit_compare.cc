// Comparison, selection and logic on predicates.
#include <cstdlib>
#include <limits>

#include "server/softgpu/exec/form_aux.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

namespace Inst = x86::Inst;

// Comparisons as VPCMP and VCMPPS number them.
enum : uint32_t { kEq = 0, kLt = 1, kLe = 2, kNe = 4, kGe = 5, kGt = 6 };
enum : uint32_t {
  kFloatEq = 0x00,
  kFloatLt = 0x11,
  kFloatLe = 0x12,
  kFloatNe = 0x0c,
  kFloatGe = 0x1d,
  kFloatGt = 0x1e,
  kFloatEqu = 0x08,
  kFloatNeu = 0x04,
  kFloatLtu = 0x19,
  kFloatLeu = 0x1a,
  kFloatGtu = 0x16,
  kFloatGeu = 0x15,
  kFloatNum = 0x07,
  kFloatNan = 0x03,
};

// eax = a bit per lane. The parts' masks are shifted together.
void compare(Emitter& e, uint32_t instruction, uint32_t comparison, const Parts& a, const Parts& b) {
  auto& as = e.a;
  const auto predicate = asmjit::imm(comparison);
  as.emit(instruction, x86::k1, a[0], b[0], predicate);
  if (a.count == 2) {
    as.emit(instruction, x86::k2, a[1], b[1], predicate);
    as.kunpckwd(x86::k1, x86::k2, x86::k1);
  } else if (a.count == 4) {
    as.emit(instruction, x86::k2, a[1], b[1], predicate);
    as.emit(instruction, x86::k3, a[2], b[2], predicate);
    as.emit(instruction, x86::k4, a[3], b[3], predicate);
    as.kunpckbw(x86::k1, x86::k2, x86::k1);
    as.kunpckbw(x86::k3, x86::k4, x86::k3);
    as.kunpckwd(x86::k1, x86::k3, x86::k1);
  }
  as.kmovd(x86::eax, x86::k1);
}

void combine(Emitter& e, const x86::Gp& value, const x86::Gp& other) {
  switch (e.op().aux & exec::kCombineMask) {
    case exec::kCombineAnd: e.a.and_(value, other); break;
    case exec::kCombineOr: e.a.or_(value, other); break;
    case exec::kCombineXor: e.a.xor_(value, other); break;
    default: break;
  }
}

// p|q = a OP b [with c]: eax has a OP b.
void put_predicates(Emitter& e) {
  const Op& op = e.op();
  if (op.aux & exec::kCombineMask) e.load_predicate(x86::edx, op.r[4]);
  const bool both = op.r[1] != exec::kPredicateTrash;
  if (both) {
    e.a.mov(x86::ecx, x86::eax);
    e.a.not_(x86::ecx);
    combine(e, x86::ecx, x86::edx);
  }
  combine(e, x86::eax, x86::edx);
  e.store_predicate(op.r[0], x86::eax);
  if (both) e.store_predicate(op.r[1], x86::ecx);
}

void set_predicates_of_floats(Emitter& e, uint32_t instruction, uint32_t comparison, uint32_t count) {
  const Parts a = e.rows.read_any_nan(e.op().r[2], count), b = e.rows.read_any_nan(e.op().r[3], count);
  compare(e, instruction, comparison, a, b);
  put_predicates(e);
}

// How integers are compared.
struct Kind {
  uint32_t instruction;  // of whole rows
  bool is_signed;
  uint32_t count;
};

// SETcc for a comparison of two numbers.
uint32_t set_instruction(uint32_t comparison, bool is_signed) {
  switch (comparison) {
    case kEq: return Inst::kIdSete;
    case kNe: return Inst::kIdSetne;
    case kLt: return is_signed ? Inst::kIdSetl : Inst::kIdSetb;
    case kLe: return is_signed ? Inst::kIdSetle : Inst::kIdSetbe;
    case kGe: return is_signed ? Inst::kIdSetge : Inst::kIdSetae;
    default: return is_signed ? Inst::kIdSetg : Inst::kIdSeta;
  }
}

// zmm = lanes of a row, register number `part`, made of its first lane.
void make_part(Emitter& e, const x86::Zmm& zmm, const x86::Gp& first, int64_t stride, bool is32,
               uint32_t part) {
  if (is32) {
    e.a.vpbroadcastd(zmm, first.r32());
  } else {
    e.a.vpbroadcastq(zmm, first.r64());
  }
  if (stride == 0) return;
  x86::Mem distances = x86::zmmword_ptr(e.data.multiples(stride, is32));
  distances.addOffset(64 * part);
  e.a.emit(is32 ? x86::Inst::kIdVpaddd : x86::Inst::kIdVpaddq, zmm, zmm, distances);
}

// Beside the main path: first lanes are in rcx and rdx, some lanes may differ from others.
void compare_lanes_beside(Emitter& e, const Kind& kind, uint32_t comparison, const int64_t (&strides)[2],
                          const asmjit::Label& from, const asmjit::Label& done) {
  e.beside([&e, kind, comparison, a = strides[0], b = strides[1], from, done] {
    e.a.bind(from);
    const bool is32 = kind.count == 2;
    e.a.xor_(x86::eax, x86::eax);
    for (uint32_t part = kind.count; part-- > 0;) {
      make_part(e, x86::zmm0, x86::rcx, a, is32, part);
      make_part(e, x86::zmm1, x86::rdx, b, is32, part);
      e.a.emit(kind.instruction, x86::k1, x86::zmm0, x86::zmm1, asmjit::imm(comparison));
      e.a.kmovw(x86::esi, x86::k1);
      e.a.shl(x86::eax, static_cast<uint8_t>(32 / kind.count));
      e.a.or_(x86::eax, x86::esi);
    }
    e.a.jmp(done);
  });
}

// eax = a bit per lane, by way of the first lanes, if the lanes of a row and a number that is the same
// in all of them are compared: if the first and the last lane agree, so do those between them.
bool compare_first_lanes(Emitter& e, const Kind& kind, uint32_t comparison) {
  const Op& op = e.op();
  const bool is64 = kind.count == 4, ordered = comparison != kEq && comparison != kNe;
  const auto a = e.stride(op.r[2], kind.count), b = e.stride(op.r[3], kind.count);
  if (kind.count == 1 || !a || !b || (*a != 0 && *b != 0)) return false;
  const int64_t stride = *a != 0 ? *a : *b;
  constexpr int64_t kFurthest = std::numeric_limits<int32_t>::max() / 32;
  if (stride != 0 && (!ordered || std::abs(stride) > kFurthest)) return false;
  auto& as = e.a;
  const auto sized = [&](const x86::Gp& gp) { return is64 ? x86::Gp(gp.r64()) : x86::Gp(gp.r32()); };
  const uint32_t set = set_instruction(comparison, kind.is_signed);
  e.load_first(x86::rcx, op.r[2], is64);
  e.load_first(x86::rdx, op.r[3], is64);
  as.xor_(x86::eax, x86::eax);
  as.cmp(sized(x86::rcx), sized(x86::rdx));
  as.emit(set, x86::al);
  const asmjit::Label done = as.newLabel();
  if (stride != 0) {
    const asmjit::Label differ = as.newLabel();
    const auto reach = static_cast<int32_t>(stride * (exec::kLanes - 1));
    const x86::Gp last = sized(x86::rsi);
    as.xor_(x86::edi, x86::edi);
    as.mov(last, sized(*a != 0 ? x86::rcx : x86::rdx));
    if (kind.is_signed || reach > 0) {
      as.add(last, reach);
    } else {
      as.sub(last, -reach);
    }
    kind.is_signed ? as.jo(differ) : as.jc(differ);
    if (*a != 0) {
      as.cmp(last, sized(x86::rdx));
    } else {
      as.cmp(sized(x86::rcx), last);
    }
    as.emit(set, x86::dil);
    as.cmp(x86::eax, x86::edi);
    as.jne(differ);
    compare_lanes_beside(e, kind, comparison, {*a, *b}, differ, done);
  }
  as.neg(x86::eax);
  as.bind(done);
  return true;
}

void set_predicates(Emitter& e, const Kind& kind, uint32_t comparison) {
  if (!compare_first_lanes(e, kind, comparison)) {
    const Parts a = e.rows.read(e.op().r[2], kind.count), b = e.rows.read(e.op().r[3], kind.count);
    compare(e, kind.instruction, comparison, a, b);
  }
  put_predicates(e);
}

void setp_s32(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpd, true, 2}, what); }
void setp_u32(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpud, false, 2}, what); }
void setp_s64(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpq, true, 4}, what); }
void setp_u64(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpuq, false, 4}, what); }
void setp_s16(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpw, true, 1}, what); }
void setp_u16(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, {Inst::kIdVpcmpuw, false, 1}, what); }
void setp_f32(Emitter& e, uint32_t what, uint32_t) { set_predicates_of_floats(e, Inst::kIdVcmpps, what, 2); }
void setp_f64(Emitter& e, uint32_t what, uint32_t) { set_predicates_of_floats(e, Inst::kIdVcmppd, what, 4); }

// d = c ? a : b
void select(Emitter& e, uint32_t, uint32_t count) {
  const Op& op = e.op();
  const Parts a = e.rows.read(op.r[1], count), b = e.rows.read(op.r[2], count);
  const Parts d = e.rows.fresh(count);
  e.load_predicate(x86::eax, op.r[3]);
  e.a.kmovd(x86::k1, x86::eax);
  for (uint32_t i = 0; i < count; ++i) {
    if (i > 0) e.a.kshiftrd(x86::k1, x86::k1, 32 / count);
    switch (count) {
      case 1: e.a.k(x86::k1).vpblendmw(d[i], b[i], a[i]); break;
      case 2: e.a.k(x86::k1).vpblendmd(d[i], b[i], a[i]); break;
      default: e.a.k(x86::k1).vpblendmq(d[i], b[i], a[i]); break;
    }
  }
  e.result(op.r[0], d);
}

void predicate_logic(Emitter& e, uint32_t instruction, uint32_t) {
  e.load_predicate(x86::eax, e.op().r[1]);
  e.load_predicate(x86::ecx, e.op().r[2]);
  e.a.emit(instruction, x86::eax, x86::ecx);
  e.store_predicate(e.op().r[0], x86::eax);
}

void predicate_move(Emitter& e, uint32_t negates, uint32_t) {
  e.load_predicate(x86::eax, e.op().r[1]);
  if (negates) e.a.not_(x86::eax);
  e.store_predicate(e.op().r[0], x86::eax);
}

#define OUTBOARD_COMPARISONS(emit, type)                                                                    \
  {"setp.eq." type, emit, kEq}, {"setp.ne." type, emit, kNe}, {"setp.lt." type, emit, kLt},                 \
      {"setp.le." type, emit, kLe}, {"setp.gt." type, emit, kGt}, {"setp.ge." type, emit, kGe},             \
      {"setp.eq.and." type, emit, kEq}, {"setp.ne.and." type, emit, kNe}, {"setp.lt.and." type, emit, kLt}, \
      {"setp.le.and." type, emit, kLe}, {"setp.gt.and." type, emit, kGt}, {"setp.ge.and." type, emit, kGe}, \
      {"setp.eq.or." type, emit, kEq}, {"setp.ne.or." type, emit, kNe}, {"setp.lt.or." type, emit, kLt},    \
      {"setp.le.or." type, emit, kLe}, {"setp.gt.or." type, emit, kGt}, {                                   \
    "setp.ge.or." type, emit, kGe                                                                           \
  }
#define OUTBOARD_FLOAT_COMPARISONS(emit, type)                                                             \
  {"setp.eq." type, emit, kFloatEq}, {"setp.ne." type, emit, kFloatNe}, {"setp.lt." type, emit, kFloatLt}, \
      {"setp.le." type, emit, kFloatLe}, {"setp.gt." type, emit, kFloatGt},                                \
      {"setp.ge." type, emit, kFloatGe}, {"setp.equ." type, emit, kFloatEqu},                              \
      {"setp.neu." type, emit, kFloatNeu}, {"setp.ltu." type, emit, kFloatLtu},                            \
      {"setp.leu." type, emit, kFloatLeu}, {"setp.gtu." type, emit, kFloatGtu},                            \
      {"setp.geu." type, emit, kFloatGeu}, {"setp.num." type, emit, kFloatNum}, {                          \
    "setp.nan." type, emit, kFloatNan                                                                      \
  }

constexpr Rule kRules[] = {
    OUTBOARD_COMPARISONS(setp_s32, "s32"),
    OUTBOARD_COMPARISONS(setp_u32, "u32"),
    OUTBOARD_COMPARISONS(setp_s64, "s64"),
    OUTBOARD_COMPARISONS(setp_u64, "u64"),
    OUTBOARD_COMPARISONS(setp_s16, "s16"),
    OUTBOARD_COMPARISONS(setp_u16, "u16"),
    OUTBOARD_FLOAT_COMPARISONS(setp_f32, "f32"),
    OUTBOARD_FLOAT_COMPARISONS(setp_f64, "f64"),
    {"selp.b16", select, 0, 1},
    {"selp.b32", select, 0, 2},
    {"selp.f32", select, 0, 2},
    {"selp.b64", select, 0, 4},
    {"selp.f64", select, 0, 4},
    {"and.pred", predicate_logic, Inst::kIdAnd},
    {"or.pred", predicate_logic, Inst::kIdOr},
    {"xor.pred", predicate_logic, Inst::kIdXor},
    {"mov.pred", predicate_move, 0},
    {"not.pred", predicate_move, 1},
};

}  // namespace

std::span<const Rule> compare_rules() { return kRules; }

}  // namespace outboard::softgpu::jit
