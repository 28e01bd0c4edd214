// mma in every shape, and the moves of 8 by 8 matrices. Matrices are built here in the plain, the
// registers are filled as the PTX ISA's figures of fragments say, and the product is computed
// with host arithmetic.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/softgpu/forms/form_runner.h"
#include "tests/softgpu/forms/matrix_elements.h"

namespace outboard::softgpu::exec {
namespace {

struct Shape {
  unsigned m, k;
  std::string a, b, d, c;
  std::string suffix;  // ".satfinite"
};

unsigned accumulator_registers(const std::string& type, unsigned m) { return type == "f16" ? m / 8 : m / 4; }

std::string group(const char* prefix, unsigned first, unsigned count) {
  if (count == 1) return prefix + std::to_string(first);
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? "," : "") + std::string(prefix) + std::to_string(first + i);
  return text + "}";
}

class Product {
 public:
  explicit Product(const Shape& shape) : shape_(shape), a_(element(shape.a)), b_(element(shape.b)) {
    for (unsigned m = 0; m < shape.m; ++m)
      for (unsigned k = 0; k < shape.k; ++k) a_values_[m][k] = sample(m * 67 + k * 3 + 1, a_.negative);
    for (unsigned k = 0; k < shape.k; ++k)
      for (unsigned n = 0; n < 8; ++n) b_values_[k][n] = sample(k * 41 + n * 5 + 2, b_.negative);
    for (unsigned m = 0; m < shape.m; ++m)
      for (unsigned n = 0; n < 8; ++n) c_values_[m][n] = sample(m * 13 + n + 3, true);
  }

  FormCase form() const {
    FormCase test;
    const unsigned v = a_.bits >= 32 ? 1 : 32 / a_.bits, lanes = 32;
    const unsigned a_count = shape_.m * shape_.k / lanes / v, b_count = 8 * shape_.k / lanes / v;
    const char* ab_type = a_.bits == 64 ? "b64" : "b32";
    for (unsigned r = 0; r < a_count; ++r)
      test.inputs.push_back({ab_type, row_of([&](unsigned lane) { return a_register(r, lane, v); })});
    for (unsigned r = 0; r < b_count; ++r)
      test.inputs.push_back({ab_type, row_of([&](unsigned lane) { return b_register(r, lane, v); })});
    const unsigned c_count = accumulator_registers(shape_.c, shape_.m),
                   d_count = accumulator_registers(shape_.d, shape_.m);
    for (unsigned r = 0; r < c_count; ++r)
      test.inputs.push_back(
          {accumulator_type(shape_.c), row_of([&](unsigned lane) { return c_register(r, lane); })});
    for (unsigned r = 0; r < d_count; ++r) test.outputs.push_back(accumulator_type(shape_.d));
    test.code = "mma.sync.aligned.m" + std::to_string(shape_.m) + "n8k" + std::to_string(shape_.k) +
                ".row.col" + shape_.suffix + "." + shape_.d + "." + shape_.a + "." + shape_.b + "." +
                shape_.c + " " + group("%o", 0, d_count) + ", " + group("%i", 0, a_count) + ", " +
                group("%i", a_count, b_count) + ", " + group("%i", a_count + b_count, c_count) + ";";
    return test;
  }

  void check(const FormResult& result) const {
    for (unsigned lane = 0; lane < 32; ++lane) {
      for (unsigned c = 0; c < shape_.m / 4; ++c) {
        const unsigned m = lane / 4 + 8 * (c / 2), n = 2 * (lane % 4) + c % 2;
        double want = c_values_[m][n];
        for (unsigned k = 0; k < shape_.k; ++k) want += a_values_[m][k] * b_values_[k][n];
        ASSERT_EQ(got(result, c, lane), want) << "row " << m << ", column " << n;
      }
    }
  }

 private:
  static const char* accumulator_type(const std::string& type) { return type == "f64" ? "b64" : "b32"; }

