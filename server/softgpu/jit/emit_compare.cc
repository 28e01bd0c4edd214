// Comparison, selection and logic on predicates.
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

// p|q, a, b [, c]
void set_predicates(Emitter& e, uint32_t instruction, uint32_t comparison, uint32_t count) {
  const Op& op = e.op();
  const Parts a = e.rows.read_any_nan(op.r[2], count), b = e.rows.read_any_nan(op.r[3], count);
  compare(e, instruction, comparison, a, b);
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

void setp_s32(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpd, what, 2); }
void setp_u32(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpud, what, 2); }
void setp_s64(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpq, what, 4); }
void setp_u64(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpuq, what, 4); }
void setp_s16(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpw, what, 1); }
void setp_u16(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVpcmpuw, what, 1); }
void setp_f32(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVcmpps, what, 2); }
void setp_f64(Emitter& e, uint32_t what, uint32_t) { set_predicates(e, Inst::kIdVcmppd, what, 4); }

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
