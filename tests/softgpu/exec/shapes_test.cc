// Machine code that computes with one lane of a row must give what the interpreter gives with all of
// them: kernels made at random, of values that are alike in all lanes, side by side, or anything, with
// loops, barriers and lanes that part and meet again. Any bits are numbers too, NaNs with payloads among
// them, so that rows of floats must be what they are even where only some lanes are written.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "server/softgpu/jit/tier.h"
#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {
namespace {

constexpr uint32_t kWords = 8, kDoubles = 4, kTable = 1024;
constexpr uint32_t kBytesPerThread = 4 * kWords + 8 * kDoubles;

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  std::string kernel() {
    text_ =
        ".version 8.6\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 out, .param .u64 "
        "table, "
        ".param .u32 a, .param .u32 b) {\n.reg .b32 %r<8>, %n<8>, %t<4>; .reg .b64 %d<4>, %a<4>; "
        ".reg .pred %p<4>;\n.shared .align 8 .b8 tile[4096];\n"
        "ld.param.u32 %r0, [a]; ld.param.u32 %r1, [b]; mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x;\n"
        "mov.u32 %r4, %ntid.x; mad.lo.s32 %r5, %r3, %r4, %r2; mov.u32 %r6, %laneid; mov.u32 %r7, %tid.y;\n"
        "cvt.s64.s32 %d0, %r0; mul.wide.s32 %d1, %r5, 4; cvt.u64.u32 %d2, %r2; mov.u64 %d3, 5;\n"
        "setp.lt.u32 %p0, %r2, 7; setp.ne.u32 %p1, %r0, %r1; setp.eq.u32 %p2, %r6, 31; mov.pred %p3, %p0;\n"
        "mov.u32 %t0, %tid.x; mov.u32 %t1, %tid.y; mad.lo.u32 %t0, %t1, %r4, %t0; mov.u32 %t1, %ntid.y;\n"
        "mul.lo.u32 %t1, %t1, %r4; mad.lo.u32 %t0, %r3, %t1, %t0;\n"
        "ld.param.u64 %a0, [out]; mad.wide.u32 %a0, %t0, " +
        std::to_string(kBytesPerThread) + ", %a0; ld.param.u64 %a1, [table];\n";
    block(0, true);
    for (uint32_t i = 0; i < kWords; ++i)
      text_ += "st.global.u32 [%a0+" + std::to_string(4 * i) + "], %r" + std::to_string(i) + ";\n";
    for (uint32_t i = 0; i < kDoubles; ++i)
      text_ +=
          "st.global.u64 [%a0+" + std::to_string(4 * kWords + 8 * i) + "], %d" + std::to_string(i) + ";\n";
    return text_ + "ret;\n}\n";
  }

 private:
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  std::string word() { return "%r" + std::to_string(below(kWords)); }
  std::string wide() { return "%d" + std::to_string(below(kDoubles)); }
  std::string predicate() { return "%p" + std::to_string(below(4)); }
  std::string constant() {
    const char* const constants[] = {"0",  "1",          "-1",         "4",    "8",
                                     "31", "0x7fffffff", "0x80000000", "-128", "77"};
    return constants[below(10)];
  }
  std::string word_or_constant() { return below(3) == 0 ? constant() : word(); }
  std::string guard() { return below(6) == 0 ? (below(2) ? "@" : "@!") + predicate() + " " : ""; }

  void block(uint32_t depth, bool together) {
    const uint32_t statements = 4 + below(8);
    for (uint32_t i = 0; i < statements; ++i) {
      const uint32_t kind = below(12);
      if (kind == 0 && depth < 3) {
        loop(depth, together);
      } else if (kind == 1 && depth < 3) {
        branch(depth);
      } else if (kind == 2 && together) {
        text_ += "bar.sync 0;\n";
      } else if (kind <= 4) {
        memory();
      } else {
        arithmetic();
      }
    }
  }

  // So often, or as often as the lane says.
  void loop(uint32_t depth, bool together) {
    const std::string counter = "%n" + std::to_string(depth), limit = "%n" + std::to_string(depth + 4),
                      label = "L" + std::to_string(labels_++);
    const bool uniform = below(2) == 0;
    text_ += "mov.u32 " + counter + ", 0;\n";
    text_ += uniform ? "mov.u32 " + limit + ", " + std::to_string(1 + below(20)) + ";\n"
                     : "and.b32 " + limit + ", " + word() + ", 3;\n";
    text_ += label + ":\n";
    block(depth + 1, together && uniform);
    text_ += "add.u32 " + counter + ", " + counter + ", 1;\nsetp.lt.u32 %p3, " + counter + ", " + limit +
             ";\n@%p3 bra " + label + ";\n";
  }

  void branch(uint32_t depth) {
    const std::string number = std::to_string(labels_++);
    text_ += (below(2) ? "@" : "@!") + predicate() + " bra E" + number + ";\n";
    block(depth + 1, false);
    if (below(2)) {
      text_ += "bra X" + number + ";\nE" + number + ":\n";
      block(depth + 1, false);
      text_ += "X" + number + ":\n";
    } else {
      text_ += "E" + number + ":\n";
    }
  }