  uint64_t a_register(unsigned r, unsigned lane, unsigned v) const {
    uint64_t bits = 0;
    for (unsigned e = 0; e < v; ++e) {
      const unsigned row = lane / 4 + (shape_.m == 16 ? 8 * (r % 2) : 0), half = shape_.m == 16 ? r / 2 : r;
      bits |= a_.encode(a_values_[row][v * (lane % 4) + e + 4 * v * half]) << (a_.bits * e);
    }
    return bits;
  }
  uint64_t b_register(unsigned r, unsigned lane, unsigned v) const {
    uint64_t bits = 0;
    for (unsigned e = 0; e < v; ++e)
      bits |= b_.encode(b_values_[v * (lane % 4) + e + 4 * v * r][lane / 4]) << (b_.bits * e);
    return bits;
  }
  double c_value(unsigned c, unsigned lane) const {
    return c_values_[lane / 4 + 8 * (c / 2)][2 * (lane % 4) + c % 2];
  }
  uint64_t c_register(unsigned r, unsigned lane) const {
    if (shape_.c == "f64") return bits_of(c_value(r, lane));
    if (shape_.c == "f32") return bits_of(static_cast<float>(c_value(r, lane)));
    if (shape_.c == "s32") return bits_of(static_cast<int32_t>(c_value(r, lane)));
    return encode_float(c_value(2 * r, lane), 5, 10) | encode_float(c_value(2 * r + 1, lane), 5, 10) << 16;
  }
  double got(const FormResult& result, unsigned c, unsigned lane) const {
    if (shape_.d == "f64") return value_of<double>(result.outputs[c][lane]);
    if (shape_.d == "f32") return static_cast<double>(value_of<float>(result.outputs[c][lane]));
    if (shape_.d == "s32") return value_of<int32_t>(result.outputs[c][lane]);
    return decode_half(result.outputs[c / 2][lane] >> (16 * (c % 2)));
  }

  Shape shape_;
  Element a_, b_;
  double a_values_[16][64] = {}, b_values_[64][8] = {}, c_values_[16][8] = {};
};

std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (unsigned k : {8u, 16u}) {
    for (const char* d : {"f32", "f16"})
      for (const char* c : {"f32", "f16"}) shapes.push_back({16, k, "f16", "f16", d, c, ""});
    shapes.push_back({16, k, "bf16", "bf16", "f32", "f32", ""});
  }
  for (unsigned k : {4u, 8u}) shapes.push_back({16, k, "tf32", "tf32", "f32", "f32", ""});
  for (const char* a : {"e4m3", "e5m2"})
    for (const char* b : {"e4m3", "e5m2"}) shapes.push_back({16, 32, a, b, "f32", "f32", ""});
  for (const char* suffix : {"", ".rn"}) {
    shapes.push_back({8, 4, "f64", "f64", "f64", "f64", suffix});
    for (unsigned k : {4u, 8u, 16u}) shapes.push_back({16, k, "f64", "f64", "f64", "f64", suffix});
  }
  for (const char* suffix : {"", ".satfinite"}) {
    for (const char* a : {"s8", "u8", "s4", "u4"}) {
      for (const char* b : {"s8", "u8", "s4", "u4"}) {
        if (a[1] != b[1]) continue;
        const unsigned k = a[1] == '8' ? 16 : 32;
        shapes.push_back({8, k, a, b, "s32", "s32", suffix});
        shapes.push_back({16, k, a, b, "s32", "s32", suffix});
        shapes.push_back({16, 2 * k, a, b, "s32", "s32", suffix});
      }
    }
  }
  return shapes;
}

TEST(MatrixForms, MmaOfEveryShapeAndType) {
  for (const Shape& shape : all_shapes()) {
    const Product product(shape);
    const FormCase test = product.form();
    for (Isa isa : available_isas()) {
      SCOPED_TRACE(test.code);
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      ASSERT_NO_FATAL_FAILURE(product.check(result));
    }
  }
}

TEST(MatrixForms, IntegerSumsWrapOrSaturate) {
  for (bool saturate : {false, true}) {
    FormCase test;
    for (int i = 0; i < 2; ++i) test.inputs.push_back({"b32", row_of([](unsigned) { return 0x7f7f7f7fu; })});
    for (int i = 0; i < 2; ++i)
      test.inputs.push_back({"b32", row_of([](unsigned) { return INT32_MAX - 10; })});
    test.outputs = {"b32", "b32"};
    test.code = std::string("mma.sync.aligned.m8n8k16.row.col") + (saturate ? ".satfinite" : "") +
                ".s32.s8.s8.s32 {%o0,%o1}, %i0, %i1, {%i2,%i3};";
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      const int64_t exact = int64_t{INT32_MAX} - 10 + 16 * 127 * 127;
      const int32_t want = saturate ? INT32_MAX : static_cast<int32_t>(static_cast<uint32_t>(exact));
      EXPECT_EQ(value_of<int32_t>(result.outputs[0][5]), want);
    }
  }
}

