// wmma: loads, stores and products of whole matrices by a warp.
//
// PTX leaves open which lane holds which element of a wmma fragment. Here the registers, one after the
// other and lane by lane, hold the matrix line by line, so that a register row is 128 bytes of it; lines
// are rows of A, B, C and D. The shapes of 8 rows and columns (f64, 4 bits, single bits) have mma's
// fragments instead, because mma's code computes them: lines of B are columns, and a lane's elements of
// C and D are neighbours.
#include "server/softgpu/exec/handlers/matrix_ops.h"
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// The matrix of a fragment: `kLines` lines of `kLength` units. A unit is an element, or the byte that
// several elements share.
template <typename Unit, u32 Lines, u32 Length, u32 Registers, u32 ElementsPerUnit = 1,
          bool Neighbours = false>
struct Fragment {
  using T = Unit;
  static constexpr u32 kLines = Lines, kLength = Length, kRegisters = Registers, kPerUnit = ElementsPerUnit;
  static constexpr u32 kRowBytes = sizeof(T) == 8 ? 256 : 128;
  // Registers beyond those that hold the matrix repeat it, as f16 operands do.
  static constexpr u32 kHolding = Lines * Length * sizeof(T) / kRowBytes;
  static constexpr bool kNeighbours = Neighbours;
};

template <typename F>
OUTBOARD_INLINE void put_fragment(Warp& warp, const Op* op, u32 first, const typename F::T* matrix) {
  using T = typename F::T;
  for (u32 r = 0; r < F::kRegisters; ++r) {
    T* row = warp.row<T>(op->operand(first + r));
    if constexpr (F::kNeighbours) {
      for (u32 lane = 0; lane < kLanes; ++lane) row[lane] = matrix[F::kRegisters * lane + r];
    } else {
      __builtin_memcpy(row, matrix + r % F::kHolding * (F::kRowBytes / sizeof(T)), F::kRowBytes);
    }
  }
}

template <typename F>
OUTBOARD_INLINE void get_fragment(Warp& warp, const Op* op, u32 first, typename F::T* matrix) {
  using T = typename F::T;
  for (u32 r = 0; r < F::kHolding; ++r) {
    const T* row = warp.row<const T>(op->operand(first + r));
    if constexpr (F::kNeighbours) {
      for (u32 lane = 0; lane < kLanes; ++lane) matrix[F::kRegisters * lane + r] = row[lane];
    } else {
      __builtin_memcpy(matrix + r * (F::kRowBytes / sizeof(T)), row, F::kRowBytes);
    }
  }
}

// Where the matrix lies in memory. All lanes hold the same address and stride; lane 0's are taken.
struct Place {
  u64 address;
  u64 stride;  // in elements
};

OUTBOARD_INLINE Place place_of(Warp& warp, const Op* op, u32 at, u32 stride_operand, u64 default_stride) {
  u32 base = op->operand(at);
  u64 address = op->flags & kAddress32 ? warp.row<const u32>(base)[0] : warp.row<const u64>(base)[0];
  address += static_cast<u64>(s64{static_cast<s32>(op->operand(at + 1))});
  u32 stride = op->operand(stride_operand);
  return {address, stride == kNoOperand ? default_stride : warp.row<const u32>(stride)[0]};
}

template <bool Shared>
OUTBOARD_INLINE std::byte* bytes_at(Warp& warp, const Op* op, u64 address, u32 bytes, u32 alignment) {
  std::byte* found = nullptr;
  if constexpr (Shared) {
    address &= 0xffff'ffff;
    if (address + bytes <= warp.shared_bytes) found = warp.shared + address;
  } else {
    found = translate_generic(warp, 0, address, bytes);
  }
  if (found == nullptr || address % alignment != 0) {
    bad_access(warp, op, 0, address, bytes, Shared ? "shared" : "global", found != nullptr);
    return nullptr;
  }
  return found;
}

