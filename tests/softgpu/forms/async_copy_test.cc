// cp.async in every size and what waits for it; mbarrier objects within one warp.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

const std::string kSpaces[] = {".shared", ".shared::cta"};

std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> memory(bytes);
  for (size_t i = 0; i < bytes; ++i) memory[i] = static_cast<uint8_t>(i * 37 + (i >> 8) * 11 + 0x81);
  return memory;
}

// Every lane copies from its place in global memory to a place in shared memory that holds ones,
// and shows what is there then.
FormCase copy_case(const std::string& code, unsigned size, std::vector<Input> inputs) {
  FormCase test;
  test.memory = pattern(32 * size);
  test.declarations = ".shared .align 16 .b8 sh[512]; .reg .pred odd;";
  test.inputs = std::move(inputs);
  const std::string stride = std::to_string(size);
  test.code = "mov.u32 %s0, %laneid; mad.lo.u32 %s1, %s0, -1, 31; mov.u32 %s3, sh; mad.lo.u32 %s2, %s1, " +
              stride + ", %s3; mul.lo.u32 %s0, %s0, " + stride +
              "; cvt.u64.u32 %d0, %s0; add.u64 %d1, %rd_mem, %d0; " +
              "and.b32 %s0, %s1, 1; setp.eq.u32 odd, %s0, 0; mov.b32 %s4, -1;\n";
  for (unsigned at = 0; at < size; at += 4)
    test.code += "st.shared.b32 [%s2+" + std::to_string(at) + "], %s4; ";
  test.code += "\n" + code + "\ncp.async.commit_group;\ncp.async.wait_group 0;\n";
  for (unsigned i = 0; i < size / 4; ++i) {
    test.outputs.push_back("b32");
    test.code += "ld.shared.b32 %o" + std::to_string(i) + ", [%s2+" + std::to_string(4 * i) + "]; ";
  }
  return test;
}

// `bytes` of the lane are copied, the rest is zero; no value: nothing is written.
void check_copy(const std::string& code, unsigned size, const std::vector<Input>& inputs,
                const std::function<int(uint32_t lane)>& bytes) {
  const FormCase test = copy_case(code, size, inputs);
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << code << ": " << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      for (unsigned i = 0; i < size; ++i) {
        const int copied = bytes(lane);
        const unsigned want = copied < 0                          ? 0xff
                              : i < static_cast<unsigned>(copied) ? test.memory[lane * size + i]
                                                                  : 0;
        ASSERT_EQ(result.outputs[i / 4][lane] >> (8 * (i % 4)) & 0xff, want)
            << code << " lane " << lane << " byte " << i;
      }
    }
  }
}

TEST(AsyncCopyForms, Copies) {
  for (const std::string& space : kSpaces) {
    for (unsigned size : {4u, 8u, 16u}) {
      for (std::string cache : {"ca", "cg"}) {
        if (cache == "cg" && size != 16) continue;
        const std::string opcode = "cp.async." + cache + space + ".global";
        const int whole = static_cast<int>(size);
        auto all = [=](uint32_t) { return whole; };
        const std::string to = " [%s2], [%d1], " + std::to_string(size);
        check_copy(opcode + to + ";", size, {}, all);
        check_copy(opcode + ".L2::128B" + to + ";", size, {}, all);
        check_copy("@odd " + opcode + to + ";", size, {},
                   [=](uint32_t lane) { return lane % 2 ? whole : -1; });
      }
    }
  }
}

TEST(AsyncCopyForms, ShortSources) {
  for (const std::string& space : kSpaces) {
    for (unsigned size : {4u, 8u, 16u}) {
      const std::string opcode = "cp.async.ca" + space + ".global";
      const std::string to = " [%s2], [%d1], " + std::to_string(size);
      const Row bytes = row_of([=](uint32_t lane) { return (lane * 5) % (size + 1); });
      auto copied = [=](uint32_t lane) { return static_cast<int>(bytes[lane]); };
      const std::vector<Input> counts = {{"b32", bytes}};
      check_copy(opcode + to + ", %i0;", size, counts, copied);
      check_copy(opcode + to + ", 3;", size, {}, [](uint32_t) { return 3; });
      check_copy(opcode + to + ", 0;", size, {}, [](uint32_t) { return 0; });
      check_copy("@!odd " + opcode + to + ", %i0;", size, counts,
                 [=](uint32_t lane) { return lane % 2 ? -1 : copied(lane); });
      // What is not read need not be there.
      check_copy("mov.u64 %d1, 16; " + opcode + to + ", 0;", size, {}, [](uint32_t) { return 0; });
    }
    const std::string cg = "cp.async.cg" + space + ".global";
    check_copy(cg + " [%s2], [%d1], 16, 7;", 16, {}, [](uint32_t) { return 7; });
  }
}

