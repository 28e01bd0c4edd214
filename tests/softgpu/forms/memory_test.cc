// Loads and stores of every type, vector and state space; contiguous, scattered, uniform and partly
// masked; and what happens at the borders.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

struct Type {
  std::string name;
  unsigned bytes;
  const char* reg;
  bool is_signed = false;
};
const std::vector<Type> kTypes = {
    {"u8", 1, "b16"},  {"b8", 1, "b16"},  {"s8", 1, "b16", true}, {"u16", 2, "b16"}, {"s16", 2, "b16", true},
    {"b16", 2, "b16"}, {"f16", 2, "b16"}, {"bf16", 2, "b16"},     {"u32", 4, "b32"}, {"s32", 4, "b32", true},
    {"b32", 4, "b32"}, {"f32", 4, "b32"}, {"f16x2", 4, "b32"},    {"u64", 8, "b64"}, {"s64", 8, "b64", true},
    {"b64", 8, "b64"}, {"f64", 8, "b64"}};

std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> memory(bytes);
  for (size_t i = 0; i < bytes; ++i) memory[i] = static_cast<uint8_t>(i * 37 + (i >> 8) * 11 + 0x81);
  return memory;
}

uint64_t value_at(const std::vector<uint8_t>& memory, size_t at, const Type& type) {
  uint64_t value = 0;
  std::memcpy(&value, &memory[at], type.bytes);
  if (type.bytes == 1 && type.is_signed) value = low_bits(static_cast<uint64_t>(as_signed(value, 8)), 16);
  return value;
}

enum class Shape { kContiguous, kScattered, kUniform, kPartial };

size_t element_of(Shape shape, uint32_t lane) {
  switch (shape) {
    case Shape::kScattered: return (lane * 13 + 5) % 32;
    case Shape::kUniform: return 7;
    default: return lane;
  }
}

std::string vector_text(unsigned count, const std::string& prefix) {
  if (count == 1) return prefix + "0";
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i) text += (i ? ", " : "") + prefix + std::to_string(i);
  return text + "}";
}

// Byte offset of the lane's element into %s0; its address into `register`.
std::string address_code(Shape shape, unsigned stride) {
  std::string code = "mov.u32 %s0, %laneid; ";
  if (shape == Shape::kScattered) code += "mad.lo.u32 %s0, %s0, 13, 5; and.b32 %s0, %s0, 31; ";
  if (shape == Shape::kUniform) code += "mov.u32 %s0, 7; ";
  return code + "mul.lo.u32 %s0, %s0, " + std::to_string(stride) + "; ";
}

// Copies `bytes` of global memory to shared or local memory of the same layout, lane by lane.
std::string fill(const std::string& space, unsigned bytes, bool whole_per_lane) {
  std::string name = space == "local" ? "loc" : "shr";
  std::string code =
      "mov.u32 %s1, " + std::string(whole_per_lane ? "0" : "%laneid") + "; " +
      (whole_per_lane ? "" : "shl.b32 %s1, %s1, 2; ") + "LOOP_" + name +
      ": cvt.u64.u32 %d3, %s1; add.u64 %d4, %rd_mem, %d3; ld.global.b32 %s2, [%d4]; mov.u64 %d5, " + name +
      "; add.u64 %d5, %d5, %d3; st." + space + ".b32 [%d5], %s2; add.u32 %s1, %s1, " +
      (whole_per_lane ? "4" : "128") + "; { .reg .pred more; setp.lt.u32 more, %s1, " +
      std::to_string(bytes) + "; @more bra LOOP_" + name + "; } ";
  return code + "bar.warp.sync 0xffffffff; ";
}

