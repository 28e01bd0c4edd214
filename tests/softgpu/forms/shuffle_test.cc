// Exchange between lanes, against the ISA's description lane by lane.
#include <algorithm>
#include <bit>

#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

Row values() {
  return row_of([](uint32_t lane) { return 1000u + lane * lane; });
}

struct Mode {
  const char* name;
  // The source lane, or -1 outside the segment.
  int (*source)(int lane, int b, int most, int least, int segment_mask);
};
const Mode kModes[] = {
    {"up", [](int lane, int b, int most, int, int) { return lane - b >= most ? lane - b : -1; }},
    {"down", [](int lane, int b, int most, int, int) { return lane + b <= most ? lane + b : -1; }},
    {"bfly", [](int lane, int b, int most, int, int) { return (lane ^ b) <= most ? lane ^ b : -1; }},
    {"idx",
     [](int, int b, int most, int least, int segment_mask) {
       int j = least | (b & ~segment_mask & 31);
       return j <= most ? j : -1;
     }},
};

TEST(ShuffleForms, Exchange) {
  for (const Mode& mode : kModes) {
    for (bool sync : {true, false}) {
      for (unsigned width : {32u, 16u, 8u, 1u}) {
        for (unsigned b : {0u, 1u, 3u, 8u, 17u, 31u}) {
          const int segment_mask = static_cast<int>(32 - width) & 31;
          const int clamp = std::string(mode.name) == "up" ? 0 : 31;
          const int c = segment_mask << 8 | clamp;
          FormCase test;
          test.inputs = {{"b32", values()}};
          test.outputs = {"b32", "pred"};
          const std::string opcode = std::string("shfl") + (sync ? ".sync." : ".") + mode.name + ".b32";
          test.code = opcode + " %o0|%o1, %i0, " + std::to_string(b) + ", " + std::to_string(c) +
                      (sync ? ", 0xffffffff;" : ";");
          for (Isa isa : available_isas()) {
            const FormResult result = run_form(test, isa);
            ASSERT_EQ(result.code, 0) << result.message;
            for (int lane = 0; lane < 32; ++lane) {
              const int most = (lane & segment_mask) | (clamp & ~segment_mask), least = lane & segment_mask;
              const int source = mode.source(lane, static_cast<int>(b), most, least, segment_mask);
              ASSERT_EQ(result.outputs[0][static_cast<size_t>(lane)],
                        test.inputs[0].row[static_cast<size_t>(source < 0 ? lane : source)])
                  << opcode << " lane " << lane << " b " << b << " width " << width;
              ASSERT_EQ(result.outputs[1][static_cast<size_t>(lane)], source >= 0)
                  << opcode << " lane " << lane;
            }
          }
        }
      }
    }
  }
}

