// Images and JIT options to compiled programs.
#pragma once

#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/image/image.h"
#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu {

class Platform;

// The option arrays of cuModuleLoadDataEx, cuLibraryLoadData and cuLinkCreate. Options that tune a
// compiler for real hardware are accepted and have no effect.
class JitOptions {
 public:
  JitOptions(unsigned count, const CUjit_option* options, void** values)
      : count_(count),
        options_(options),
        values_(values),
        info_log_bytes_(size_of(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES)),
        error_log_bytes_(size_of(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)) {}

  // Fills the log buffers, cut to their sizes, and writes back how much was used. May be called again:
  // the sizes are remembered.
  void write_logs(const std::string& info, const std::string& error) const;

 private:
  void write_log(CUjit_option buffer, CUjit_option size, uint32_t capacity, const std::string& text) const;
  int index_of(CUjit_option option) const;
  uint32_t size_of(CUjit_option option) const;

  unsigned count_;
  const CUjit_option* options_;
  void** values_;
  uint32_t info_log_bytes_;
  uint32_t error_log_bytes_;
};

// Compiles the PTX of an image; errors go to the options' error log and to note(). With
// `refuse_module` one unsupported instruction refuses everything, as suits PTX text; otherwise only
// the kernels that reach it, as suits a fat binary with thousands of kernels.
CUresult compile_image(const image::Image& image, bool refuse_module, const JitOptions& options,
                       std::shared_ptr<const ptx::Program>* program);
// open_image_at and compile_image.
CUresult compile_at(const Platform& platform, const void* data, const JitOptions& options,
                    std::shared_ptr<const ptx::Program>* program);
// An image in a file.
CUresult compile_file(const Platform& platform, const char* path, const JitOptions& options,
                      std::shared_ptr<const ptx::Program>* program);

// CUresult of an image that cannot be opened.
CUresult image_error_code(ErrorKind kind);

}  // namespace outboard::softgpu