void check_load(const std::string& opcode, const std::string& space, const Type& type, unsigned count,
                Shape shape, const std::string& end = ";") {
  const unsigned stride = type.bytes * count;
  const unsigned size = std::max(32 * stride, 128u);  // fill() copies 128 bytes at a time
  FormCase test;
  test.memory = pattern(size);
  test.outputs.assign(count, type.reg);
  for (unsigned i = 0; i < count; ++i)
    test.code += std::string("mov.") + type.reg + " %o" + std::to_string(i) + ", 0; ";
  std::string guard = shape == Shape::kPartial ? "@odd " : "";
  if (shape == Shape::kPartial)
    test.code += ".reg .pred odd; mov.u32 %s1, %laneid; and.b32 %s1, %s1, 1; setp.ne.u32 odd, %s1, 0; ";
  std::string base = "%rd_mem";
  std::string name = space.starts_with(".shared") ? "shr" : "loc";
  if (space.starts_with(".shared") || space == ".local") {
    std::string plain = space == ".local" ? "local" : "shared";
    test.declarations = "." + plain + " .align 16 .b8 " + name + "[" + std::to_string(size) + "];";
    test.code += fill(plain, size, plain == "local") + "mov.u64 %d6, " + name + "; ";
    base = "%d6";
  }
  test.code += address_code(shape, stride) + "cvt.u64.u32 %d0, %s0; add.u64 %d1, " + base + ", %d0;\n" +
               guard + opcode + " " + vector_text(count, "%o") + ", [%d1]" + end;
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << opcode << ": " << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < count; ++i) {
        uint64_t want = shape == Shape::kPartial && lane % 2 == 0
                            ? 0
                            : value_at(test.memory, element_of(shape, lane) * stride + i * type.bytes, type);
        ASSERT_EQ(low_bits(result.outputs[i][lane], 8 * std::max(type.bytes, 2u)), want)
            << opcode << " lane " << lane << " element " << i << " shape " << static_cast<int>(shape);
      }
    }
  }
}

void check_store(const std::string& opcode, const std::string& space, const Type& type, unsigned count,
                 Shape shape, const std::string& end = ";") {
  const unsigned stride = type.bytes * count;
  const unsigned size = std::max(32 * stride, 128u);  // fill() copies 128 bytes at a time
  FormCase test;
  test.memory.assign(size, 0xee);
  std::vector<uint8_t> source = pattern(32 * stride);
  for (unsigned i = 0; i < count; ++i) {
    test.inputs.push_back({type.reg, row_of([&](uint32_t lane) {
                             return value_at(source, lane * stride + i * type.bytes, type);
                           })});
  }
  std::string guard = shape == Shape::kPartial ? "@odd " : "";
  if (shape == Shape::kPartial)
    test.code += ".reg .pred odd; mov.u32 %s1, %laneid; and.b32 %s1, %s1, 1; setp.ne.u32 odd, %s1, 0; ";
  std::string base = "%rd_mem", after;
  if (space.starts_with(".shared") || space == ".local") {
    std::string plain = space == ".local" ? "local" : "shared", name = space == ".local" ? "loc" : "shr";
    test.declarations = "." + plain + " .align 16 .b8 " + name + "[" + std::to_string(size) + "];";
    test.code += fill(plain, size, plain == "local") + "mov.u64 %d6, " + name + "; ";
    base = "%d6";
    // Every lane copies its own element back (of local memory its own copy).
    for (unsigned at = 0; at < stride; ++at) {
      after += " bar.warp.sync 0xffffffff; ld." + plain + ".u8 %s4, [%d1+" + std::to_string(at) +
               "]; add.u64 %d7, %rd_mem, %d0; st.global.u8 [%d7+" + std::to_string(at) + "], %s4;";
    }
  }
  test.code += address_code(shape, stride) + "cvt.u64.u32 %d0, %s0; add.u64 %d1, " + base + ", %d0;\n" +
               guard + opcode + " [%d1], " + vector_text(count, "%i") + end + after;
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << opcode << ": " << result.message;
    std::vector<uint8_t> want(size, 0xee);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      if (shape == Shape::kPartial && lane % 2 == 0) continue;
      std::memcpy(&want[element_of(shape, lane) * stride], &source[lane * stride], stride);
    }
    ASSERT_EQ(result.memory, want) << opcode << " shape " << static_cast<int>(shape);
  }
}