const Row& bits() {
  static const Row row = row_of([](uint32_t lane) { return (0x9669'0ff1u >> lane) & 1; });
  return row;
}

TEST(ShuffleForms, Votes) {
  const Row all = row_of([](uint32_t) { return 1u; }), none = row_of([](uint32_t) { return 0u; });
  struct Vote {
    const char* name;
    bool (*result)(uint32_t);
  };
  for (const Vote& vote :
       {Vote{"all", [](uint32_t m) { return m == ~0u; }}, Vote{"any", [](uint32_t m) { return m != 0; }},
        Vote{"uni", [](uint32_t m) { return m == 0 || m == ~0u; }}}) {
    for (const Row* row : {&all, &none, &bits()}) {
      uint32_t holding = 0;
      for (uint32_t lane = 0; lane < 32; ++lane) holding |= static_cast<uint32_t>((*row)[lane]) << lane;
      for (bool sync : {true, false}) {
        FormCase test;
        test.inputs = {{"pred", *row}};
        test.outputs = {"pred", "b32"};
        test.code = std::string("vote") + (sync ? ".sync." : ".") + vote.name + ".pred %o0, %i0" +
                    (sync ? ", -1" : "") + ";\n" + "vote" + (sync ? ".sync" : "") + ".ballot.b32 %o1, %i0" +
                    (sync ? ", -1;" : ";");
        for (Isa isa : available_isas()) {
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << result.message;
          EXPECT_EQ(result.outputs[0][5], vote.result(holding)) << test.code;
          EXPECT_EQ(result.outputs[1][31], holding);
        }
      }
    }
  }
}

TEST(ShuffleForms, VoteWrittenInAnotherOrder) {
  FormCase test;
  test.inputs = {{"pred", bits()}};
  test.outputs = {"b32"};
  test.code = "vote.ballot.sync.b32 %o0, %i0, -1;";
  const FormResult result = run_form(test, Isa::kBest);
  ASSERT_EQ(result.code, 0) << result.message;
  EXPECT_EQ(result.outputs[0][0], 0x9669'0ff1u);
}

TEST(ShuffleForms, Match) {
  for (unsigned width : {32u, 64u}) {
    const char* reg = width == 32 ? "b32" : "b64";
    for (bool equal : {false, true}) {
      FormCase test;
      test.inputs = {{reg, row_of([&](uint32_t lane) {
                        return equal ? uint64_t{7} : uint64_t{lane * lane % 5} << (width - 8);
                      })}};
      test.outputs = {"b32", "b32", "pred"};
      const std::string n = ".b" + std::to_string(width);
      test.code = "match.any.sync" + n + " %o0, %i0, -1;\nmatch.all.sync" + n + " %o1|%o2, %i0, -1;";
      for (Isa isa : available_isas()) {
        const FormResult result = run_form(test, isa);
        ASSERT_EQ(result.code, 0) << result.message;
        for (uint32_t lane = 0; lane < 32; ++lane) {
          uint32_t same = 0;
          for (uint32_t other = 0; other < 32; ++other)
            same |= static_cast<uint32_t>(test.inputs[0].row[other] == test.inputs[0].row[lane]) << other;
          EXPECT_EQ(result.outputs[0][lane], same);
          EXPECT_EQ(result.outputs[1][lane], equal ? 0xffff'ffffu : 0u);
          EXPECT_EQ(result.outputs[2][lane], equal);
        }
      }
    }
  }
}

TEST(ShuffleForms, Reductions) {
  struct Reduction {
    const char* name;
    uint64_t (*f)(uint32_t, uint32_t);
  };
  for (const Reduction& r :
       {Reduction{"add.u32", [](uint32_t a, uint32_t b) { return uint64_t{a + b}; }},
        Reduction{"add.s32", [](uint32_t a, uint32_t b) { return uint64_t{a + b}; }},
        Reduction{"min.u32", [](uint32_t a, uint32_t b) { return uint64_t{std::min(a, b)}; }},
        Reduction{"max.u32", [](uint32_t a, uint32_t b) { return uint64_t{std::max(a, b)}; }},
        Reduction{"min.s32",
                  [](uint32_t a, uint32_t b) {
                    return uint64_t{static_cast<int32_t>(a) < static_cast<int32_t>(b) ? a : b};
                  }},
        Reduction{"max.s32",
                  [](uint32_t a, uint32_t b) {
                    return uint64_t{static_cast<int32_t>(a) > static_cast<int32_t>(b) ? a : b};
                  }},
        Reduction{"and.b32", [](uint32_t a, uint32_t b) { return uint64_t{a & b}; }},
        Reduction{"or.b32", [](uint32_t a, uint32_t b) { return uint64_t{a | b}; }},
        Reduction{"xor.b32", [](uint32_t a, uint32_t b) { return uint64_t{a ^ b}; }}}) {
    FormCase test;
    test.inputs = {{"b32", row_of([](uint32_t lane) { return 0x9e37'79b9u * (lane + 3) | 0x100u; })}};
    test.outputs = {"b32"};
    test.code = std::string("redux.sync.") + r.name + " %o0, %i0, -1;";
    uint32_t want = static_cast<uint32_t>(test.inputs[0].row[0]);
    for (uint32_t lane = 1; lane < 32; ++lane)
      want = static_cast<uint32_t>(r.f(want, static_cast<uint32_t>(test.inputs[0].row[lane])));
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(result.outputs[0][lane], want) << r.name;
    }
  }
}

// Lanes that come to the same exchange along different paths wait for one another there.
TEST(ShuffleForms, DivergedLanesMeet) {
  FormCase test;
  test.inputs = {{"b32", values()}};
  test.outputs = {"b32", "b32", "b32"};
  test.code =
      "{ .reg .pred low; mov.u32 %s0, %laneid; setp.lt.u32 low, %s0, 10; @low bra SMALL; mul.lo.u32 %s1, "
      "%s0, 3; mul.lo.u32 %s1, %s1, 2; bra MEET;\n"
      "SMALL: mov.u32 %s1, 5;\nMEET: shfl.sync.idx.b32 %o0, %s1, 9, 31, -1;\n"
      // Half a warp among themselves.
      "@low bra SUB; mov.u32 %o1, 0; bra END; SUB: shfl.sync.bfly.b32 %o1, %s0, 1, 31, 0x3ff; END: "
      "vote.sync.ballot.b32 %o2, low, -1; }";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(result.outputs[0][lane], 5u);
      EXPECT_EQ(result.outputs[1][lane], lane < 10 ? lane ^ 1 : 0);
      EXPECT_EQ(result.outputs[2][lane], 0x3ffu);
    }
  }
}

// Lanes of one instruction may name different members: each group exchanges on its own, as a
// labeled_partition of cooperative groups does.
TEST(ShuffleForms, GroupsWithMembersOfTheirOwn) {
  auto group = [](uint32_t lane) { return lane * lane % 7 % 5; };
  auto members = [&](uint32_t lane) {
    uint32_t mask = 0;
    for (uint32_t other = 0; other < 32; ++other) mask |= uint32_t{group(other) == group(lane)} << other;
    return mask;
  };
  FormCase test;
  test.inputs = {{"b32", values()}, {"b32", row_of(members)}};
  test.outputs = {"b32", "b32", "b32", "b32", "b32", "pred"};
  test.code =
      "{ .reg .pred odd; mov.u32 %s0, %laneid; and.b32 %s1, %s0, 1; setp.ne.u32 odd, %s1, 0;\n"
      "bfind.u32 %s2, %i1;\n"
      "redux.sync.max.s32 %o0, %i0, %i1;\n"
      "vote.sync.ballot.b32 %o1, odd, %i1;\n"
      "match.any.sync.b32 %o2, %s1, %i1;\n"
      "shfl.sync.idx.b32 %o3, %i0, %s2, 31, %i1;\n"
      "bar.warp.sync %i1;\n"
      "elect.sync %o4|%o5, %i1; }";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t mine = members(lane), odd = mine & 0xaaaa'aaaa;
      const auto highest = 31 - static_cast<uint32_t>(std::countl_zero(mine)),
                 lowest = static_cast<uint32_t>(std::countr_zero(mine));
      EXPECT_EQ(result.outputs[0][lane], test.inputs[0].row[highest]) << lane;
      EXPECT_EQ(result.outputs[1][lane], odd) << lane;
      EXPECT_EQ(result.outputs[2][lane], lane % 2 == 1 ? odd : mine & ~odd) << lane;
      EXPECT_EQ(result.outputs[3][lane], test.inputs[0].row[highest]) << lane;
      EXPECT_EQ(result.outputs[4][lane], lowest) << lane;
      EXPECT_EQ(result.outputs[5][lane], uint64_t{lane == lowest}) << lane;
    }
  }
}

// Lanes that do not exist or have exited take no part.
TEST(ShuffleForms, PartialWarps) {
  FormCase test;
  test.lanes = 20;
  test.inputs = {{"b32", values()}, {"pred", row_of([](uint32_t) { return 1u; })}};
  test.outputs = {"b32", "b32", "pred"};
  test.code = "activemask.b32 %o0; vote.sync.ballot.b32 %o1, %i1, -1; vote.sync.all.pred %o2, %i1, -1;";
  const FormResult result = run_form(test, Isa::kBest);
  ASSERT_EQ(result.code, 0) << result.message;
  EXPECT_EQ(result.outputs[0][3], 0xf'ffffu);
  EXPECT_EQ(result.outputs[1][3], 0xf'ffffu);
  EXPECT_EQ(result.outputs[2][3], 1u);
}

TEST(ShuffleForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("shuffle"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
