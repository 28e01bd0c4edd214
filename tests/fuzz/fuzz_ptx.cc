// PTX text to decoded code. Any answer is right except a crash, a leak or a program that is refused
// without a word.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/softgpu/ptx/module.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outboard::softgpu;
  if (size == 0) return 0;
  ptx::CompileOptions options;
  options.refuse_module = data[0] & 1;
  options.max_errors = 1 + data[0] / 2;
  ptx::JitLog log;
  auto program =
      ptx::compile(std::string_view(reinterpret_cast<const char*>(data + 1), size - 1), log, options);
  if (!program && log.error.empty()) std::abort();
  return 0;
}