TEST(MatrixForms, SingleBitProductsCountOnes) {
  struct BitShape {
    unsigned m, k;
  };
  for (BitShape shape : {BitShape{8, 128}, BitShape{16, 128}, BitShape{16, 256}}) {
    for (const char* operation : {"xor", "and"}) {
      const unsigned words = shape.k / 32, a_count = shape.m * words / 32, b_count = 8 * words / 32,
                     d_count = shape.m / 4;
      auto a_word = [](unsigned m, unsigned w) { return (m * 0x9e3779b9u + 7) ^ (w * 0x85ebca6bu); };
      auto b_word = [](unsigned n, unsigned w) { return (n * 0xc2b2ae35u + 3) ^ (w * 0x27d4eb2fu); };
      FormCase test;
      for (unsigned r = 0; r < a_count; ++r)
        test.inputs.push_back({"b32", row_of([&](unsigned lane) {
                                 return shape.m == 16 ? a_word(lane / 4 + 8 * (r % 2), lane % 4 + 4 * (r / 2))
                                                      : a_word(lane / 4, lane % 4 + 4 * r);
                               })});
      for (unsigned r = 0; r < b_count; ++r)
        test.inputs.push_back(
            {"b32", row_of([&](unsigned lane) { return b_word(lane / 4, lane % 4 + 4 * r); })});
      for (unsigned r = 0; r < d_count; ++r)
        test.inputs.push_back({"b32", row_of([&](unsigned lane) { return lane + 100 * r; })});
      for (unsigned r = 0; r < d_count; ++r) test.outputs.push_back("b32");
      test.code = "mma.sync.aligned.m" + std::to_string(shape.m) + "n8k" + std::to_string(shape.k) +
                  ".row.col.s32.b1.b1.s32." + operation + ".popc " + group("%o", 0, d_count) + ", " +
                  group("%i", 0, a_count) + ", " + group("%i", a_count, b_count) + ", " +
                  group("%i", a_count + b_count, d_count) + ";";
      for (Isa isa : available_isas()) {
        SCOPED_TRACE(test.code);
        const FormResult result = run_form(test, isa);
        ASSERT_EQ(result.code, 0) << result.message;
        for (unsigned lane = 0; lane < 32; ++lane) {
          for (unsigned c = 0; c < d_count; ++c) {
            uint32_t want = lane + 100 * c;
            for (unsigned w = 0; w < words; ++w) {
              const uint32_t a = a_word(lane / 4 + 8 * (c / 2), w), b = b_word(2 * (lane % 4) + c % 2, w);
              for (unsigned bit = 0; bit < 32; ++bit)
                want += (operation[0] == 'x' ? a ^ b : a & b) >> bit & 1;
            }
            ASSERT_EQ(result.outputs[c][lane], want) << "lane " << lane << ", register " << c;
          }
        }
      }
    }
  }
}

