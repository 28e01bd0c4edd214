// Barriers within one warp's reach; tests/softgpu/exec/barrier_test.cc has several warps.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

TEST(BarrierForms, Reductions) {
  const Row some = row_of([](uint32_t lane) { return lane % 3 == 0 ? 1u : 0u; }),
            all = row_of([](uint32_t) { return 1u; }), none = row_of([](uint32_t) { return 0u; });
  struct Names {
    std::string popc, all, any;
  };
  std::vector<Names> names;
  for (std::string cta : {"", ".cta"}) {
    names.push_back(
        {"bar" + cta + ".red.popc.u32", "bar" + cta + ".red.and.pred", "bar" + cta + ".red.or.pred"});
    for (std::string aligned : {"", ".aligned"}) {
      names.push_back({"barrier" + cta + ".red.popc" + aligned + ".u32",
                       "barrier" + cta + ".red.and" + aligned + ".pred",
                       "barrier" + cta + ".red.or" + aligned + ".pred"});
    }
  }
  for (const Names& name : names) {
    for (const Row* row : {&some, &all, &none}) {
      for (std::string count : {"", " 32,"}) {
        FormCase test;
        test.inputs = {{"pred", *row}};
        test.outputs = {"b32", "pred", "pred"};
        test.code = name.popc + " %o0, 1," + count + " %i0;\n" + name.all + " %o1, 1," + count + " %i0;\n" +
                    name.any + " %o2, 2," + count + " %i0;";
        for (Isa isa : available_isas()) {
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << test.code << result.message;
          for (uint32_t lane = 0; lane < 32; ++lane) {
            EXPECT_EQ(result.outputs[0][lane], row == &some ? 11u : row == &all ? 32u : 0u);
            EXPECT_EQ(result.outputs[1][lane], row == &all);
            EXPECT_EQ(result.outputs[2][lane], row != &none);
          }
        }
      }
    }
  }
}

TEST(BarrierForms, PassWithOneWarp) {
  for (std::string cta : {"", ".cta"}) {
    FormCase test;
    test.outputs = {"b32"};
    test.code = "bar" + cta + ".sync 0;\nbar" + cta + ".sync 1, 32;\nbar" + cta + ".arrive 2, 64;\nbar" +
                cta + ".sync 2, 64;\n";
    for (std::string aligned : {"", ".aligned"}) {
      std::string barrier = "barrier" + cta;
      test.code += barrier + ".sync" + aligned + " 3;\n" + barrier + ".arrive" + aligned + " 4, 64;\n" +
                   barrier + ".sync" + aligned + " 4, 64;\n";
    }
    test.code += "mov.u32 %o0, 1;";
    for (Isa isa : available_isas()) EXPECT_EQ(run_form(test, isa).code, 0) << run_form(test, isa).message;
  }
}

TEST(BarrierForms, Clusters) {
  for (std::string aligned : {"", ".aligned"}) {
    for (std::string arrive : {"", ".release", ".relaxed"}) {
      for (std::string wait : {"", ".acquire"}) {
        FormCase test;
        test.code =
            "barrier.cluster.arrive" + arrive + aligned + ";\nbarrier.cluster.wait" + wait + aligned + ";";
        EXPECT_EQ(run_form(test, Isa::kBest).code, 0) << test.code;
      }
    }
  }
}

TEST(BarrierForms, Fences) {
  FormCase test;
  for (const char* fence :
       {"membar.cta", "membar.gl", "membar.sys", "membar.proxy.alias", "fence.sc.gpu", "fence.acq_rel.cta",
        "fence.proxy.alias", "fence.proxy.async", "fence.proxy.async.global", "fence.proxy.async.shared::cta",
        "fence.proxy.async.shared::cluster", "fence.mbarrier_init.release.cluster"}) {
    test.code += std::string(fence) + ";\n";
  }
  const FormResult result = run_form(test, Isa::kBest);
  EXPECT_EQ(result.code, 0) << result.message;
}

TEST(BarrierForms, LanesOfAWarpWait) {
  FormCase test;
  test.declarations = ".shared .align 4 .b32 word;";
  test.outputs = {"b32"};
  // The upper lanes are behind the others, which must not read before these have written.
  test.code =
      "{ .reg .pred p; mov.u32 %s0, %laneid; st.shared.u32 [word], 0; bar.warp.sync -1; setp.ge.u32 p, %s0, "
      "16; @p bra LATE; bra MEET; LATE: st.shared.u32 [word], 5; MEET: bar.warp.sync 0xffffffff; "
      "ld.shared.u32 %o0, [word]; }";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(result.outputs[0][lane], 5u);
  }
}

TEST(BarrierForms, MistakesEndTheLaunch) {
  for (const char* code : {"bar.sync 16;", "bar.sync 1, 64;"}) {  // no such barrier; nobody else to come
    FormCase test;
    test.code = code;
    EXPECT_EQ(run_form(test, Isa::kBest).code, 719) << code;
  }
}

TEST(BarrierForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("barrier"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