// Calls move(bytes in memory, index of the line or of the unit in all lines); false after a fault.
template <typename F, bool Across, bool Shared, typename Move>
OUTBOARD_INLINE bool for_lines(Warp& warp, const Op* op, const Place& place, Move move) {
  constexpr u32 kCount = Across ? F::kLength : F::kLines, kUnits = Across ? F::kLines : F::kLength;
  constexpr u32 kBytes = kUnits * sizeof(typename F::T);
  for (u32 i = 0; i < kCount; ++i) {
    u64 address = place.address + place.stride / F::kPerUnit * i * sizeof(typename F::T);
    std::byte* found = bytes_at<Shared>(warp, op, address, kBytes, sizeof(typename F::T));
    if (found == nullptr) return false;
    move(reinterpret_cast<typename F::T*>(found), i);
  }
  return true;
}

// Across: in memory, what lies side by side is of different lines.
template <typename F, bool Across, bool Shared>
const Op* wmma_load(Warp& warp, const Op* op) {
  using T = typename F::T;
  constexpr u32 kOperands = F::kRegisters + 3;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  constexpr u32 kDefault = (Across ? F::kLines : F::kLength) * F::kPerUnit;
  Place place = place_of(warp, op, F::kRegisters, F::kRegisters + 2, kDefault);
  alignas(64) T matrix[F::kLines * F::kLength];
  bool good = for_lines<F, Across, Shared>(warp, op, place, [&](const T* from, u32 i) {
    if constexpr (Across) {
      for (u32 line = 0; line < F::kLines; ++line) matrix[line * F::kLength + i] = from[line];
    } else {
      __builtin_memcpy(matrix + i * F::kLength, from, F::kLength * sizeof(T));
    }
  });
  if (!good) return nullptr;
  put_fragment<F>(warp, op, 0, matrix);
  return behind<kOperands>(op);
}

template <typename F, bool Across, bool Shared>
const Op* wmma_store(Warp& warp, const Op* op) {
  using T = typename F::T;
  constexpr u32 kOperands = F::kRegisters + 3;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  constexpr u32 kDefault = (Across ? F::kLines : F::kLength) * F::kPerUnit;
  Place place = place_of(warp, op, 0, F::kRegisters + 2, kDefault);
  alignas(64) T matrix[F::kLines * F::kLength];
  get_fragment<F>(warp, op, 2, matrix);
  bool good = for_lines<F, Across, Shared>(warp, op, place, [&](T* to, u32 i) {
    if constexpr (Across) {
      for (u32 line = 0; line < F::kLines; ++line) to[line] = matrix[line * F::kLength + i];
    } else {
      __builtin_memcpy(to, matrix + i * F::kLength, F::kLength * sizeof(T));
    }
  });
  return good ? behind<kOperands>(op) : nullptr;
}

// Stored elements as numbers to compute with.
struct Half {
  using T = u16;
  using Value = f32;
  template <u32 N>
  OUTBOARD_INLINE static void widen(f32* to, const u16* from) {
    for (u32 i = 0; i < N; i += 8)
      _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  }
  template <u32 N>
  OUTBOARD_INLINE static void narrow(u16* to, const f32* from) {
    for (u32 i = 0; i < N; i += 8)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                       _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
  }
};
struct BfloatAs16 {
  using T = u16;
  using Value = f32;
  template <u32 N>
  OUTBOARD_INLINE static void widen(f32* to, const u16* from) {
    for (u32 i = 0; i < N; ++i) to[i] = bits_as<f32>(u32{from[i]} << 16);
  }
};
struct Tf32As32 {
  using T = u32;
  using Value = f32;
  template <u32 N>
  OUTBOARD_INLINE static void widen(f32* to, const u32* from) {
    for (u32 i = 0; i < N; ++i) to[i] = Tf32::get(from[i], 0);
  }
};
template <typename Byte>
struct ByteInteger {
  using T = Byte;
  using Value = s32;
  template <u32 N>
  OUTBOARD_INLINE static void widen(s32* to, const Byte* from) {
    for (u32 i = 0; i < N; ++i) to[i] = from[i];
  }
};
struct Single {
  using T = f32;
  template <u32 N>
  OUTBOARD_INLINE static void widen(f32* to, const f32* from) {
    __builtin_memcpy(to, from, N * sizeof(f32));
  }
  template <u32 N>
  OUTBOARD_INLINE static void narrow(f32* to, const f32* from) {
    __builtin_memcpy(to, from, N * sizeof(f32));
  }
};