// mma.m8n8k4 of f16: four quad pairs, each with an 8 by 4 by 8 product of its own. The places of the
// elements are the PTX ISA's figures for .row and .col operands and both accumulator types.
TEST(MatrixForms, QuadPairsMultiplyOnTheirOwn) {
  auto a = [](unsigned q, unsigned row, unsigned k) { return sample(q * 101 + row * 7 + k + 1, true); };
  auto b = [](unsigned q, unsigned k, unsigned column) { return sample(q * 53 + k * 11 + column + 2, true); };
  auto c = [](unsigned q, unsigned row, unsigned column) { return sample(q * 31 + row * 5 + column, true); };
  auto row_of_element = [](bool f32, unsigned lane, unsigned i) {
    return f32 ? (lane & 1) + (i & 2) + (lane < 16 ? 0 : 4) : lane % 4 + (lane < 16 ? 0 : 4);
  };
  auto column_of_element = [](bool f32, unsigned lane, unsigned i) {
    return f32 ? (i & 4) + (lane & 2) + (i & 1) : i;
  };
  for (const char* layouts : {".row.row", ".row.col", ".col.row", ".col.col"}) {
    for (const char* types : {".f32.f16.f16.f32", ".f32.f16.f16.f16", ".f16.f16.f16.f16"}) {
      const bool a_col = layouts[1] == 'c', b_col = layouts[5] == 'c';
      const bool d_f32 = types[2] == '3', c_f32 = std::string(types).ends_with("f32");
      FormCase test;
      auto pair = [&](auto value) {
        for (unsigned r = 0; r < 2; ++r)
          test.inputs.push_back({"b32", row_of([&](unsigned lane) {
                                   return encode_float(value(lane, 2 * r), 5, 10) |
                                          encode_float(value(lane, 2 * r + 1), 5, 10) << 16;
                                 })});
      };
      pair([&](unsigned lane, unsigned i) {
        const unsigned q = lane / 4 % 4, upper = lane < 16 ? 0 : 4;
        return a_col ? a(q, i + upper, lane % 4) : a(q, lane % 4 + upper, i);
      });
      pair([&](unsigned lane, unsigned i) {
        const unsigned q = lane / 4 % 4, upper = lane < 16 ? 0 : 4;
        return b_col ? b(q, i, lane % 4 + upper) : b(q, lane % 4, i + upper);
      });
      auto c_at = [&](unsigned lane, unsigned i) {
        return c(lane / 4 % 4, row_of_element(c_f32, lane, i), column_of_element(c_f32, lane, i));
      };
      for (unsigned r = 0; r < (c_f32 ? 8u : 4u); ++r)
        test.inputs.push_back({"b32", row_of([&](unsigned lane) -> uint64_t {
                                 if (c_f32) return bits_of(static_cast<float>(c_at(lane, r)));
                                 return encode_float(c_at(lane, 2 * r), 5, 10) |
                                        encode_float(c_at(lane, 2 * r + 1), 5, 10) << 16;
                               })});
      for (unsigned r = 0; r < (d_f32 ? 8u : 4u); ++r) test.outputs.push_back("b32");
      test.code = std::string("mma.sync.aligned.m8n8k4") + layouts + types + " " +
                  group("%o", 0, d_f32 ? 8 : 4) + ", " + group("%i", 0, 2) + ", " + group("%i", 2, 2) + ", " +
                  group("%i", 4, c_f32 ? 8 : 4) + ";";
      for (Isa isa : available_isas()) {
        SCOPED_TRACE(test.code);
        const FormResult result = run_form(test, isa);
        ASSERT_EQ(result.code, 0) << result.message;
        for (unsigned lane = 0; lane < 32; ++lane) {
          for (unsigned i = 0; i < 8; ++i) {
            const unsigned q = lane / 4 % 4, row = row_of_element(d_f32, lane, i),
                           column = column_of_element(d_f32, lane, i);
            double want = c(q, row, column);
            for (unsigned k = 0; k < 4; ++k) want += a(q, row, k) * b(q, k, column);
            const double got = d_f32 ? static_cast<double>(value_of<float>(result.outputs[i][lane]))
                                     : decode_half(result.outputs[i / 2][lane] >> (16 * (i % 2)));
            ASSERT_EQ(got, want) << "lane " << lane << ", element " << i;
          }
        }
      }
    }
  }
}

// Element (row, column) of the 8 by 8 matrix number `matrix`.
uint16_t matrix_element(unsigned matrix, unsigned row, unsigned column) {
  return static_cast<uint16_t>(matrix * 1000 + row * 10 + column);
}

uint32_t fragment(unsigned matrix, unsigned lane, bool transposed) {
  uint32_t bits = 0;
  for (unsigned e = 0; e < 2; ++e) {
    const unsigned row = lane / 4, column = 2 * (lane % 4) + e;
    bits |= uint32_t{transposed ? matrix_element(matrix, column, row) : matrix_element(matrix, row, column)}
            << (16 * e);
  }
  return bits;
}

TEST(MatrixForms, MovmatrixTransposes) {
  FormCase test{"movmatrix.sync.aligned.m8n8.trans.b16 %o0, %i0;",
                {{"b32", row_of([](unsigned lane) { return fragment(1, lane, false); })}},
                {"b32"}};
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (unsigned lane = 0; lane < 32; ++lane) EXPECT_EQ(result.outputs[0][lane], fragment(1, lane, true));
  }
}

// Fills shared memory from global memory, so that ldmatrix has something to load.
std::string fill_shared(unsigned bytes) {
  std::string code;
  for (unsigned at = 0; at < bytes; at += 4 * 32)
    code += "mov.u32 %s0, %tid.x; mad.lo.u32 %s1, %s0, 4, " + std::to_string(at) +
            "; cvt.u64.u32 %d0, %s1; add.u64 %d1, %rd_mem, %d0; "
            "ld.global.b32 %s2, [%d1]; mov.u32 %s3, tile; add.u32 %s3, %s3, %s1; st.shared.b32 [%s3], %s2;\n";
  return code + "bar.sync 0;\n";
}

// Rows lie apart by 32 bytes, and in reverse, so that the lanes' addresses matter.
constexpr unsigned kRowStride = 32;
unsigned row_offset(unsigned matrix, unsigned row) { return (31 - (8 * matrix + row)) * kRowStride; }

std::vector<uint8_t> tile_bytes() {
  std::vector<uint8_t> bytes(32 * kRowStride);
  for (unsigned matrix = 0; matrix < 4; ++matrix)
    for (unsigned row = 0; row < 8; ++row)
      for (unsigned column = 0; column < 8; ++column) {
        const uint16_t value = matrix_element(matrix, row, column);
        std::memcpy(&bytes[row_offset(matrix, row) + 2 * column], &value, 2);
      }
  return bytes;
}

