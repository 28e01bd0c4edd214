// cvt between the types that registers have: integers and floats, with every rounding.
#include "tests/softgpu/forms/float_reference.h"

namespace outboard::softgpu::exec {
namespace {

struct IntegerType {
  const char* name;
  const char* reg;
  unsigned bits;
  bool is_signed;
  __int128 value(uint64_t raw) const {
    return is_signed ? __int128{as_signed(raw, bits)} : __int128{low_bits(raw, bits)};
  }
  __int128 least() const { return is_signed ? -(__int128{1} << (bits - 1)) : 0; }
  __int128 most() const { return (__int128{1} << (is_signed ? bits - 1 : bits)) - 1; }
};
const IntegerType kIntegers[] = {
    {"u8", "b16", 8, false}, {"u16", "b16", 16, false}, {"u32", "b32", 32, false}, {"u64", "b64", 64, false},
    {"s8", "b16", 8, true},  {"s16", "b16", 16, true},  {"s32", "b32", 32, true},  {"s64", "b64", 64, true}};

struct FloatType {
  const char* name;
  const char* reg;
  Format format;
};
const FloatType kF16Type{"f16", "b16", kF16}, kBf16Type{"bf16", "b16", kBf16}, kF32Type{"f32", "b32", kF32},
    kF64Type{"f64", "b64", kF64};
const FloatType kFloats[] = {kF16Type, kBf16Type, kF32Type, kF64Type};

struct Modifiers {
  bool flush = false, saturate = false, relu = false, finite = false;
  std::string text() const {
    return std::string(flush ? ".ftz" : "") + (saturate ? ".sat" : "") + (relu ? ".relu" : "") +
           (finite ? ".satfinite" : "");
  }
};
const Modifiers kPlain, kFlush{true}, kSaturate{false, true}, kFlushSaturate{true, true};

const RoundName kIntegralNames[] = {
    {".rni", Round::kNearest}, {".rzi", Round::kZero}, {".rmi", Round::kDown}, {".rpi", Round::kUp}};

void check(const std::string& opcode, const char* to, const char* from, const Values& edges,
           const Expectation& expected) {
  FormCheck form{opcode, to, {from}, expected};
  form.edges = {&edges};
  form.rounds = static_cast<unsigned>(edges.size() / 32 + 1);
  check_form(form);
}

std::string name(const std::string& modifiers, const char* to, const char* from) {
  return "cvt" + modifiers + "." + to + "." + from;
}

// Eight bits fill a register of sixteen, extended by the type's sign.
uint64_t extended(const IntegerType& type, __int128 value) {
  return static_cast<uint64_t>(type.value(static_cast<uint64_t>(value)));
}

TEST(ConvertForms, IntegersToIntegers) {
  for (const IntegerType& to : kIntegers) {
    for (const IntegerType& from : kIntegers) {
      const Values& edges = integer_edges(from.reg);
      check(name("", to.name, from.name), to.reg, from.reg, edges,
            [=](const Values& in) { return extended(to, from.value(in[0])); });
      check(name(".sat", to.name, from.name), to.reg, from.reg, edges, [=](const Values& in) {
        const __int128 value = from.value(in[0]);
        return extended(to, value < to.least() ? to.least() : value > to.most() ? to.most() : value);
      });
    }
  }
}

// Registers may be wider than the types: sources are cut, results extended.
TEST(ConvertForms, WideRegisters) {
  for (const IntegerType& to : kIntegers) {
    if (to.bits > 16) continue;
    check(name("", to.name, "s32"), "b32", "b32", integer_edges("b32"),
          [=](const Values& in) { return extended(to, kIntegers[6].value(in[0])); });
    check(name(".rzi", to.name, "f64"), "b64", "b64", samples(kF64), [=](const Values& in) {
      const Exact value = decode(kF64, in[0]);
      const uint64_t of_nan = uint64_t{1} << (to.bits - 1);
      return extended(to, value.kind == Exact::Kind::kNan
                              ? of_nan
                              : to_integer(value, Round::kZero, to.bits, to.is_signed));
    });
    check(name("", "u64", to.name), "b64", "b64", integer_edges("b64"),
          [=](const Values& in) { return static_cast<uint64_t>(to.value(in[0])); });
  }
  check(name(".rn", "f16", "f32"), "b32", "b32", samples(kF32),
        [](const Values& in) { return encode(kF16, decode(kF32, in[0]), Round::kNearest); });
}

// Where the ranges of integers end, and halves between integers.
Values around_integers(const Format& format) {
  Values values = samples(format);
  for (uint64_t number : moderate(format)) values.push_back(number);
  for (int shift : {7, 8, 15, 16, 31, 32, 63, 64}) {
    const Exact power = product(from_integer(__int128{1} << shift), from_integer(1));
    const Exact below = sum(power, from_integer(-1), Round::kNearest);
    const Exact half_below = quotient(sum(power, below, Round::kNearest), from_integer(2));
    for (const Exact& edge : {power, below, half_below}) {
      for (const Exact& value : {edge, negated(edge)}) {
        const uint64_t bits = encode(format, value, Round::kZero);
        for (uint64_t neighbour : {bits, bits + 1, bits - 1}) values.push_back(neighbour);
      }
    }
  }
  return values;
}

TEST(ConvertForms, FloatsToIntegers) {
  for (const FloatType& from : kFloats) {
    const Format f = from.format;
    const Values edges = around_integers(f);
    const bool brain = from.name == std::string("bf16"), single = from.name == std::string("f32");
    for (const IntegerType& to : kIntegers) {
      // PTX's rule for NaN.
      const bool zero_for_nan = f.width() != 64 && to.bits != 64;
      const uint64_t of_nan = zero_for_nan ? 0 : uint64_t{1} << (to.bits - 1);
      for (const RoundName& r : kIntegralNames) {
        for (const Modifiers& m : {kPlain, kSaturate, kFlush, kFlushSaturate}) {
          if ((m.flush && !single) || (m.saturate && brain)) continue;
          check(name(r.text + m.text(), to.name, from.name), to.reg, from.reg, edges, [=](const Values& in) {
            const Exact value = decode(f, m.flush ? flushed(f, in[0]) : in[0]);
            if (value.kind == Exact::Kind::kNan) return extended(to, of_nan);
            return extended(to, to_integer(value, r.round, to.bits, to.is_signed));
          });
        }
      }
    }
  }
}

// Values half way between two floats of every precision, and next to it.
Values between_floats() {
  Values values;
  for (int top = 8; top < 64; top += 5) {
    for (int digits : {8, 11, 24, 53}) {
      if (digits > top) continue;
      const uint64_t half = uint64_t{1} << (top - digits), power = uint64_t{1} << top;
      for (uint64_t odd : {uint64_t{0}, 2 * half}) {
        for (uint64_t value : {power + odd + half - 1, power + odd + half, power + odd + half + 1}) {
          values.push_back(value);
          values.push_back(~value + 1);
        }
      }
    }
  }
  for (uint64_t value : integer_edges("b64")) values.push_back(value);
  return values;
}

uint64_t finished(const Format& format, uint64_t bits, const Modifiers& m) {
  if (m.flush && format.width() == 32) bits = flushed(format, bits);
  if (m.relu) bits = rectified(format, bits);
  return m.saturate ? saturated(format, bits) : bits;
}

TEST(ConvertForms, IntegersToFloats) {
  const Values wide = between_floats();
  for (const IntegerType& from : kIntegers) {
    const Values& edges = from.bits == 64 ? wide : from.bits == 32 ? wide : integer_edges(from.reg);
    for (const FloatType& to : kFloats) {
      const bool brain = to.name == std::string("bf16"), single = to.name == std::string("f32");
      for (const RoundName& r : kRoundNames) {
        for (const Modifiers& m : {kPlain, kSaturate, kFlush, kFlushSaturate}) {
          if ((m.flush && !single) || (m.saturate && brain)) continue;
          check(name(r.text + m.text(), to.name, from.name), to.reg, from.reg, edges, [=](const Values& in) {
            return finished(to.format, encode(to.format, from_integer(from.value(in[0])), r.round), m);
          });
        }
      }
    }
  }
}

// Values of `from` half way between two of `to`, and next to it, at many magnitudes.
Values between(const Format& to, const Format& from) {
  Values values = samples(from);
  const size_t count = values.size();
  for (size_t i = 0; i < count; ++i) {
    if (to.mantissa_bits >= from.mantissa_bits) break;
    const uint64_t half = uint64_t{1} << (from.mantissa_bits - to.mantissa_bits - 1);
    const uint64_t tie = (values[i] & ~(2 * half - 1)) | half;
    for (uint64_t value : {tie, tie - 1, tie + 1}) values.push_back(value);
  }
  // Around the largest and the smallest of `to`.
  for (uint64_t bits : {to.largest(), to.implicit(), uint64_t{1}, uint64_t{2}, uint64_t{3}}) {
    for (int eighths = -9; eighths <= 9; ++eighths) {
      Exact value = decode(to, bits), place = decode(to, bits);
      place.mantissa = 1;
      const Exact part = quotient(product(from_integer(eighths), place), from_integer(8));
      value = sum(value, part, Round::kNearest);
      values.push_back(encode(from, value, Round::kNearest));
      values.push_back(encode(from, negated(value), Round::kNearest));
    }
  }
  return values;
}

void check_floats(const std::string& rounding, Round round, const FloatType& to, const FloatType& from,
                  const Modifiers& m) {
  check(name(rounding + m.text(), to.name, from.name), to.reg, from.reg, between(to.format, from.format),
        [=](const Values& in) {
          const bool flushes = m.flush && from.format.width() == 32;
          const Exact value = decode(from.format, flushes ? flushed(from.format, in[0]) : in[0]);
          return finished(to.format,
                          m.finite ? encode_finite(to.format, value, round) : encode(to.format, value, round),
                          m);
        });
}

TEST(ConvertForms, FloatsToNarrowerFloats) {
  for (const RoundName& r : kRoundNames) {
    for (const Modifiers& m : {kPlain, kSaturate}) {
      for (const FloatType& from : {kF32Type, kF64Type}) check_floats(r.text, r.round, kF16Type, from, m);
      check_floats(r.text, r.round, kF32Type, kF64Type, m);
    }
    for (const Modifiers& m : {kFlush, kFlushSaturate}) {
      check_floats(r.text, r.round, kF16Type, kF32Type, m);
      check_floats(r.text, r.round, kF32Type, kF64Type, m);
    }
    check_floats(r.text, r.round, kBf16Type, kF32Type, kPlain);
    check_floats(r.text, r.round, kBf16Type, kF32Type, kFlush);
    check_floats(r.text, r.round, kBf16Type, kF64Type, kPlain);
    check_floats(r.text, r.round, kBf16Type, kF16Type, kPlain);
    check_floats(r.text, r.round, kF16Type, kBf16Type, kPlain);
    if (r.round != Round::kNearest && r.round != Round::kZero) continue;
    for (const FloatType& to : {kF16Type, kBf16Type}) {
      for (const Modifiers& m :
           {Modifiers{.relu = true}, Modifiers{.finite = true}, Modifiers{.relu = true, .finite = true}})
        check_floats(r.text, r.round, to, kF32Type, m);
    }
  }
}

TEST(ConvertForms, FloatsToWiderFloats) {
  for (const char* rounding : {"", ".rn", ".rz", ".rm", ".rp"}) {
    check_floats(rounding, Round::kNearest, kF32Type, kBf16Type, kPlain);
    check_floats(rounding, Round::kNearest, kF32Type, kBf16Type, kFlush);
    check_floats(rounding, Round::kNearest, kF64Type, kBf16Type, kPlain);
  }
  for (const Modifiers& m : {kPlain, kSaturate}) {
    check_floats("", Round::kNearest, kF64Type, kF16Type, m);
    check_floats("", Round::kNearest, kF64Type, kF64Type, m);
    check_floats("", Round::kNearest, kF16Type, kF16Type, m);
  }
  for (const Modifiers& m : {kPlain, kSaturate, kFlush, kFlushSaturate}) {
    check_floats("", Round::kNearest, kF32Type, kF16Type, m);
    check_floats("", Round::kNearest, kF64Type, kF32Type, m);
    check_floats("", Round::kNearest, kF32Type, kF32Type, m);
  }
}

TEST(ConvertForms, FloatsToIntegralFloats) {
  for (const FloatType& type : kFloats) {
    const bool brain = type.name == std::string("bf16"), single = type.name == std::string("f32");
    const Format f = type.format;
    const Values edges = around_integers(f);
    for (const RoundName& r : kIntegralNames) {
      for (const Modifiers& m : {kPlain, kSaturate, kFlush, kFlushSaturate}) {
        if ((m.flush && !single) || (m.saturate && brain)) continue;
        check(name(r.text + m.text(), type.name, type.name), type.reg, type.reg, edges,
              [=](const Values& in) {
                const Exact value = decode(f, m.flush ? flushed(f, in[0]) : in[0]);
                return finished(f, encode(f, integral(value, r.round), Round::kNearest), m);
              });
      }
    }
  }
}

void check_pair(const std::string& opcode, const char* to, const Values& edges, const Expectation& one,
                unsigned bits) {
  FormCheck form{
      opcode, to, {"b32", "b32"}, [=](const Values& in) { return one({in[0]}) << bits | one({in[1]}); }};
  form.edges = {&edges, &edges};
  form.rounds = static_cast<unsigned>(edges.size() / 32 + 1);
  check_form(form);
}

TEST(ConvertForms, PairsOfHalves) {
  for (const RoundName& r : {kRoundNames[0], kRoundNames[1]}) {
    for (const FloatType& to : {kF16Type, kBf16Type}) {
      const Format f = to.format;
      for (const Modifiers& m : {kPlain, Modifiers{.relu = true}, Modifiers{.finite = true},
                                 Modifiers{.relu = true, .finite = true}}) {
        check_pair(
            std::string("cvt") + r.text + m.text() + "." + to.name + "x2.f32", "b32", between(f, kF32),
            [=](const Values& in) {
              const Exact value = decode(kF32, in[0]);
              return finished(f, m.finite ? encode_finite(f, value, r.round) : encode(f, value, r.round), m);
            },
            16);
      }
    }
  }
}

TEST(ConvertForms, TensorFloat32) {
  for (const RoundName& r : {kRoundNames[0], kRoundNames[1], RoundName{".rna", Round::kAway}}) {
    for (bool finite : {false, true}) {
      for (bool relu : {false, true}) {
        if (relu && r.round == Round::kAway) continue;
        const std::string opcode =
            std::string("cvt") + r.text + (finite ? ".satfinite" : "") + (relu ? ".relu" : "") + ".tf32.f32";
        check(opcode, "b32", "b32", between(kTf32, kF32), [=](const Values& in) {
          const Exact value = decode(kF32, in[0]);
          if (value.kind == Exact::Kind::kNan) return kF32.nan();
          const uint64_t bits = finite ? encode_finite(kTf32, value, r.round) : encode(kTf32, value, r.round);
          return (relu ? rectified(kTf32, bits) : bits) << 13;
        });
      }
    }
  }
}

TEST(ConvertForms, EightBitFloats) {
  Values all;
  for (uint64_t i = 0; i < 256; ++i) all.push_back((i * 167 & 0xff) << 8 | i);
  struct Small {
    const char* name;
    Format format;
  };
  for (const Small& type : {Small{"e4m3x2", kE4m3}, Small{"e5m2x2", kE5m2}}) {
    const Format f = type.format;
    for (bool relu : {false, true}) {
      const std::string head = std::string("cvt.rn.satfinite") + (relu ? ".relu." : ".") + type.name;
      auto narrow = [=](const Format& from, uint64_t bits) {
        const uint64_t result = encode_finite(f, decode(from, bits), Round::kNearest);
        return relu ? rectified(f, result) : result;
      };
      check_pair(
          head + ".f32", "b16", between(f, kF32), [=](const Values& in) { return narrow(kF32, in[0]); }, 8);
      check(head + ".f16x2", "b16", "b32", paired(between(f, kF16)),
            [=](const Values& in) { return narrow(kF16, in[0] >> 16) << 8 | narrow(kF16, in[0] & 0xffff); });
      auto widen = [=](uint64_t bits) {
        const uint64_t result = encode(kF16, decode(f, bits), Round::kNearest);
        return relu ? rectified(kF16, result) : result;
      };
      check(std::string("cvt.rn") + (relu ? ".relu" : "") + ".f16x2." + type.name, "b32", "b16", all,
            [=](const Values& in) { return widen(in[0] >> 8) << 16 | widen(in[0] & 0xff); });
    }
  }
}

TEST(ConvertForms, PackedIntegers) {
  for (unsigned bits : {2u, 4u, 8u, 16u}) {
    for (bool is_signed : {false, true}) {
      const IntegerType type{"", "", bits, is_signed};
      auto narrow = [=](uint64_t raw) {
        const __int128 value = as_signed(raw, 32);
        return low_bits(static_cast<uint64_t>(value < type.least()  ? type.least()
                                              : value > type.most() ? type.most()
                                                                    : value),
                        bits);
      };
      FormCheck form{"cvt.pack.sat." + std::string(is_signed ? "s" : "u") + std::to_string(bits) + ".s32" +
                         (bits < 16 ? ".b32" : ""),
                     "b32",
                     {"b32", "b32"},
                     [=](const Values& in) {
                       const uint64_t rest = bits < 16 ? in[2] << (2 * bits) : 0;
                       return rest | narrow(in[0]) << bits | narrow(in[1]);
                     }};
      if (bits < 16) form.inputs.push_back("b32");
      check_form(form);
    }
  }
}

TEST(ConvertForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("convert"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