  // Places in the table, or in shared memory where each warp has its own.
  void memory() {
    switch (below(4)) {
      case 0:
        text_ += "and.b32 %t2, " + word() + ", " + std::to_string(kTable / 2 - 1) +
                 "; mul.wide.u32 %a2, %t2, 4; add.u64 %a2, %a2, %a1;\n" + guard() + "ld.global.u32 " +
                 word() + ", [%a2+64];\n";
        break;
      case 1:
        text_ += "mul.wide.u32 %a2, %t0, 8; and.b64 %a2, %a2, 2040; add.u64 %a2, %a2, %a1;\n" + guard() +
                 "ld.global.u64 " + wide() + ", [%a2];\n";
        break;
      case 2: text_ += guard() + "ld.global.v2.u32 {%r1, %r4}, [%a1+128];\n"; break;
      default: {
        const std::string value = word();
        text_ +=
            "mov.u32 %t3, tile; and.b32 %t2, %t0, 511; shl.b32 %t2, %t2, 2; add.u32 %t3, %t3, %t2;\n"
            "st.shared.u32 [%t3], " +
            value + "; ld.shared.u32 " + word() + ", [%t3];\n";
      }
    }
  }

  void arithmetic() {
    const char* const binary[] = {"add.s32", "sub.s32", "mul.lo.s32", "and.b32",
                                  "xor.b32", "min.s32", "max.u32"};
    const char* const binary64[] = {"add.s64", "sub.s64", "mul.lo.s64", "or.b64"};
    const char* const extend[] = {"mul.wide.s32", "mul.wide.u32"};
    const char* const comparisons[] = {"lt.s32", "ge.u32", "eq.s32", "gt.s32", "le.u32", "ne.u32", "ge.s32"};
    const char* const comparisons64[] = {"lt.s64", "gt.u64", "eq.u64", "le.s64"};
    const char* const floats[] = {"add.f32", "mul.f32", "sub.ftz.f32", "min.f32"};
    text_ += guard();
    switch (below(18)) {
      case 0:
      case 1: text_ += binary[below(7)] + (" " + word()) + ", " + word() + ", " + word_or_constant(); break;
      case 2: text_ += binary64[below(4)] + (" " + wide()) + ", " + wide() + ", " + wide(); break;
      case 3: text_ += extend[below(2)] + (" " + wide()) + ", " + word() + ", " + word_or_constant(); break;
      case 4: text_ += "mad.wide.s32 " + wide() + ", " + word() + ", " + constant() + ", " + wide(); break;
      case 5:
        text_ += "mad.lo.s32 " + word() + ", " + word() + ", " + word_or_constant() + ", " + word();
        break;
      case 6: text_ += "shl.b32 " + word() + ", " + word() + ", " + word_or_constant(); break;
      case 7: text_ += (below(2) ? "cvt.s64.s32 " : "cvt.u64.u32 ") + wide() + ", " + word(); break;
      case 8: text_ += "cvt.u32.u64 " + word() + ", " + wide(); break;
      case 9: text_ += "neg.s32 " + word() + ", " + word(); break;
      case 10:
        text_ += "setp." + (comparisons[below(7)] + (" " + predicate())) + ", " + word() + ", " +
                 word_or_constant();
        break;
      case 11: text_ += "selp.b32 " + word() + ", " + word() + ", " + word() + ", " + predicate(); break;
      case 12:
        text_ += "setp." + (comparisons64[below(4)] + (" " + predicate())) + ", " + wide() + ", " + wide();
        break;
      case 13:
      case 14: text_ += floats[below(4)] + (" " + word()) + ", " + word() + ", " + word(); break;
      case 15: text_ += "fma.rn.f32 " + word() + ", " + word() + ", " + word() + ", " + word(); break;
      case 16: text_ += "add.f64 " + wide() + ", " + wide() + ", " + wide(); break;
      default: text_ += "shl.b64 " + wide() + ", " + wide() + ", " + constant(); break;
    }
    text_ += ";\n";
  }

  std::mt19937 random_;
  std::string text_;
  uint32_t labels_ = 0;
};

std::vector<uint8_t> execute(const std::string& text, Dim3 block, bool translated) {
  ptx::JitLog log;
  ptx::CompileOptions options;
  if (translated) options.tier = jit::make_eager_tier;
  auto program = ptx::compile(text, log, options);
  EXPECT_TRUE(program) << log.error << text;
  if (!program) return {};
  TestDevice device;
  auto module = instantiate(*program, [&](const ptx::Variable& variable) -> Result<uint64_t> {
    return device.allocate(variable.bytes);
  });
  std::vector<uint32_t> table(kTable);
  for (uint32_t i = 0; i < kTable; ++i) table[i] = i * 2654435761u ^ i << 27;
  const Dim3 grid{3, 1, 1};
  const uint64_t bytes = grid.count() * block.count() * kBytesPerThread, out = device.allocate(bytes);
  LaunchRequest request;
  request.module = module->get();
  request.kernel = (*program)->find_kernel("k");
  request.grid = grid;
  request.block = block;
  request.params = Params().add(out).add(device.upload(table)).add(uint32_t{0x7fffffe9}).add(6u).take();
  const LaunchResult result = run(request, device);
  EXPECT_TRUE(result.ok()) << result.message << text;
  return device.download<uint8_t>(out, bytes);
}

TEST(Shapes, RandomKernelsGiveTheSameInBothTiers) {
  if (!jit::available()) GTEST_SKIP() << "this processor lacks what machine code needs (AVX-512)";
  // SHAPES_SEEDS=20000 after a change of how rows are kept.
  const char* wanted = std::getenv("SHAPES_SEEDS");
  const uint32_t seeds = wanted != nullptr ? static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10)) : 400;
  const Dim3 blocks[] = {{64, 1, 1}, {16, 4, 1}, {40, 1, 1}, {32, 3, 1}};
  for (uint32_t seed = 0; seed < seeds; ++seed) {
    const std::string text = Generator(seed).kernel();
    const Dim3 block = blocks[seed % std::size(blocks)];
    ASSERT_EQ(execute(text, block, true), execute(text, block, false)) << "seed " << seed << "\n" << text;
  }
}

}  // namespace
}  // namespace outboard::softgpu::exec