TEST(MatrixForms, LdmatrixFromSharedAndGenericAddresses) {
  for (unsigned count : {1u, 2u, 4u}) {
    for (bool transposed : {false, true}) {
      for (const char* space : {".shared", ".shared::cta", ""}) {
        FormCase test;
        test.declarations = ".shared .align 16 .b8 tile[1024];";
        test.memory = tile_bytes();
        test.inputs.push_back({"b32", row_of([](unsigned lane) { return row_offset(lane / 8, lane % 8); })});
        const std::string opcode = "ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                                   (transposed ? ".trans" : "") + space + ".b16 ";
        const std::string address = *space ? "mov.u32 %s4, tile; add.u32 %s4, %s4, %i0;\n"
                                           : "mov.u32 %s4, tile; add.u32 %s4, %s4, %i0; cvt.u64.u32 %d2, "
                                             "%s4; cvta.shared.u64 %d2, %d2;\n";
        std::string registers = "{%o0";
        for (unsigned i = 0; i < count; ++i) test.outputs.push_back("b32");
        for (unsigned i = 1; i < count; ++i) registers += ",%o" + std::to_string(i);
        test.code =
            fill_shared(1024) + address + opcode + registers + "}, [" + (*space ? "%s4" : "%d2") + "];";
        for (Isa isa : available_isas()) {
          SCOPED_TRACE(opcode);
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          for (unsigned i = 0; i < count; ++i)
            for (unsigned lane = 0; lane < 32; ++lane)
              ASSERT_EQ(result.outputs[i][lane], fragment(i, lane, transposed))
                  << "matrix " << i << ", lane " << lane;
        }
      }
    }
  }
}

TEST(MatrixForms, StmatrixStoresWhatLdmatrixWouldLoad) {
  for (unsigned count : {1u, 2u, 4u}) {
    for (bool transposed : {false, true}) {
      for (const char* space : {".shared", ".shared::cta"}) {
        FormCase test;
        test.declarations = ".shared .align 16 .b8 tile[1024];";
        test.memory = std::vector<uint8_t>(1024, 0xee);
        test.inputs.push_back({"b32", row_of([](unsigned lane) { return row_offset(lane / 8, lane % 8); })});
        for (unsigned i = 0; i < count; ++i)
          test.inputs.push_back(
              {"b32", row_of([&](unsigned lane) { return fragment(i, lane, transposed); })});
        const std::string opcode = "stmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                                   (transposed ? ".trans" : "") + space + ".b16";
        std::string registers = "{%i1";
        for (unsigned i = 1; i < count; ++i) registers += ",%i" + std::to_string(i + 1);
        test.code = fill_shared(1024) + "mov.u32 %s4, tile; add.u32 %s4, %s4, %i0;\n" + opcode + " [%s4], " +
                    registers + "};\nbar.sync 0;\n";
        for (unsigned at = 0; at < 1024; at += 128)
          test.code += "mov.u32 %s0, %tid.x; mad.lo.u32 %s1, %s0, 4, " + std::to_string(at) +
                       "; mov.u32 %s3, tile; add.u32 %s3, %s3, %s1; "
                       "ld.shared.b32 %s2, [%s3]; cvt.u64.u32 %d0, %s1; add.u64 %d1, %rd_mem, %d0; "
                       "st.global.b32 [%d1], %s2;\n";
        for (Isa isa : available_isas()) {
          SCOPED_TRACE(opcode);
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          std::vector<uint8_t> want(1024, 0xee);
          for (unsigned i = 0; i < count; ++i)
            for (unsigned row = 0; row < 8; ++row)
              std::memcpy(&want[row_offset(i, row)], &tile_bytes()[row_offset(i, row)], 16);
          ASSERT_EQ(result.memory, want);
        }
      }
    }
  }
}

TEST(MatrixForms, LdmatrixRefusesBadRows) {
  for (uint32_t address : {8u, 1024u}) {  // misaligned; behind the end
    FormCase test;
    test.declarations = ".shared .align 16 .b8 tile[1024];";
    test.outputs = {"b32"};
    test.code = "mov.u32 %s4, tile; add.u32 %s4, %s4, " + std::to_string(address) +
                "; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%o0}, [%s4];";
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_EQ(result.code, address == 8 ? 716 : 700) << result.message;
    EXPECT_NE(result.message.find("PTX line"), std::string::npos);
  }
}

TEST(MatrixForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("matrix"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
