// wmma in every shape and type: matrices are laid out in memory here, loaded, multiplied and stored by
// one kernel, and compared with a product in host arithmetic. The fragments in between are nobody's
// business.
#include <gtest/gtest.h>

#include "tests/softgpu/forms/matrix_elements.h"

namespace outboard::softgpu::exec {
namespace {

struct Case {
  std::string shape;
  unsigned m, n, k;
  std::string a, c, d;  // element types; B has A's
  std::string product;  // the opcode up to the layouts
  std::string types;    // of the product, behind the shape
  unsigned a_registers, b_registers, c_registers, d_registers;
  bool a_col = false, b_col = false, c_col = false, d_col = false;
  std::string space = ".global";
  unsigned pad = 16;  // elements between the lines of a matrix; none: the stride is left out
};

unsigned bits_of_type(const std::string& type) {
  if (type == "b1") return 1;
  if (type == "f32" || type == "s32") return 32;
  return element(type).bits;
}

uint64_t encode(const std::string& type, double value) {
  if (type == "b1") return value != 0;
  if (type == "f32") return bits_of(static_cast<float>(value));
  if (type == "s32") return bits_of(static_cast<int32_t>(value));
  return element(type).encode(value);
}

double decode(const std::string& type, uint64_t bits) {
  if (type == "f64") return value_of<double>(bits);
  if (type == "f32") return static_cast<double>(value_of<float>(bits));
  if (type == "s32") return value_of<int32_t>(bits);
  return decode_half(bits);
}

// A matrix in memory, row by row or column by column.
struct Matrix {
  unsigned rows, columns;
  std::string type;
  bool col;
  unsigned pad;

  unsigned bits() const { return bits_of_type(type); }
  unsigned stride() const { return (col ? rows : columns) + pad * (bits() < 8 ? 8 : 1); }
  unsigned bytes() const { return ((col ? columns : rows) * stride() * bits() / 8 + 63) / 64 * 64; }
  unsigned index(unsigned row, unsigned column) const {
    return col ? column * stride() + row : row * stride() + column;
  }
  void put(uint8_t* memory, unsigned row, unsigned column, double value) const {
    const uint64_t encoded = encode(type, value);
    const unsigned at = index(row, column) * bits();
    if (bits() < 8) {
      memory[at / 8] = static_cast<uint8_t>(memory[at / 8] | encoded << at % 8);
    } else {
      std::memcpy(memory + at / 8, &encoded, bits() / 8);
    }
  }
  double get(const uint8_t* memory, unsigned row, unsigned column) const {
    uint64_t encoded = 0;
    std::memcpy(&encoded, memory + index(row, column) * bits() / 8, bits() / 8);
    return decode(type, encoded);
  }
};

std::string registers(const char* name, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i) text += (i ? "," : "") + std::string(name) + std::to_string(i);
  return text + "}";
}

const char* register_type(const std::string& type) {
  return type == "f64" ? ".f64" : type == "f32" ? ".f32" : ".b32";
}

// Copies `bytes` between global memory and the shared array; lanes take turns of four bytes.
std::string copy_loop(const std::string& label, unsigned bytes, bool to_shared) {
  return "mov.u32 %s0, %laneid; shl.b32 %s0, %s0, 2;\n" + label +
         ": cvt.u64.u32 %d0, %s0; add.u64 %d0, %d0, %rd_mem; mov.u32 %s1, tile; add.u32 %s1, %s1, %s0;\n" +
         (to_shared ? "ld.global.b32 %s2, [%d0]; st.shared.b32 [%s1], %s2;\n"
                    : "ld.shared.b32 %s2, [%s1]; st.global.b32 [%d0], %s2;\n") +
         "add.u32 %s0, %s0, 128; setp.lt.u32 more, %s0, " + std::to_string(bytes) + "; @more bra " + label +
         ";\nbar.warp.sync -1;\n";
}

class Multiplication {
 public:
  explicit Multiplication(const Case& test)
      : case_(test),
        a_{test.m, test.k, test.a, test.a_col, test.pad},
        b_{test.k, test.n, test.a, test.b_col, test.pad},
        c_{test.m, test.n, test.c, test.c_col, test.pad},
        d_{test.m, test.n, test.d, test.d_col, test.pad} {
    b_at_ = a_.bytes();
    c_at_ = b_at_ + b_.bytes();
    d_at_ = c_at_ + c_.bytes();
  }