template <u32 M, u32 N, u32 K>
struct Shape {
  static constexpr u32 kM = M, kN = N, kK = K;
};

// Registers of an operand that holds `elements`: f16 always has 8.
template <typename E>
constexpr u32 operand_registers(u32 elements) {
  return std::is_same_v<E, Half> ? 8 : elements * static_cast<u32>(sizeof(typename E::T)) / 128;
}
template <typename E, typename S>
using FragmentA = Fragment<typename E::T, S::kM, S::kK, operand_registers<E>(S::kM* S::kK)>;
template <typename E, typename S>
using FragmentB = Fragment<typename E::T, S::kK, S::kN, operand_registers<E>(S::kK* S::kN)>;
template <typename T, typename S>
using FragmentC = Fragment<T, S::kM, S::kN, S::kM * S::kN * sizeof(T) / 128>;

template <typename E, typename S>
OUTBOARD_INLINE void load_operands(Warp& warp, const Op* op, u32 first, typename E::Value (*a)[S::kK],
                                   typename E::Value (*b)[S::kN]) {
  alignas(64) typename E::T raw[S::kM * S::kK > S::kK * S::kN ? S::kM * S::kK : S::kK * S::kN];
  get_fragment<FragmentA<E, S>>(warp, op, first, raw);
  E::template widen<S::kM * S::kK>(a[0], raw);
  get_fragment<FragmentB<E, S>>(warp, op, first + FragmentA<E, S>::kRegisters, raw);
  E::template widen<S::kK * S::kN>(b[0], raw);
}

// Floats: d, a, b, c. D and C are f16 or f32.
template <typename S, typename E, typename D, typename C>
const Op* wmma_float(Warp& warp, const Op* op) {
  using FD = FragmentC<typename D::T, S>;
  using FC = FragmentC<typename C::T, S>;
  constexpr u32 kAB = FragmentA<E, S>::kRegisters + FragmentB<E, S>::kRegisters;
  constexpr u32 kOperands = FD::kRegisters + kAB + FC::kRegisters;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  alignas(64) f32 a[S::kM][S::kK], b[S::kK][S::kN], sum[S::kM][S::kN];
  load_operands<E, S>(warp, op, FD::kRegisters, a, b);
  alignas(64) typename C::T before[S::kM * S::kN];
  get_fragment<FC>(warp, op, FD::kRegisters + kAB, before);
  C::template widen<S::kM * S::kN>(sum[0], before);
  for (u32 m = 0; m < S::kM; ++m) multiply_row<S::kK, S::kN>(sum[m], a[m], b);
  alignas(64) typename D::T after[S::kM * S::kN];
  D::template narrow<S::kM * S::kN>(after, sum[0]);
  put_fragment<FD>(warp, op, 0, after);
  return behind<kOperands>(op);
}

template <typename S, typename E, bool Saturate>
const Op* wmma_integer(Warp& warp, const Op* op) {
  using F = FragmentC<s32, S>;
  constexpr u32 kAB = FragmentA<E, S>::kRegisters + FragmentB<E, S>::kRegisters;
  constexpr u32 kOperands = 2 * F::kRegisters + kAB;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  alignas(64) s32 a[S::kM][S::kK], b[S::kK][S::kN], sum[S::kM][S::kN] = {};
  load_operands<E, S>(warp, op, F::kRegisters, a, b);
  for (u32 m = 0; m < S::kM; ++m) multiply_row<S::kK, S::kN>(sum[m], a[m], b);
  alignas(64) s32 c[S::kM * S::kN];
  get_fragment<F>(warp, op, F::kRegisters + kAB, c);
  for (u32 i = 0; i < S::kM * S::kN; ++i) {
    s64 exact = s64{c[i]} + sum[i / S::kN][i % S::kN];
    if (Saturate) exact = exact > INT32_MAX ? INT32_MAX : exact < INT32_MIN ? INT32_MIN : exact;
    c[i] = static_cast<s32>(static_cast<u32>(static_cast<u64>(exact)));
  }
  put_fragment<F>(warp, op, 0, c);
  return behind<kOperands>(op);
}