TEST(MemoryForms, Loads) {
  for (const Type& type : kTypes) {
    for (unsigned count : {1u, 2u, 4u, 8u}) {
      std::string vector = count == 1 ? "" : ".v" + std::to_string(count);
      for (std::string space : {"", ".global", ".const", ".shared", ".local"}) {
        for (std::string kind :
             {"ld", "ld.weak", "ld.volatile", "ld.relaxed.gpu", "ld.acquire.sys", "ld.mmio.relaxed.sys"}) {
          std::string opcode = kind + space + vector + "." + type.name;
          check_load(opcode, space, type, count, Shape::kScattered);
          if (kind != "ld") continue;
          for (Shape shape : {Shape::kContiguous, Shape::kUniform, Shape::kPartial})
            check_load(opcode, space, type, count, shape);
        }
      }
      for (std::string space : {".shared::cta", ".shared::cluster"}) {
        for (std::string kind :
             {"ld", "ld.weak", "ld.volatile", "ld.relaxed.cta", "ld.acquire.cta", "ld.mmio.relaxed.sys"}) {
          check_load(kind + space + vector + "." + type.name, space, type, count, Shape::kContiguous);
        }
      }
    }
  }
  check_load("ld.global.nc.L1::no_allocate.L2::128B.f32", ".global", kTypes[11], 1, Shape::kContiguous);
}

TEST(MemoryForms, Stores) {
  for (const Type& type : kTypes) {
    for (unsigned count : {1u, 2u, 4u, 8u}) {
      std::string vector = count == 1 ? "" : ".v" + std::to_string(count);
      for (std::string space : {"", ".global", ".shared", ".local"}) {
        for (std::string kind :
             {"st", "st.weak", "st.volatile", "st.relaxed.gpu", "st.release.sys", "st.mmio.relaxed.sys"}) {
          std::string opcode = kind + space + vector + "." + type.name;
          check_store(opcode, space, type, count, Shape::kScattered);
          if (kind != "st") continue;
          for (Shape shape : {Shape::kContiguous, Shape::kPartial})
            check_store(opcode, space, type, count, shape);
        }
      }
      for (std::string space : {".shared::cta", ".shared::cluster"}) {
        for (std::string kind :
             {"st", "st.weak", "st.volatile", "st.relaxed.cta", "st.release.cta", "st.mmio.relaxed.sys"}) {
          check_store(kind + space + vector + "." + type.name, space, type, count, Shape::kContiguous);
        }
      }
    }
  }
}

// 16 bytes in one register.
TEST(MemoryForms, Quads) {
  for (std::string kind : {"", ".weak", ".volatile", ".relaxed.gpu", ".mmio.relaxed.sys"}) {
    for (std::string space : {"", ".global"}) {
      for (std::string order : {kind, kind == ".relaxed.gpu" ? std::string(".acquire.gpu") : kind}) {
        FormCase test;
        test.memory = pattern(32 * 16);
        std::string store_order = order.starts_with(".acquire") ? ".release.gpu" : order;
        test.code =
            "{ .reg .b128 q; mov.u32 %s0, %laneid; mul.wide.u32 %d0, %s0, 16; add.u64 %d1, %rd_mem, %d0; ld" +
            order + space +
            ".b128 q, [%d1]; mov.b128 {%d2, %d3}, q; xor.b64 %d2, %d2, -1; mov.b128 q, {%d3, %d2}; st" +
            store_order + space + ".b128 [%d1], q; }";
        // The runner notes the first word of a statement only.
        for (Isa isa : available_isas()) {
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          for (size_t at = 0; at < 512; at += 16) {
            for (size_t i = 0; i < 8; ++i) {
              ASSERT_EQ(result.memory[at + i], test.memory[at + 8 + i]);
              ASSERT_EQ(result.memory[at + 8 + i], static_cast<uint8_t>(~test.memory[at + i]));
            }
          }
        }
      }
    }
  }
}

