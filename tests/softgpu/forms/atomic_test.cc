// atom and red. Lanes work on 8 cells, in ascending order of lanes; expected values follow that
// order, so the old values that atom returns are checked too.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

using Operation = std::function<uint64_t(uint64_t memory, uint64_t operand)>;

struct AtomicCase {
  std::string name;  // "add.u32"
  unsigned bytes;
  Operation operation;
  const Values* edges = nullptr;
  bool reduces = true;  // red has it too
};

const char* reg_of(unsigned bytes) { return bytes == 2 ? "b16" : bytes == 4 ? "b32" : "b64"; }
uint64_t cell(const std::vector<uint8_t>& memory, size_t i, unsigned bytes) {
  uint64_t value = 0;
  std::memcpy(&value, &memory[i * bytes], bytes);
  return value;
}

// Shared memory is filled from global and copied back.
void check_atomic(const AtomicCase& c, const std::string& space, bool is_red, const std::string& end = ";") {
  const unsigned cells = 8;
  const char* reg = reg_of(c.bytes);
  const Values& edges = c.edges ? *c.edges : integer_edges(reg);
  FormCase test;
  test.memory.resize(cells * c.bytes);
  for (size_t i = 0; i < cells; ++i)
    std::memcpy(&test.memory[i * c.bytes], &edges[(i * 3 + 2) % edges.size()], c.bytes);
  test.inputs = {{reg, row_of([&](uint32_t lane) { return edges[(lane * 5 + 1) % edges.size()]; })}};
  const bool shared = space.starts_with(".shared");
  const std::string bytes = std::to_string(c.bytes), bits = std::to_string(8 * c.bytes);
  const std::string offset =
      "mov.u32 %s0, %laneid; and.b32 %s0, %s0, 7; mul.wide.u32 %d0, %s0, " + bytes + "; ";
  if (shared) {
    test.declarations = ".shared .align 16 .b8 cells[" + std::to_string(cells * c.bytes) + "];";
    test.code = offset + "add.u64 %d1, %rd_mem, %d0; mov.u64 %d2, cells; add.u64 %d2, %d2, %d0; { .reg .b" +
                bits + " v; ld.global.b" + bits + " v, [%d1]; st.shared.b" + bits + " [%d2], v; }\n";
  } else {
    test.code = offset + "add.u64 %d2, %rd_mem, %d0;\n";
  }
  const std::string opcode = (is_red ? "red" : "atom") + space + "." + c.name;
  if (!is_red) test.outputs = {reg};
  test.code += opcode + (is_red ? "" : " %o0,") + " [%d2], %i0" + end;
  if (shared)
    test.code +=
        "\n{ .reg .b" + bits + " v; ld.shared.b" + bits + " v, [%d2]; st.global.b" + bits + " [%d1], v; }";
  std::vector<uint64_t> want(cells), old(32);
  for (size_t i = 0; i < cells; ++i) want[i] = cell(test.memory, i, c.bytes);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    old[lane] = want[lane % cells];
    want[lane % cells] = low_bits(
        c.operation(want[lane % cells], low_bits(test.inputs[0].row[lane], 8 * c.bytes)), 8 * c.bytes);
  }
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << opcode << ": " << result.message;
    for (size_t i = 0; i < cells; ++i)
      ASSERT_EQ(cell(result.memory, i, c.bytes), want[i]) << opcode << " cell " << i;
    for (uint32_t lane = 0; lane < 32 && !is_red; ++lane)
      ASSERT_EQ(low_bits(result.outputs[0][lane], 8 * c.bytes), old[lane]) << opcode << " lane " << lane;
  }
}

template <typename T>
Operation floating() {
  return [](uint64_t a, uint64_t b) { return bits_of(static_cast<T>(value_of<T>(a) + value_of<T>(b))); };
}
uint64_t add_half(uint64_t a, uint64_t b) {
  return bits_of(static_cast<_Float16>(value_of<_Float16>(a) + value_of<_Float16>(b)));
}
uint64_t add_brain(uint64_t a, uint64_t b) {
  uint64_t sum = bits_of(value_of<float>(a << 16) + value_of<float>(b << 16));
  return (sum + 0x7fff + (sum >> 16 & 1)) >> 16;
}
Operation both_halves(uint64_t (*f)(uint64_t, uint64_t)) {
  return [=](uint64_t a, uint64_t b) {
    return low_bits(f(a >> 16, b >> 16), 16) << 16 | low_bits(f(a & 0xffff, b & 0xffff), 16);
  };
}