  FormCase form() const {
    FormCase test;
    test.memory.assign(d_at_ + d_.bytes(), 0);
    for (unsigned m = 0; m < case_.m; ++m)
      for (unsigned k = 0; k < case_.k; ++k) a_.put(test.memory.data(), m, k, a_value(m, k));
    for (unsigned k = 0; k < case_.k; ++k)
      for (unsigned n = 0; n < case_.n; ++n) b_.put(test.memory.data() + b_at_, k, n, b_value(k, n));
    for (unsigned m = 0; m < case_.m; ++m)
      for (unsigned n = 0; n < case_.n; ++n) c_.put(test.memory.data() + c_at_, m, n, c_value(m, n));
    const bool shared = case_.space.starts_with(".shared");
    const auto bytes = static_cast<unsigned>(test.memory.size());
    if (shared) test.declarations = ".shared .align 64 .b8 tile[" + std::to_string(bytes) + "];";
    test.code = "{ .reg .pred more; .reg " + std::string(register_type(case_.a)) + " a<8>, b<8>; .reg " +
                register_type(case_.c) + " c<8>; .reg " + register_type(case_.d) + " d<8>;\n" +
                (shared ? copy_loop("IN", bytes, true) : "") + load("a", a_, case_.a_registers, 0) +
                load("b", b_, case_.b_registers, b_at_) + load("c", c_, case_.c_registers, c_at_) +
                case_.product + layout(a_) + layout(b_) + case_.shape + case_.types + " " +
                registers("d", case_.d_registers) + ", " + registers("a", case_.a_registers) + ", " +
                registers("b", case_.b_registers) + ", " + registers("c", case_.c_registers) + ";\n" +
                "wmma.store.d.sync.aligned" + layout(d_) + case_.shape + case_.space + "." + case_.d + " " +
                address(d_at_) + ", " + registers("d", case_.d_registers) + stride(d_) + ";\n" +
                (shared ? copy_loop("OUT", bytes, false) : "") + "}";
    return test;
  }

  void check(const FormResult& result) const {
    for (unsigned m = 0; m < case_.m; ++m) {
      for (unsigned n = 0; n < case_.n; ++n) {
        double want = c_value(m, n);
        for (unsigned k = 0; k < case_.k; ++k) want += product(a_value(m, k), b_value(k, n));
        ASSERT_EQ(d_.get(result.memory.data() + d_at_, m, n), want) << "row " << m << ", column " << n;
      }
    }
  }

 private:
  bool negative() const { return case_.a != "b1" && element(case_.a).negative; }
  double value(unsigned seed) const {
    return case_.a == "b1" ? (seed * 2654435761u >> 30) & 1 : sample(seed, negative());
  }
  double a_value(unsigned m, unsigned k) const { return value(m * 67 + k * 3 + 1); }
  double b_value(unsigned k, unsigned n) const { return value(k * 41 + n * 5 + 2); }
  static double c_value(unsigned m, unsigned n) { return sample(m * 13 + n + 3, true); }
  double product(double a, double b) const {
    if (case_.a != "b1") return a * b;
    return case_.product.find(".xor") != std::string::npos ? a != b : a * b;
  }

  static std::string layout(const Matrix& matrix) { return matrix.col ? ".col" : ".row"; }
  std::string stride(const Matrix& matrix) const {
    return case_.pad == 0 ? "" : ", " + std::to_string(matrix.stride());
  }
  std::string address(unsigned at) const {
    const bool shared = case_.space.starts_with(".shared");
    return "[" + std::string(shared ? "tile" : "%rd_mem") + "+" + std::to_string(at) + "]";
  }
  std::string load(const std::string& operand, const Matrix& matrix, unsigned count, unsigned at) const {
    return "wmma.load." + operand + ".sync.aligned" + layout(matrix) + case_.shape + case_.space + "." +
           matrix.type + " " + registers(operand.c_str(), count) + ", " + address(at) + stride(matrix) +
           ";\n";
  }