TEST(MemoryForms, RegistersWiderThanTheType) {
  FormCase test;
  test.memory = pattern(256);
  test.outputs = {"b32", "b32", "b64", "b64", "b32", "b64"};
  test.code =
      "mov.u32 %s0, %laneid; mul.wide.u32 %d0, %s0, 4; add.u64 %d1, %rd_mem, %d0; ld.global.u8 %o0, [%d1]; "
      "ld.global.s8 %o1, [%d1]; ld.global.s16 %o2, [%d1]; "
      "ld.global.u32 %o3, [%d1]; ld.global.u16 %o4, [%d1]; ld.global.s32 %o5, [%d1]; st.global.u8 "
      "[%rd_mem+200], %o3; st.global.b16 [%rd_mem+202], %o5;";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      uint32_t word;
      std::memcpy(&word, &test.memory[lane * 4], 4);
      EXPECT_EQ(result.outputs[0][lane], word & 0xff);
      EXPECT_EQ(result.outputs[1][lane], low_bits(static_cast<uint64_t>(as_signed(word, 8)), 32));
      EXPECT_EQ(result.outputs[2][lane], static_cast<uint64_t>(as_signed(word, 16)));
      EXPECT_EQ(result.outputs[3][lane], word);
      EXPECT_EQ(result.outputs[4][lane], word & 0xffff);
      EXPECT_EQ(result.outputs[5][lane], static_cast<uint64_t>(as_signed(word, 32)));
    }
    EXPECT_EQ(result.memory[200], test.memory[124]);
    EXPECT_EQ(result.memory[202], test.memory[124]);
  }
}

TEST(MemoryForms, Ldu) {
  for (std::string space : {"", ".global"}) {
    for (const Type& type : kTypes) {
      if (type.name == "s8" || type.name == "bf16" || type.name == "f16x2") continue;
      check_load("ldu" + space + "." + type.name, space, type, 1, Shape::kUniform);
      if (type.bytes != 4) continue;
      check_load("ldu" + space + ".v2." + type.name, space, type, 2, Shape::kUniform);
      check_load("ldu" + space + ".v4." + type.name, space, type, 4, Shape::kUniform);
    }
  }
}

TEST(MemoryForms, Parameters) {
  // The runner's kernel has three 8-byte parameters; the first three words of each type are theirs.
  for (const Type& type : kTypes) {
    for (unsigned count : {1u, 2u, 4u, 8u}) {
      if (type.bytes * count > 16) continue;
      std::string vector = count == 1 ? "" : ".v" + std::to_string(count);
      for (std::string kind :
           {"ld", "ld.weak", "ld.volatile", "ld.relaxed.gpu", "ld.acquire.gpu", "ld.mmio.relaxed.sys"}) {
        FormCase test;
        test.memory = pattern(64);
        test.outputs.assign(count, type.reg);
        test.outputs.push_back("b64");
        test.outputs.push_back("b64");
        test.code = kind + ".param" + vector + "." + type.name + " " + vector_text(count, "%o") +
                    ", [in]; ld.param.u64 %o" + std::to_string(count) + ", [in]; ld.param.u64 %o" +
                    std::to_string(count + 1) + ", [out];";
        const FormResult result = run_form(test, Isa::kBest);
        ASSERT_EQ(result.code, 0) << result.message;
        std::vector<uint8_t> buffer(16);
        std::memcpy(&buffer[0], &result.outputs[count][0], 8);
        std::memcpy(&buffer[8], &result.outputs[count + 1][0], 8);
        for (unsigned i = 0; i < count; ++i) {
          ASSERT_EQ(low_bits(result.outputs[i][31], 8 * std::max(type.bytes, 2u)),
                    value_at(buffer, i * type.bytes, type))
              << kind << vector << type.name;
        }
      }
    }
  }
}

TEST(MemoryForms, HintsDoNothing) {
  FormCase test;
  test.memory = pattern(64);
  test.code =
      "prefetch.global.L1 [%rd_mem]; prefetch.global.L2 [%rd_mem]; prefetch.local.L1 [0]; prefetch.local.L2 "
      "[0]; prefetch.L1 [%rd_mem]; prefetch.L2 [%rd_mem]; "
      "prefetch.global.L2::evict_last [%rd_mem]; "
      "prefetch.global.L2::evict_normal [%rd_mem]; prefetch.L2::evict_last [%rd_mem]; "
      "prefetch.L2::evict_normal [%rd_mem]; prefetchu.L1 [%rd_mem]; prefetch.tensormap [%rd_mem]; "
      "prefetch.const.tensormap [%rd_mem]; prefetch.param.tensormap [in]; "
      "applypriority.global.L2::evict_normal [%rd_mem], 128; applypriority.L2::evict_normal [%rd_mem], 128; "
      "discard.global.L2 [%rd_mem], 128; discard.L2 [%rd_mem], 128;";
  const FormResult result = run_form(test, Isa::kBest);
  ASSERT_EQ(result.code, 0) << result.message;
  EXPECT_EQ(result.memory, test.memory);
}