// Exactly representable sums, so that no NaN's payload matters.
const Values kFloats = {0x3f80'0000, 0x4040'0000, 0xc0a0'0000, 0x4120'0000, 0x0000'0000, 0x3f00'0000};
const Values kDoubles = {0x3ff0'0000'0000'0000, 0x4008'0000'0000'0000, 0xc014'0000'0000'0000,
                         0x3fe0'0000'0000'0000};
const Values kHalves = {0x3c00, 0x4200, 0xc500, 0x3800, 0x2e66};
const Values kHalfPairs = {0x3c00'4200, 0xc500'3800, 0x2e66'3c00, 0x4900'0000};
const Values kBrains = {0x3f80, 0x4040, 0xc0a0, 0x3f00, 0x3dcd};
const Values kBrainPairs = {0x3f80'4040, 0xc0a0'3f00, 0x3dcd'3f80, 0x4120'0000};

std::vector<AtomicCase> cases() {
  std::vector<AtomicCase> list = {
      {"add.f32", 4, floating<float>(), &kFloats},
      {"add.ftz.f32", 4, floating<float>(), &kFloats},
      {"add.f64", 8, floating<double>(), &kDoubles},
      {"add.noftz.f16", 2, add_half, &kHalves},
      {"add.noftz.f16x2", 4, both_halves(add_half), &kHalfPairs},
      {"add.noftz.bf16", 2, add_brain, &kBrains},
      {"add.noftz.bf16x2", 4, both_halves(add_brain), &kBrainPairs},
      {"inc.u32", 4, [](uint64_t a, uint64_t b) { return a >= b ? 0 : a + 1; }},
      {"dec.u32", 4, [](uint64_t a, uint64_t b) { return a == 0 || a > b ? b : a - 1; }},
  };
  for (unsigned bytes : {4u, 8u}) {
    std::string n = std::to_string(8 * bytes);
    auto s = [=](uint64_t v) { return as_signed(v, 8 * bytes); };
    for (std::string sign : {"u", "s"})
      list.push_back({"add." + sign + n, bytes, [](uint64_t a, uint64_t b) { return a + b; }});
    list.push_back({"and.b" + n, bytes, [](uint64_t a, uint64_t b) { return a & b; }});
    list.push_back({"or.b" + n, bytes, [](uint64_t a, uint64_t b) { return a | b; }});
    list.push_back({"xor.b" + n, bytes, [](uint64_t a, uint64_t b) { return a ^ b; }});
    list.push_back({"min.u" + n, bytes, [](uint64_t a, uint64_t b) { return std::min(a, b); }});
    list.push_back({"max.u" + n, bytes, [](uint64_t a, uint64_t b) { return std::max(a, b); }});
    list.push_back({"min.s" + n, bytes, [=](uint64_t a, uint64_t b) { return s(a) < s(b) ? a : b; }});
    list.push_back({"max.s" + n, bytes, [=](uint64_t a, uint64_t b) { return s(a) > s(b) ? a : b; }});
    for (std::string type : {"b", "u", "s", "f"})
      list.push_back({"exch." + type + n, bytes, [](uint64_t, uint64_t b) { return b; }, nullptr, false});
  }
  return list;
}

TEST(AtomicForms, Operations) {
  for (const AtomicCase& c : cases()) {
    for (std::string space : {"", ".global", ".shared", ".shared::cta", ".shared::cluster"}) {
      check_atomic(c, space, false);
      if (c.reduces) check_atomic(c, space, true);
    }
  }
  check_atomic(cases()[0], ".relaxed.gpu.global", true);
  check_atomic(cases()[0], ".acq_rel.sys.global", false);
}

TEST(AtomicForms, CachePolicies) {
  for (AtomicCase c : cases()) {
    const size_t type = c.name.rfind('.');
    c.name.insert(type, ".L2::cache_hint");
    for (std::string space : {"", ".global", ".relaxed.gpu.global"}) {
      check_atomic(c, space, false, ", 5;");
      if (c.reduces) check_atomic(c, space, true, ", %rd_mem;");
    }
  }
}

TEST(AtomicForms, CompareAndSwap) {
  for (unsigned bytes : {2u, 4u, 8u}) {
    for (std::string type : {"b", "u", "s"}) {
      if (bytes == 2 && type != "b") continue;
      for (std::string space : {"", ".global", ".shared", ".shared::cta", ".shared::cluster"}) {
        const char* reg = reg_of(bytes);
        const std::string bits = std::to_string(8 * bytes), opcode = "atom" + space + ".cas." + type + bits;
        FormCase test;
        test.memory.resize(4 * bytes);
        test.inputs = {{reg, row_of([](uint32_t lane) { return uint64_t{lane / 4}; })},
                       {reg, row_of([](uint32_t lane) { return uint64_t{lane / 4 + 1}; })}};
        test.outputs = {reg};
        const bool shared = space.starts_with(".shared");
        test.declarations = ".shared .align 16 .b8 cells[32];";
        // Lane 4n+i finds n in cell i and stores n+1; odd lanes of the third row expect something else.
        test.code = "mov.u32 %s0, %laneid; and.b32 %s0, %s0, 3; mul.wide.u32 %d0, %s0, " +
                    std::to_string(bytes) + "; " +
                    (shared ? "mov.u64 %d2, cells; add.u64 %d2, %d2, %d0; { .reg .b" + bits + " z; mov.b" +
                                  bits + " z, 0; st.shared.b" + bits + " [%d2], z; }\n"
                            : "add.u64 %d2, %rd_mem, %d0;\n") +
                    opcode + " %o0, [%d2], %i0, %i1;\n";
        if (shared)
          test.code += "{ .reg .b" + bits + " v; ld.shared.b" + bits +
                       " v, [%d2]; add.u64 %d1, %rd_mem, %d0; st.global.b" + bits + " [%d1], v; }";
        for (Isa isa : available_isas()) {
          FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          for (uint32_t lane = 0; lane < 32; ++lane)
            ASSERT_EQ(low_bits(result.outputs[0][lane], 8 * bytes), lane / 4) << opcode;
          for (size_t i = 0; i < 4; ++i) ASSERT_EQ(cell(result.memory, i, bytes), 8u) << opcode;
          FormCase failing = test;
          for (uint64_t& expected : failing.inputs[0].row) expected = 77;
          result = run_form(failing, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          for (size_t i = 0; i < 4; ++i) ASSERT_EQ(cell(result.memory, i, bytes), 0u) << opcode;
        }
      }
    }
  }
}

TEST(AtomicForms, SixteenBytes) {
  for (std::string space : {"", ".global", ".shared", ".shared::cta", ".shared::cluster"}) {
    FormCase test;
    test.memory.assign(32, 0);
    test.outputs = {"b64", "b64"};
    test.declarations = ".shared .align 16 .b8 cells[16];";
    const bool shared = space.starts_with(".shared");
    test.code =
        std::string("{ .reg .b128 e, n, o; mov.u64 %d4, ") + (shared ? "cells" : "%rd_mem") + ";\n" +
        (shared ? "mov.u64 %d0, 0; st.shared.b64 [cells], %d0; st.shared.b64 [cells+8], %d0;\n" : "") +
        "mov.u32 %s0, %laneid; cvt.u64.u32 %d0, %s0; add.u64 %d1, %d0, 1; mov.b128 e, {%d0, %d0}; mov.b128 "
        "n, {%d1, %d1};\n"
        "atom" +
        space +
        ".cas.b128 o, [%d4], e, n;\n"
        "mov.b128 {%o0, %d2}, o; mov.u64 %d0, -1; mov.b128 n, {%d1, %d0};\n"
        "atom" +
        space +
        ".exch.b128 o, [%d4], n;\n"
        "mov.b128 {%o1, %d2}, o; }";
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      for (uint64_t lane = 0; lane < 32; ++lane) {
        ASSERT_EQ(result.outputs[0][lane], lane) << space;  // each lane finds its predecessor's value
        ASSERT_EQ(result.outputs[1][lane], lane == 0 ? 32 : lane) << space;  // and then exchanges
      }
    }
  }
}

TEST(AtomicForms, Vectors) {
  for (unsigned count : {2u, 4u}) {
    for (std::string space : {"", ".global"}) {
      for (std::string order :
           {".add.v" + std::to_string(count) + ".f32", ".v" + std::to_string(count) + ".f32.add"}) {
        for (bool is_red : {false, true}) {
          FormCase test;
          test.memory.assign(16, 0);
          std::string values = "{", outputs = "{";
          for (unsigned i = 0; i < count; ++i) {
            test.inputs.push_back(
                {"b32", row_of([&](uint32_t lane) { return static_cast<float>(lane + 100 * i); })});
            if (!is_red) test.outputs.push_back("b32");
            values += (i ? ", %i" : "%i") + std::to_string(i);
            outputs += (i ? ", %o" : "%o") + std::to_string(i);
          }
          const std::string opcode = (is_red ? "red" : "atom") + space + order;
          test.code = opcode + (is_red ? "" : " " + outputs + "},") + " [%rd_mem], " + values + "};";
          for (Isa isa : available_isas()) {
            const FormResult result = run_form(test, isa);
            ASSERT_EQ(result.code, 0) << opcode << ": " << result.message;
            for (unsigned i = 0; i < count; ++i) {
              float sum = 0;
              for (uint32_t lane = 0; lane < 32; ++lane) {
                if (!is_red) {
                  ASSERT_EQ(value_of<float>(result.outputs[i][lane]), sum) << opcode;
                }
                sum += static_cast<float>(lane + 100 * i);
              }
              ASSERT_EQ(value_of<float>(cell(result.memory, i, 4)), sum) << opcode;
            }
          }
        }
      }
    }
  }
}

TEST(AtomicForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("atomic"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