// Row texts. A count of registers as signatures write it:
constexpr char kCounts[][3] = {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"};

struct Layouts {
  bool row = true, col = true;
};

// One operand in memory: `operand` is ".a" and its like. RowAcross says that the lines are columns.
template <typename F, bool RowAcross = false>
void add_memory(FormTable& t, const char* operand, const char* shape, const char* type, const char* registers,
                Layouts layouts = {}) {
  const bool is_store = operand[1] == 'd';
  const Pattern signature(is_store ? "[] " : "=", registers, kCounts[F::kRegisters],
                          is_store ? " u32?" : " [] u32?");
  const Pattern head(is_store ? "wmma.store" : "wmma.load", operand, ".sync.aligned");
  auto add = [&](const char* layout, Handler generic, Handler shared) {
    t.add(Pattern(head.text, layout, shape, "[.global]", type).text, signature.text, generic);
    t.add(Pattern(head.text, layout, shape, "{.shared,.shared::cta}", type).text, signature.text, shared);
  };
  if (is_store) {
    add(".row", wmma_store<F, false, false>, wmma_store<F, false, true>);
    add(".col", wmma_store<F, true, false>, wmma_store<F, true, true>);
    return;
  }
  if (layouts.row) add(".row", wmma_load<F, RowAcross, false>, wmma_load<F, RowAcross, true>);
  if (layouts.col) add(".col", wmma_load<F, !RowAcross, false>, wmma_load<F, !RowAcross, true>);
}

template <typename F>
void add_accumulator(FormTable& t, const char* shape, const char* type, const char* registers) {
  add_memory<F>(t, ".c", shape, type, registers);
  add_memory<F>(t, ".d", shape, type, registers);
}

template <typename E, typename S>
void add_operands(FormTable& t, const char* shape, const char* type) {
  add_memory<FragmentA<E, S>>(t, ".a", shape, type, "b32");
  add_memory<FragmentB<E, S>>(t, ".b", shape, type, "b32");
}

// A product's row: `types` are those of its opcode, `d` and `c` those of the registers.
template <typename E, typename S>
void add_product(FormTable& t, const char* shape, const char* types, const char* d, const char* c,
                 Handler handler) {
  const Pattern signature("=", d, " b32", kCounts[FragmentA<E, S>::kRegisters], " b32",
                          kCounts[FragmentB<E, S>::kRegisters], " ", c);
  t.add(Pattern("wmma.mma.sync.aligned{.row,.col}{.row,.col}", shape, types).text, signature.text, handler);
}

template <typename S>
void add_shape(FormTable& t, const char* shape) {
  add_operands<Half, S>(t, shape, ".f16");
  add_operands<BfloatAs16, S>(t, shape, ".bf16");
  add_operands<ByteInteger<s8>, S>(t, shape, ".s8");
  add_operands<ByteInteger<u8>, S>(t, shape, ".u8");
  add_accumulator<FragmentC<u16, S>>(t, shape, ".f16", "b32");
  add_accumulator<FragmentC<f32, S>>(t, shape, ".f32", "f32");
  add_accumulator<FragmentC<s32, S>>(t, shape, ".s32", "s32");
  add_product<Half, S>(t, shape, ".f32.f32", "f32x8", "f32x8", wmma_float<S, Half, Single, Single>);
  add_product<Half, S>(t, shape, ".f32.f16", "f32x8", "b32x4", wmma_float<S, Half, Single, Half>);
  add_product<Half, S>(t, shape, ".f16.f32", "b32x4", "f32x8", wmma_float<S, Half, Half, Single>);
  add_product<Half, S>(t, shape, ".f16.f16", "b32x4", "b32x4", wmma_float<S, Half, Half, Half>);
  add_product<BfloatAs16, S>(t, shape, ".f32.bf16.bf16.f32", "f32x8", "f32x8",
                             wmma_float<S, BfloatAs16, Single, Single>);
  using Signed = ByteInteger<s8>;
  using Unsigned = ByteInteger<u8>;
  add_product<Signed, S>(t, shape, ".s32.s8.s8.s32", "s32x8", "s32x8", wmma_integer<S, Signed, false>);
  add_product<Signed, S>(t, shape, ".s32.s8.s8.s32.satfinite", "s32x8", "s32x8",
                         wmma_integer<S, Signed, true>);
  add_product<Unsigned, S>(t, shape, ".s32.u8.u8.s32", "s32x8", "s32x8", wmma_integer<S, Unsigned, false>);
  add_product<Unsigned, S>(t, shape, ".s32.u8.u8.s32.satfinite", "s32x8", "s32x8",
                           wmma_integer<S, Unsigned, true>);
}

void add_tf32(FormTable& t) {
  using S = Shape<16, 16, 8>;
  add_operands<Tf32As32, S>(t, ".m16n16k8", ".tf32");
  add_accumulator<FragmentC<f32, S>>(t, ".m16n16k8", ".f32", "f32");
  add_product<Tf32As32, S>(t, ".m16n16k8", ".f32.tf32.tf32.f32", "f32x8", "f32x8",
                           wmma_float<S, Tf32As32, Single, Single>);
}

// The shapes with mma's fragments.
void add_doubles(FormTable& t) {
  using Operand = Fragment<f64, 8, 4, 1>;
  add_memory<Operand>(t, ".a", ".m8n8k4", ".f64", "f64");
  add_memory<Operand, true>(t, ".b", ".m8n8k4", ".f64", "f64");
  add_accumulator<Fragment<f64, 8, 8, 2, 1, true>>(t, ".m8n8k4", ".f64", "f64");
  t.add("wmma.mma.sync.aligned{.row,.col}{.row,.col}.m8n8k4[.rn].f64.f64.f64.f64", "=f64x2 f64x1 f64x1 f64x2",
        mma<8, 4, F64, F64, AccumulateF64, AccumulateF64>);
}

template <typename Bits>
void add_small(FormTable& t, const char* shape, const char* type) {
  add_memory<Bits>(t, ".a", shape, type, "b32", {true, false});
  add_memory<Bits, true>(t, ".b", shape, type, "b32", {false, true});
}

void add_small_integers(FormTable& t) {
  using Nibbles = Fragment<u8, 8, 16, 1, 2>;
  using Bits = Fragment<u8, 8, 16, 1, 8>;
  using Sums = Fragment<s32, 8, 8, 2, 1, true>;
  add_small<Nibbles>(t, ".m8n8k32", ".s4");
  add_small<Nibbles>(t, ".m8n8k32", ".u4");
  add_small<Bits>(t, ".m8n8k128", ".b1");
  add_accumulator<Sums>(t, ".m8n8k32", ".s32", "s32");
  add_accumulator<Sums>(t, ".m8n8k128", ".s32", "s32");
  const char* signature = "=s32x2 b32x1 b32x1 s32x2";
  using S4 = Int<4, true>;
  using U4 = Int<4, false>;
  using Wrap = AccumulateS32<false>;
  using Saturate = AccumulateS32<true>;
  const char* head = "wmma.mma.sync.aligned.row.col.m8n8k32.s32";
  t.add(Pattern(head, ".s4.s4.s32").text, signature, mma<8, 32, S4, S4, Wrap, Wrap>);
  t.add(Pattern(head, ".u4.u4.s32").text, signature, mma<8, 32, U4, U4, Wrap, Wrap>);
  t.add(Pattern(head, ".s4.s4.s32.satfinite").text, signature, mma<8, 32, S4, S4, Saturate, Saturate>);
  t.add(Pattern(head, ".u4.u4.s32.satfinite").text, signature, mma<8, 32, U4, U4, Saturate, Saturate>);
  t.add("wmma.mma.xor.popc.sync.aligned.row.col.m8n8k128.s32.b1.b1.s32", signature, mma_bits<8, 128, false>);
  t.add("wmma.mma.and.popc.sync.aligned.row.col.m8n8k128.s32.b1.b1.s32", signature, mma_bits<8, 128, true>);
}

}  // namespace

void add_wmma_forms(FormTable& table) {
  table.begin_group("wmma");
  add_shape<Shape<16, 16, 16>>(table, ".m16n16k16");
  add_shape<Shape<32, 8, 16>>(table, ".m32n8k16");
  add_shape<Shape<8, 32, 16>>(table, ".m8n32k16");
  add_tf32(table);
  add_doubles(table);
  add_small_integers(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
