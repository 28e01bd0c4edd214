#include "server/softgpu/driver/program.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>

#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/image/limits.h"
#include "server/softgpu/jit/tier.h"

namespace outboard::softgpu {

int JitOptions::index_of(CUjit_option option) const {
  for (unsigned i = 0; options_ != nullptr && values_ != nullptr && i < count_; ++i) {
    if (options_[i] == option) return static_cast<int>(i);
  }
  return -1;
}

uint32_t JitOptions::size_of(CUjit_option option) const {
  const int at = index_of(option);
  return at < 0 ? 0 : static_cast<uint32_t>(reinterpret_cast<uintptr_t>(values_[at]));
}

void JitOptions::write_log(CUjit_option buffer, CUjit_option size, uint32_t capacity,
                           const std::string& text) const {
  const int buffer_at = index_of(buffer);
  const int size_at = index_of(size);
  if (buffer_at < 0 || size_at < 0 || values_[buffer_at] == nullptr || capacity == 0) return;
  copy_text(text, static_cast<char*>(values_[buffer_at]), capacity);
  const size_t written = std::min<size_t>(text.size(), capacity - 1);
  values_[size_at] = reinterpret_cast<void*>(static_cast<uintptr_t>(written));
}

void JitOptions::write_logs(const std::string& info, const std::string& error) const {
  write_log(CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, info_log_bytes_, info);
  write_log(CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, error_log_bytes_, error);
}

CUresult image_error_code(ErrorKind kind) {
  return kind == ErrorKind::kUnsupported ? CUDA_ERROR_NO_BINARY_FOR_GPU : CUDA_ERROR_INVALID_IMAGE;
}

namespace {

decltype(ptx::CompileOptions::tier) tier_maker(Jit jit) {
  switch (jit) {
    case Jit::kOff: return nullptr;
    case Jit::kAlways: return jit::make_eager_tier;
    default: return jit::make_tier;
  }
}

}  // namespace

CUresult compile_image(const image::Image& image, bool refuse_module, const JitOptions& options,
                       std::shared_ptr<const ptx::Program>* program) {
  std::vector<std::string_view> texts(image.ptx_units.begin(), image.ptx_units.end());
  ptx::JitLog log;
  ptx::CompileOptions compile_options;
  compile_options.refuse_module = refuse_module;
  compile_options.tier = tier_maker(Driver::instance().platform().config().jit);
  auto compiled = texts.size() == 1
                      ? ptx::compile(texts[0], log, compile_options)
                      : ptx::compile(std::span<const std::string_view>(texts), log, compile_options);
  if (!compiled) {
    const std::string& text = log.error.empty() ? compiled.error().message : log.error;
    options.write_logs(log.info, text);
    note("The PTX of a program (" + image.summary + ") cannot be loaded: " + compiled.error().message);
    return compile_error_code(compiled.error().kind);
  }
  options.write_logs(log.info, log.error);
  *program = std::move(*compiled);
  return CUDA_SUCCESS;
}

CUresult compile_at(const Platform& platform, const void* data, const JitOptions& options,
                    std::shared_ptr<const ptx::Program>* program) {
  if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto image = image::open_image_at(data, platform.compute_capability());
  if (!image) {
    options.write_logs("", image.error().message);
    note(image.error().message);
    return image_error_code(image.error().kind);
  }
  return compile_image(*image, image->is_text, options, program);
}

CUresult compile_file(const Platform& platform, const char* path, const JitOptions& options,
                      std::shared_ptr<const ptx::Program>* program) {
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
  const auto bytes = static_cast<uint64_t>(file.tellg());
  if (bytes > image::kMaxContainerBytes) return CUDA_ERROR_INVALID_IMAGE;
  std::vector<std::byte> data(bytes);
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(bytes)))
    return CUDA_ERROR_INVALID_IMAGE;
  const auto image = image::open_image(data, platform.compute_capability());
  if (!image) {
    options.write_logs("", image.error().message);
    return image_error_code(image.error().kind);
  }
  return compile_image(*image, image->is_text, options, program);
}

}  // namespace outboard::softgpu