// A cache policy behind the other operands, in a register or a number; with and without other hints.
TEST(MemoryForms, CachePolicies) {
  const std::string make = "{ .reg .b64 policy; createpolicy.fractional.L2::evict_last.b64 policy, 0.5; ";
  for (const Type& type : {kTypes[0], kTypes[6], kTypes[11], kTypes[13]}) {
    for (unsigned count : {1u, 2u, 4u}) {
      const std::string tail = (count == 1 ? "" : ".v" + std::to_string(count)) + "." + type.name;
      for (std::string hint : {"", ".L1::evict_first", ".L1::no_allocate"}) {
        for (std::string space : {"", ".global", ".global.nc"}) {
          const std::string opcode = "ld" + space + hint + ".L2::cache_hint";
          check_load(make + opcode + tail, ".global", type, count, Shape::kContiguous, ", policy; }");
          check_load(opcode + ".L2::128B" + tail, ".global", type, count, Shape::kPartial, ", 7;");
        }
        for (std::string space : {"", ".global"}) {
          const std::string opcode = "st" + space + hint + ".L2::cache_hint" + tail;
          check_store(make + opcode, ".global", type, count, Shape::kContiguous, ", policy; }");
          check_store(opcode, ".global", type, count, Shape::kPartial, ", 7;");
        }
      }
    }
  }
  const Type& word = kTypes[8];
  check_load("ld.global.u32", ".global", word, 1, Shape::kUniform, ".unified;");
  check_load("ld.global.L2::cache_hint.u32", ".global", word, 1, Shape::kUniform, ".unified, 7;");
  for (std::string kind : {"ld.global.cg", "ld.weak.global", "ld.relaxed.gpu.global", "ld.acquire.sys"})
    check_load(kind + ".L2::cache_hint.u32", ".global", word, 1, Shape::kScattered, ", 7;");
  for (std::string kind : {"st.global.wt", "st.weak.global", "st.relaxed.gpu.global", "st.release.sys"})
    check_store(kind + ".L2::cache_hint.u32", ".global", word, 1, Shape::kScattered, ", 7;");
}

TEST(MemoryForms, WhatIsNoCachePolicyIsRefused) {
  for (std::string code :
       {"ld.global.L2::cache_hint.u32 %s0, [%rd_mem];", "ld.global.L2::cache_hint.u32 %s0, [%rd_mem], %s1;",
        "ld.global.L2::cache_hint.u32 %s0, [%rd_mem], 0.5;", "ld.global.u32 %s0, [%rd_mem], %d0;",
        "st.global.L2::cache_hint.u32 [%rd_mem], %s0;", "st.global.u32 [%rd_mem], %s0, %d0;",
        "atom.global.add.L2::cache_hint.u32 %s0, [%rd_mem], %s1;",
        "atom.global.add.u32 %s0, [%rd_mem], %s1, %d0;", "red.global.add.L2::cache_hint.u32 [%rd_mem], %s1;",
        "cp.async.ca.shared.global.L2::cache_hint [0], [%rd_mem], 16, %s0;"}) {
    FormCase test;
    test.memory = pattern(64);
    test.code = code;
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_NE(result.code, 0) << code;
    EXPECT_NE(result.message.find("error"), std::string::npos) << code << ": " << result.message;
  }
}

// Policies mean nothing here, but they are written, and only by the lanes that are meant.
TEST(MemoryForms, PoliciesAreMade) {
  std::vector<std::string> codes = {"createpolicy.cvt.L2.b64 %o0, %i0;", "createpolicy.cvt.L2.b64 %o0, 3;"};
  for (std::string first : {"evict_last", "evict_normal", "evict_first", "evict_unchanged"}) {
    for (std::string second : {"", ".L2::evict_first", ".L2::evict_unchanged"}) {
      const std::string tail = ".L2::" + first + second + ".b64 %o0";
      for (std::string fraction : {"", ", 0.25", ", %i1"})
        codes.push_back("createpolicy.fractional" + tail + fraction + ";");
      // No byte of the range is accessed.
      codes.push_back("createpolicy.range" + tail + ", [%i0], 64, 128;");
      codes.push_back("createpolicy.range.global" + tail + ", [%i0], %s0, %s0;");
    }
  }
  for (const std::string& code : codes) {
    FormCase test;
    test.inputs = {{"b64", row_of([](uint32_t lane) { return uint64_t{lane} << 40; })},
                   {"b32", row_of([](uint32_t) { return 0.5f; })}};
    test.outputs = {"b64"};
    test.code =
        ".reg .pred odd; mov.u32 %s0, %laneid; and.b32 %s1, %s0, 1; setp.ne.u32 odd, %s1, 0; mov.b64 "
        "%o0, 77;\n@odd " +
        code;
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << code << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane)
        ASSERT_EQ(result.outputs[0][lane], lane % 2 == 0 ? 77u : 0u) << code << " lane " << lane;
    }
  }
}

