// All groups have form tests, which execute all their forms; and the forms that real programs use
// are among them. softgpu_ptx_coverage --used made the list, from CUDA's samples, llama.cpp, cuFFT,
// cuRAND, cuSPARSE, cuBLAS, cuSOLVER and our own kernels; what is no form of ours was left out.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "server/softgpu/exec/forms.h"

namespace outboard::softgpu::exec {
namespace {

TEST(FormCoverage, EveryGroupHasItsTest) {
  std::set<std::string> untested;
  for (const auto& form : form_table(Isa::kBest).forms()) {
    const bool tested = std::string(OUTBOARD_FORM_GROUPS).find(":" + form->group + ":") != std::string::npos;
    if (!tested && (form->flags & kInternal) == 0) untested.insert(form->group);
  }
  EXPECT_EQ(untested, std::set<std::string>{});
}

TEST(FormCoverage, RealProgramsUseNoOtherForms) {
  std::ifstream list(OUTBOARD_USED_FORMS);
  size_t count = 0;
  for (std::string line; std::getline(list, line); ++count) {
    const Form* form = form_table(Isa::kBest).find(line);
    EXPECT_TRUE(form != nullptr && (form->flags & kInternal) == 0) << line << " cannot be executed.";
  }
  EXPECT_GT(count, 400u) << OUTBOARD_USED_FORMS << " is not the list it was.";
}

}  // namespace
}  // namespace outboard::softgpu::exec
