// Control flow of one warp: divergence, calls, recursion, tables of targets, ends of threads.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

const Values kSmall = {0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 21, 31};

TEST(ControlForms, LoopsWithDifferentTripCounts) {
  check_form({"bra",
              "b32",
              {"b32"},
              [](const Values& in) { return in[0] * (in[0] + 1) / 2; },
              {&kSmall},
              "{ .reg .pred p; mov.u32 %o0, 0; mov.u32 %s0, %i0; LOOP: setp.eq.u32 p, %s0, 0; @p bra DONE; "
              "add.u32 %o0, %o0, %s0; sub.u32 %s0, %s0, 1; bra.uni LOOP; DONE: }"});
}

TEST(ControlForms, NestedLoopsWithBreakAndContinue) {
  auto expected = [](const Values& in) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < in[0]; ++i) {
      if (i % 3 == 1) continue;
      for (uint64_t j = 0;; ++j) {
        if (j == i) break;
        if (j > 6) break;
        sum += i * 10 + j;
      }
    }
    return sum;
  };
  check_form({"bra",
              "b32",
              {"b32"},
              expected,
              {&kSmall},
              "{ .reg .pred p; mov.u32 %o0, 0; mov.u32 %s0, 0;\n"
              "OUTER: setp.ge.u32 p, %s0, %i0; @p bra END; rem.u32 %s1, %s0, 3; setp.eq.u32 p, %s1, 1; @p "
              "bra NEXT; mov.u32 %s2, 0;\n"
              "INNER: setp.eq.u32 p, %s2, %s0; @p bra NEXT; setp.gt.u32 p, %s2, 6; @p bra NEXT; mad.lo.u32 "
              "%s3, %s0, 10, %s2; add.u32 %o0, %o0, %s3; add.u32 %s2, %s2, 1; bra INNER;\n"
              "NEXT: add.u32 %s0, %s0, 1; bra OUTER; END: }"});
}

// Two entries into one loop: no structured program has it, but PTX may.
TEST(ControlForms, IrreducibleLoop) {
  check_form(
      {"bra",
       "b32",
       {"b32", "pred"},
       [](const Values& in) {
         uint64_t n = in[0], sum = 0;
         bool at_b = in[1] != 0;
         for (;;) {
           if (!at_b) sum += 1;
           at_b = false;
           sum += 100;
           if (n == 0) return sum;
           --n;
         }
       },
       {&kSmall, &integer_edges("pred")},
       "{ .reg .pred p; mov.u32 %o0, 0; mov.u32 %s0, %i0; @%i1 bra B; A: add.u32 %o0, %o0, 1; B: add.u32 "
       "%o0, %o0, 100; setp.eq.u32 p, %s0, 0; @p bra OUT; sub.u32 %s0, %s0, 1; bra A; OUT: }"});
}

TEST(ControlForms, BranchTable) {
  check_form({"brx.idx",
              "b32",
              {"b32"},
              [](const Values& in) { return std::vector<uint64_t>{11, 22, 33, 22}[in[0] % 4]; },
              {&kSmall},
              "and.b32 %s0, %i0, 3; TABLE: .branchtargets T0, T1, T2, T1; brx.idx %s0, TABLE; T0: mov.u32 "
              "%o0, 11; bra END; T1: mov.u32 %o0, 22; bra END; T2: mov.u32 %o0, 33; END:"});
}

TEST(ControlForms, ThreadsEndOneByOne) {
  FormCase test;
  test.memory.assign(32 * 4, 0);
  for (std::string end : {"ret", "exit", "ret.uni"}) {
    test.code =
        "{ .reg .pred p, q; mov.u32 %s0, %laneid; mul.wide.u32 %d0, %s0, 4; add.u64 %d1, %rd_mem, %d0; "
        "st.global.b32 [%d1], 1; and.b32 %s1, %s0, 1; setp.eq.u32 p, %s1, 0; @p " +
        end + "; st.global.b32 [%d1], 2; setp.gt.u32 q, %s0, 20; @!q " + end + "; st.global.b32 [%d1], 3; }";
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane)
        EXPECT_EQ(result.memory[lane * 4], lane % 2 == 0 ? 1 : lane > 20 ? 3 : 2) << end << lane;
    }
  }
}

TEST(ControlForms, TrapsEndTheLaunch) {
  for (std::string opcode : {"trap", "brkpt"}) {
    FormCase test;
    test.code = "{ .reg .pred p; mov.u32 %s0, %laneid; setp.eq.u32 p, %s0, 13; @p " + opcode + "; }\n";
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_EQ(result.code, 719);
    EXPECT_NE(result.message.find("thread (13,0,0)"), std::string::npos) << result.message;
  }
  FormCase test;
  test.code = "trap;\nbrkpt;";
  EXPECT_EQ(run_form(test, Isa::kBest).code, 719);
}

TEST(ControlForms, IndexBeyondTheTable) {
  FormCase test;
  test.code = "mov.u32 %s0, %laneid; TABLE: .branchtargets T0, T0; brx.idx %s0, TABLE; T0:";
  const FormResult result = run_form(test, Isa::kBest);
  EXPECT_EQ(result.code, 718);
  EXPECT_NE(result.message.find("thread (2,0,0)"), std::string::npos) << result.message;
}

TEST(ControlForms, HintsAndQueries) {
  FormCase test;
  test.outputs = {"b32", "b32", "pred"};
  test.code =
      "nanosleep.u32 100;\npmevent 1;\npmevent.mask "
      "3;\ngriddepcontrol.wait;\ngriddepcontrol.launch_dependents;\nsetmaxnreg.inc.sync.aligned.u32 64;\n"
      "setmaxnreg.dec.sync.aligned.u32 64;\nactivemask.b32 %o0;\nelect.sync %o1|%o2, 0xfffffff8;";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(result.outputs[0][lane], 0xffff'ffffu);
      EXPECT_EQ(result.outputs[1][lane], 3u);
      EXPECT_EQ(result.outputs[2][lane], lane == 3);
    }
  }
}

// call has tests of its own (tests/softgpu/exec/calls_test.cc): they need functions.
TEST(ControlForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("control"), "call\ncall.uni\n"); }

}  // namespace
}  // namespace outboard::softgpu::exec