TEST(AsyncCopyForms, IgnoredSources) {
  const Row some = row_of([](uint32_t lane) { return lane % 3 == 0 ? 1u : 0u; });
  for (const std::string& space : kSpaces) {
    for (unsigned size : {4u, 8u, 16u}) {
      const std::string opcode = "cp.async." + std::string(size == 16 ? "cg" : "ca") + space + ".global";
      const std::string to = " [%s2], [%d1], " + std::to_string(size);
      const int whole = static_cast<int>(size);
      check_copy(opcode + to + ", %i0;", size, {{"pred", some}},
                 [=](uint32_t lane) { return lane % 3 ? whole : 0; });
      check_copy(opcode + to + ", !%i0;", size, {{"pred", some}},
                 [=](uint32_t lane) { return lane % 3 ? 0 : whole; });
    }
  }
}

// A cache policy is the last operand, and no number of bytes.
TEST(AsyncCopyForms, CachePolicies) {
  const Row some = row_of([](uint32_t lane) { return lane % 3 == 0 ? 1u : 0u; }),
            policy = row_of([](uint32_t) { return uint64_t{0x12f0'0000'0000'0000}; });
  for (const std::string& space : kSpaces) {
    for (std::string cache : {"ca", "cg"}) {
      const std::string head = "cp.async." + cache + space + ".global.L2::cache_hint";
      auto all = [](uint32_t) { return 16; };
      check_copy(head + " [%s2], [%d1], 16, %i0;", 16, {{"b64", policy}}, all);
      check_copy(head + ".L2::256B [%s2], [%d1], 16, 3;", 16, {}, all);
      check_copy(head + " [%s2], [%d1], 16, 9, %i0;", 16, {{"b64", policy}}, [](uint32_t) { return 9; });
      check_copy(head + " [%s2], [%d1], 16, %i1, %i0;", 16, {{"b64", policy}, {"pred", some}},
                 [](uint32_t lane) { return lane % 3 ? 16 : 0; });
    }
  }
}

TEST(AsyncCopyForms, PrefetchesDoNothing) {
  check_copy(
      "cp.async.bulk.prefetch.L2.global [%rd_mem], 32; cp.async.bulk.prefetch.L2.global.L2::cache_hint "
      "[%rd_mem], %s0, %d0; cp.async.ca.shared.global [%s2], [%d1], 8;",
      8, {}, [](uint32_t) { return 8; });
}

TEST(AsyncCopyForms, Waits) {
  for (const char* wait : {"cp.async.wait_all;", "cp.async.commit_group; cp.async.wait_group 1;"})
    check_copy(std::string("cp.async.ca.shared.global [%s2], [%d1], 8; ") + wait, 8, {},
               [](uint32_t) { return 8; });
}

TEST(AsyncCopyForms, BadSizesAreRefused) {
  for (const char* code :
       {"cp.async.ca.shared.global [%s2], [%d1], 2;", "cp.async.cg.shared.global [%s2], [%d1], 8;",
        "cp.async.ca.shared.global [%s2], [%d1], 12, 4;", "cp.async.ca.shared.global [%s2], [%d1], %s0;"}) {
    const FormResult result = run_form(copy_case(code, 16, {}), Isa::kBest);
    EXPECT_NE(result.code, 0) << code;
    EXPECT_NE(result.message.find("cp.async.c"), std::string::npos) << result.message;
  }
}

TEST(AsyncCopyForms, BadAddressesEndTheLaunch) {
  for (const char* code : {"add.u64 %d1, %d1, 4; cp.async.ca.shared.global [%s2], [%d1], 8;",
                           "add.u32 %s2, %s2, 4; cp.async.ca.shared.global [%s2], [%d1], 8;",
                           "add.u64 %d1, %d1, 4; cp.async.ca.shared.global [%s2], [%d1], 8, 2;"})
    EXPECT_EQ(run_form(copy_case(code, 8, {}), Isa::kBest).code, 716) << code;
  for (const char* code : {"mov.u64 %d1, 16; cp.async.ca.shared.global [%s2], [%d1], 8;",
                           "mov.u64 %d1, 16; cp.async.ca.shared.global [%s2], [%d1], 8, 2;",
                           "mov.u32 %s2, 512; cp.async.ca.shared.global [%s2], [%d1], 8;"})
    EXPECT_EQ(run_form(copy_case(code, 8, {}), Isa::kBest).code, 700) << code;
}

// mbarrier objects are reached through a shared or a generic address.
struct Space {
  std::string text;
  bool generic;
};
const Space kBarrierSpaces[] = {{".shared", false}, {".shared::cta", false}, {"", true}};

// %d0 is the address of an object that lane 0 has made for `count` arrivals.
FormCase barrier_case(const Space& space, unsigned count, const std::string& code) {
  FormCase test;
  test.declarations = ".shared .align 8 .b64 bar; .reg .pred first, p;";
  test.code = std::string("mov.u64 %d0, bar; ") + (space.generic ? "cvta.shared.u64 %d0, %d0; " : "") +
              "mov.u32 %s0, %laneid; setp.eq.u32 first, %s0, 0;\n@first mbarrier.init" + space.text +
              ".b64 [%d0], " + std::to_string(count) + ";\nbar.warp.sync -1;\n" + code;
  return test;
}

void check_barrier(FormCase test, const std::vector<std::function<uint64_t(uint32_t lane)>>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) test.outputs.push_back("b32");
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << result.message;
    for (size_t i = 0; i < expected.size(); ++i) {
      for (uint32_t lane = 0; lane < 32; ++lane)
        ASSERT_EQ(low_bits(result.outputs[i][lane], 32), expected[i](lane))
            << test.code << " lane " << lane << " output " << i;
    }
  }
}

// Four variants of how the order of accesses is written.
const std::string kOrders[][2] = {{"", ""},
                                  {".release.cta", ".acquire.cta"},
                                  {".relaxed.cta", ".relaxed.cta"},
                                  {".release.cluster", ".acquire.cluster"}};

TEST(AsyncCopyForms, PhasesEndWithTheLastArrival) {
  for (const Space& space : kBarrierSpaces) {
    for (const auto& order : kOrders) {
      for (std::string wait : {"mbarrier.test_wait", "mbarrier.try_wait"}) {
        for (unsigned count : {32u, 33u}) {
          const std::string tail = space.text + ".b64 ";
          auto ask = [&](const std::string& parity, const std::string& of, const std::string& output) {
            return wait + parity + order[1] + tail + "p, [%d0], " + of + "; selp.u32 " + output +
                   ", 1, 0, p;\n";
          };
          const uint64_t complete = count == 32;
          check_barrier(
              barrier_case(space, count,
                           "mbarrier.arrive" + order[0] + tail + "%d1, [%d0];\n" + ask("", "%d1", "%o0") +
                               ask(".parity", "0", "%o1") + ask(".parity", "1", "%o2")),
              {[=](uint32_t) { return complete; }, [=](uint32_t) { return complete; },
               [=](uint32_t) { return 1 - complete; }});
        }
      }
    }
  }
}

TEST(AsyncCopyForms, ParityAlternates) {
  for (const Space& space : kBarrierSpaces) {
    const std::string tail = space.text + ".b64 ";
    std::string code;
    for (int phase = 0; phase < 4; ++phase) {
      code += "mbarrier.arrive" + tail + "_, [%d0];\nmbarrier.try_wait.parity" + tail + "p, [%d0], " +
              std::to_string(phase & 1) + ", 1000; selp.u32 %o" + std::to_string(phase) + ", 1, 0, p;\n";
    }
    code += "mbarrier.test_wait.parity" + tail +
            "p, [%d0], 0; selp.u32 %o4, 1, 0, p;\n@first mbarrier.inval" + tail + "[%d0];";
    auto yes = [](uint32_t) { return uint64_t{1}; };
    check_barrier(barrier_case(space, 32, code), {yes, yes, yes, yes, [](uint32_t) { return uint64_t{0}; }});
  }
}

TEST(AsyncCopyForms, CountsOfArrivals) {
  for (const Space& space : kBarrierSpaces) {
    const std::string tail = space.text + ".b64 ";
    // Lanes arrive in order, each twice; the state is what was pending before.
    check_barrier(barrier_case(space, 100,
                               "mbarrier.arrive" + tail +
                                   "%d1, [%d0], 2; mbarrier.pending_count.b64 %o0, %d1;\n"
                                   "mbarrier.arrive.noComplete.release.cta" +
                                   tail +
                                   "%d2, [%d0], 1; mbarrier.pending_count.b64 %o1, %d2;\n"
                                   "mbarrier.test_wait" +
                                   tail +
                                   "p, [%d0], %d2; selp.u32 %o2, 1, 0, p;\n"
                                   "@first mbarrier.arrive" +
                                   tail +
                                   "_, [%d0], 4; bar.warp.sync -1;\n"
                                   "mbarrier.test_wait" +
                                   tail + "p, [%d0], %d2; selp.u32 %o3, 1, 0, p;"),
                  {[](uint32_t lane) { return uint64_t{100} - 2 * lane; },
                   [](uint32_t lane) { return uint64_t{36} - lane; }, [](uint32_t) { return uint64_t{0}; },
                   [](uint32_t) { return uint64_t{1}; }});
  }
}

TEST(AsyncCopyForms, DroppedThreadsAreNotExpectedAgain) {
  for (const Space& space : kBarrierSpaces) {
    const std::string tail = space.text + ".b64 ";
    for (const std::string& drop : {"mbarrier.arrive_drop" + tail + "_, [%d0];",
                                    "mbarrier.arrive_drop.release.cta" + tail + "%d3, [%d0], 1;",
                                    "mbarrier.arrive_drop.noComplete" + tail + "%d3, [%d0], 1;"}) {
      // Eight lanes leave in the first phase; the second begins with 24 expected and ends with them.
      check_barrier(
          barrier_case(space, 32,
                       "mov.b64 %d2, 0; setp.lt.u32 p, %s0, 8;\n@p " + drop + "\n@!p mbarrier.arrive" + tail +
                           "%d1, [%d0]; bar.warp.sync -1;\n@!p mbarrier.arrive" + tail +
                           "%d2, [%d0]; mbarrier.pending_count.b64 %o0, %d2;\nmbarrier.test_wait.parity" +
                           tail + "p, [%d0], 1; selp.u32 %o1, 1, 0, p;"),
          {[](uint32_t lane) { return lane < 8 ? uint64_t{0} : uint64_t{32} - lane; },
           [](uint32_t) { return uint64_t{1}; }});
    }
  }
}

// The copies count as one arrival more, or with .noinc as one of those expected.
TEST(AsyncCopyForms, CopiesArrive) {
  for (const Space& space : kBarrierSpaces) {
    const std::string tail = space.text + ".b64 ";
    auto test = [&](unsigned count, const std::string& noinc) {
      return barrier_case(space, count,
                          "cp.async.mbarrier.arrive" + noinc + tail + "[%d0];\nmbarrier.arrive" + tail +
                              "%d1, [%d0];\n" + "mbarrier.test_wait" + tail +
                              "p, [%d0], %d1; selp.u32 %o0, 1, 0, p;");
    };
    auto yes = [](uint32_t) { return uint64_t{1}; };
    auto no = [](uint32_t) { return uint64_t{0}; };
    check_barrier(test(32, ""), {yes});
    check_barrier(test(33, ""), {no});
    check_barrier(test(64, ".noinc"), {yes});
    check_barrier(test(65, ".noinc"), {no});
  }
}

TEST(AsyncCopyForms, MistakesWithBarriersEndTheLaunch) {
  const Space& shared = kBarrierSpaces[0];
  EXPECT_EQ(run_form(barrier_case(shared, 0, ""), Isa::kBest).code, 719);
  EXPECT_EQ(run_form(barrier_case(shared, 0x10'0000, ""), Isa::kBest).code, 719);
  EXPECT_EQ(run_form(barrier_case(shared, 0xf'ffff, ""), Isa::kBest).code, 0);
  EXPECT_EQ(run_form(barrier_case(shared, 40, "mbarrier.arrive.shared.b64 _, [%d0], 3;"), Isa::kBest).code,
            719);
  EXPECT_EQ(run_form(barrier_case(shared, 40, "mbarrier.arrive.shared.b64 _, [%d0], 0;"), Isa::kBest).code,
            719);
  EXPECT_EQ(run_form(barrier_case(shared, 40, "mbarrier.arrive.shared.b64 _, [%d0+4];"), Isa::kBest).code,
            716);
  EXPECT_EQ(run_form(barrier_case(shared, 40, "mbarrier.arrive.shared.b64 _, [%d0+4096];"), Isa::kBest).code,
            700);
}

TEST(AsyncCopyForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("async_copy"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
