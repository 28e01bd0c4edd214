// Tests of the kernels in tests/softgpu/kernels, on every instruction set that the processor has.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "server/softgpu/jit/tier.h"
#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {

inline std::string read_kernel_file(const std::string& name) {
  std::ifstream in(std::string(OUTBOARD_KERNELS) + "/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct KernelFile {
  const char* file;
  Isa isa;
  bool translated = false;  // machine code instead of the interpreter
};

class KernelFixture : public testing::TestWithParam<KernelFile> {
 protected:
  void SetUp() override {
    if (!isa_available(GetParam().isa)) GTEST_SKIP() << "this processor lacks the instruction set";
    std::string text = read_kernel_file(GetParam().file);
    ASSERT_FALSE(text.empty());
    ptx::JitLog log;
    ptx::CompileOptions options;
    options.isa = GetParam().isa;
    if (GetParam().translated) options.tier = jit::make_eager_tier;
    auto program = ptx::compile(text, log, options);
    ASSERT_TRUE(program) << log.error;
    auto loaded = instantiate(*program, [&](const ptx::Variable& variable) -> Result<uint64_t> {
      return device_.allocate(variable.bytes);
    });
    ASSERT_TRUE(loaded) << loaded.error().message;
    module_ = *loaded;
  }

  LaunchResult launch(const char* name, Dim3 grid, Dim3 block, Params params, uint32_t shared = 0,
                      bool cooperative = false) {
    LaunchRequest request;
    request.module = module_.get();
    request.kernel = module_->program().find_kernel(name);
    EXPECT_NE(request.kernel, nullptr) << name;
    if (request.kernel == nullptr) return {1, "no such kernel"};
    request.grid = grid;
    request.block = block;
    request.params = params.take();
    request.dynamic_shared_bytes = shared;
    request.cooperative = cooperative;
    return run(request, device_);
  }

  TestDevice device_;
  std::shared_ptr<const LoadedModule> module_;
};

inline std::string kernel_file_name(const testing::TestParamInfo<KernelFile>& info) {
  std::string name = info.param.file;
  return name.substr(0, name.find('.')) + (info.param.translated          ? "_translated"
                                           : info.param.isa == Isa::kAvx2 ? "_avx2"
                                                                          : "_avx512");
}

}  // namespace outboard::softgpu::exec