  Case case_;
  Matrix a_, b_, c_, d_;
  unsigned b_at_, c_at_, d_at_;
};

void expect_product(const Case& test) {
  const Multiplication multiplication(test);
  const FormCase form = multiplication.form();
  for (Isa isa : available_isas()) {
    SCOPED_TRACE(form.code);
    const FormResult result = run_form(form, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    ASSERT_NO_FATAL_FAILURE(multiplication.check(result));
  }
}

// In every layout of the operands and every state space.
void expect_products(Case test, bool any_layout = true) {
  for (const char* space : {".global", "", ".shared", ".shared::cta"}) {
    test.space = space;
    for (unsigned layouts = 0; layouts < 16; ++layouts) {
      test.a_col = any_layout && layouts & 1;
      test.b_col = !any_layout || layouts & 2;
      test.c_col = layouts & 4;
      test.d_col = layouts & 8;
      test.pad = layouts % 3 == 0 ? 0 : 16;
      ASSERT_NO_FATAL_FAILURE(expect_product(test));
    }
  }
}

const char* const kProduct = "wmma.mma.sync.aligned";

TEST(WmmaForms, FloatsAndBytesInThreeShapes) {
  struct Shape {
    const char* name;
    unsigned m, n, b16[2], bytes[2];  // registers of A and B with elements of 16 and 8 bits
  };
  for (const Shape& s :
       {Shape{".m16n16k16", 16, 16, {4, 4}, {2, 2}}, Shape{".m32n8k16", 32, 8, {8, 2}, {4, 1}},
        Shape{".m8n32k16", 8, 32, {2, 8}, {1, 4}}}) {
    for (const char* d : {"f16", "f32"}) {
      for (const char* c : {"f16", "f32"}) {
        const unsigned c_count = c[1] == '1' ? 4 : 8, d_count = d[1] == '1' ? 4 : 8;
        expect_products({s.name, s.m, s.n, 16, "f16", c, d, kProduct, std::string(".") + d + "." + c, 8, 8,
                         c_count, d_count});
      }
    }
    expect_products({s.name, s.m, s.n, 16, "bf16", "f32", "f32", kProduct, ".f32.bf16.bf16.f32", s.b16[0],
                     s.b16[1], 8, 8});
    for (const std::string a : {"s8", "u8"}) {
      for (const char* limit : {"", ".satfinite"})
        expect_products({s.name, s.m, s.n, 16, a, "s32", "s32", kProduct,
                         ".s32." + a + "." + a + ".s32" + limit, s.bytes[0], s.bytes[1], 8, 8});
    }
  }
}

TEST(WmmaForms, Tf32) {
  expect_products({".m16n16k8", 16, 16, 8, "tf32", "f32", "f32", kProduct, ".f32.tf32.tf32.f32", 4, 4, 8, 8});
}

TEST(WmmaForms, Doubles) {
  for (const char* rounding : {"", ".rn"})
    expect_products({".m8n8k4", 8, 8, 4, "f64", "f64", "f64", kProduct,
                     std::string(rounding) + ".f64.f64.f64.f64", 1, 1, 2, 2});
}

TEST(WmmaForms, FourBitsAndSingleBits) {
  for (const std::string a : {"s4", "u4"}) {
    for (const char* limit : {"", ".satfinite"})
      expect_products({".m8n8k32", 8, 8, 32, a, "s32", "s32", kProduct,
                       ".s32." + a + "." + a + ".s32" + limit, 1, 1, 2, 2},
                      false);
  }
  for (const std::string operation : {"xor", "and"})
    expect_products({".m8n8k128", 8, 8, 128, "b1", "s32", "s32",
                     "wmma.mma." + operation + ".popc.sync.aligned", ".s32.b1.b1.s32", 1, 1, 2, 2},
                    false);
}

// All products 127 * 127, and an accumulator near the end of the range.
TEST(WmmaForms, IntegerSumsWrapOrSaturate) {
  for (bool saturate : {false, true}) {
    FormCase test;
    test.inputs = {{"b32", row_of([](unsigned) { return 0x7f7f'7f7fu; })},
                   {"b32", row_of([](unsigned) { return INT32_MAX - 10; })}};
    test.outputs = std::vector<const char*>(8, "b32");
    test.code = "wmma.mma.sync.aligned.row.col.m16n16k16.s32.s8.s8.s32" +
                std::string(saturate ? ".satfinite" : "") + " " + registers("%o", 8) +
                ", {%i0,%i0}, {%i0,%i0}, {%i1,%i1,%i1,%i1,%i1,%i1,%i1,%i1};";
    const int64_t exact = int64_t{INT32_MAX} - 10 + 16 * 127 * 127;
    const int32_t want = saturate ? INT32_MAX : static_cast<int32_t>(static_cast<uint32_t>(exact));
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      for (unsigned r = 0; r < 8; ++r) EXPECT_EQ(value_of<int32_t>(result.outputs[r][17]), want);
    }
  }
}

// f16 results round to nearest, and overflow to infinity; NaN stays.
TEST(WmmaForms, HalfAccumulatorsRound) {
  FormCase test;
  const uint32_t one = 0x3c00'3c00, large = 0x7bff'7bff, nan = 0x7e00'7e00, tiny = 0x1000'1000;  // 2^-11
  test.inputs = {{"b32", row_of([&](unsigned) { return one; })},
                 {"b32", row_of([&](unsigned) { return large; })},
                 {"b32", row_of([&](unsigned) { return nan; })},
                 {"b32", row_of([&](unsigned) { return tiny; })}};
  test.outputs = std::vector<const char*>(12, "b32");
  auto line = [](unsigned first, const std::string& b, const std::string& c) {
    std::string d = "{", eight = "{", bs = "{";
    for (unsigned i = 0; i < 4; ++i) d += (i ? ",%o" : "%o") + std::to_string(first + i);
    for (unsigned i = 0; i < 8; ++i) eight += i ? ",%i0" : "%i0", bs += (i ? "," : "") + b;
    return "wmma.mma.sync.aligned.row.col.m16n16k16.f16.f16 " + d + "}, " + eight + "}, " + bs + "}, {" + c +
           "," + c + "," + c + "," + c + "};\n";
  };
  // 16 * 65504 overflows; NaN; 1 + 16 * 2^-11 is exact.
  test.code = line(0, "%i1", "%i0") + line(4, "%i2", "%i0") + line(8, "%i3", "%i0");
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    EXPECT_EQ(result.outputs[0][3] & 0xffff, 0x7c00u);
    EXPECT_EQ(result.outputs[4][3] & 0x7c00, 0x7c00u);
    EXPECT_NE(result.outputs[4][3] & 0x03ff, 0u);
    EXPECT_EQ(result.outputs[8][3] & 0xffff, 0x3c08u);
  }
}

TEST(WmmaForms, AddressesAreChecked) {
  struct Bad {
    const char* code;
    int error;
  };
  for (const Bad& bad :
       {Bad{"wmma.load.a.sync.aligned.row.m16n16k16.shared.s8 {%o0,%o1}, [tile+240], 16;", 700},
        Bad{"wmma.load.c.sync.aligned.row.m8n8k32.shared.s32 {%o0,%o1}, [tile+2], 8;", 716},
        Bad{"mov.u64 %d0, 64; wmma.load.a.sync.aligned.row.m16n16k16.global.s8 {%o0,%o1}, [%d0], 16;", 700},
        Bad{"wmma.store.d.sync.aligned.col.m8n8k32.shared.s32 [tile], {%s0,%s1}, 12;", 700}}) {
    FormCase test;
    test.declarations = ".shared .align 16 .b8 tile[256];";
    test.outputs = {"b32", "b32"};
    test.code = bad.code;
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_EQ(result.code, bad.error) << bad.code << ": " << result.message;
  }
}

TEST(WmmaForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("wmma"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