TEST(MemoryForms, BordersAreChecked) {
  struct Case {
    const char* code;
    int expected;
  };
  for (const Case& c :
       {Case{"ld.global.b32 %s0, [%rd_mem+64];", 700}, Case{"ld.global.b32 %s0, [%rd_mem+60];", 0},
        Case{"ld.global.b32 %s0, [%rd_mem+62];", 716}, Case{"ld.global.v2.b32 {%s0, %s1}, [%rd_mem+4];", 716},
        Case{"ld.global.b64 %d0, [0];", 700}, Case{"ld.shared.b32 %s0, [16];", 700},
        Case{"ld.shared.b32 %s0, [12];", 0}, Case{"ld.shared.b32 %s0, [2];", 716},
        Case{"st.shared.b8 [15], 0;", 0}, Case{"st.shared.b8 [16], 0;", 700},
        Case{"mov.u64 %d0, -4; ld.shared.b32 %s0, [%d0];", 700}, Case{"ld.local.b32 %s0, [16];", 700},
        Case{"st.local.b32 [4], 1;", 0}, Case{"cvta.shared.u64 %d0, 12; ld.b32 %s0, [%d0];", 0},
        Case{"cvta.shared.u64 %d0, 16; ld.b32 %s0, [%d0];", 700},
        Case{"cvta.local.u64 %d0, 4; st.b32 [%d0], 3;", 0},
        Case{"cvta.local.u64 %d0, 16; st.b32 [%d0], 3;", 700}, Case{"ld.param.b32 %s0, [20];", 0},
        Case{"ld.param.b32 %s0, [24];", 700}}) {
    FormCase test;
    test.declarations = ".shared .align 4 .b8 shr[16]; .local .align 4 .b8 loc[8];";
    test.memory = pattern(64);
    // The variables count only if they are used.
    test.code = "mov.u64 %d7, shr; mov.u64 %d7, loc; " + std::string(c.code);
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      EXPECT_EQ(result.code, c.expected) << c.code << ": " << result.message;
    }
  }
}

// The same check for one lane among others, which are not named.
TEST(MemoryForms, TheLaneAtFaultIsNamed) {
  FormCase test;
  test.memory = pattern(64);
  test.code =
      "mov.u32 %s0, %laneid; mul.wide.u32 %d0, %s0, 4; add.u64 %d1, %rd_mem, %d0; ld.global.b32 %s1, [%d1];";
  const FormResult result = run_form(test, Isa::kBest);
  EXPECT_EQ(result.code, 700);
  EXPECT_NE(result.message.find("thread (16,0,0)"), std::string::npos) << result.message;
}

// Forms that differ only in being checked for 16-byte registers in spaces other than global, and
// 8-element vectors of parameters, share their handlers with tested ones.
TEST(MemoryForms, NoFormIsWithoutTest) {
  std::string missing = forms_without_test("memory"), left;
  for (size_t at = 0; at < missing.size();) {
    size_t end = missing.find('\n', at);
    std::string form = missing.substr(at, end - at);
    bool excused = form.ends_with("b128") ||
                   (form.find(".param") != std::string::npos &&
                    (form.find(".v8") != std::string::npos || form.find("64") != std::string::npos ||
                     form.find(".v4") != std::string::npos));
    if (!excused) left += form + "\n";
    at = end + 1;
  }
  EXPECT_EQ(left, "");
}

}  // namespace
}  // namespace outboard::softgpu::exec
