// What the front end makes of PTX text, and the one way in: compile().
//
// A Program is immutable and may be shared by any number of threads and loaded modules. It holds
// no addresses: those are chosen per loaded module (exec/launch.h, instantiate()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/result.h"
#include "server/softgpu/exec/isa.h"
#include "server/softgpu/exec/tier.h"
#include "server/softgpu/ptx/reference.h"

namespace outboard::softgpu::ptx {

class Image;  // IR and decoded code of all functions; server/softgpu/ptx/image.h

// Where a module-scope variable lives. Globals and constants are ordinary device memory here; the
// driver reports constants separately (cuModuleGetGlobal finds both). The others are references:
// objects without memory, whose "address" is a handle.
enum class Space : uint8_t { kGlobal, kConstant, kTexture, kSampler, kSurface };
constexpr bool is_reference(Space space) { return space >= Space::kTexture; }

// `bytes` (4 or 8) at `offset` of the initial value become address(symbol) + addend. A symbol is
// another variable, or a function, whose "address" is what an indirect call of ours understands.
struct Relocation {
  uint64_t offset = 0;
  std::string symbol;
  int64_t addend = 0;
  uint32_t bytes = 8;
  bool is_function = false;
  uint32_t index = 0;  // of variables(), or of the image's functions
};

struct Variable {
  std::string name;
  Space space = Space::kGlobal;
  uint64_t bytes = 0;
  uint32_t align = 1;
  std::vector<std::byte> initial;       // shorter than `bytes`: the rest is zero
  std::vector<Relocation> relocations;  // offsets lie within `bytes`
  bool managed = false;                 // declared .attribute(.managed)
  ReferenceSettings reference;          // of a texture or sampler reference
  bool visible = false;                 // .visible, .weak or .common: findable by name from outside
};

// One kernel parameter in the packed parameter buffer. Bytes throughout.
struct Param {
  uint32_t offset = 0;
  uint32_t size = 0;
  uint32_t align = 1;
};

struct Kernel {
  std::string name;
  std::vector<Param> params;
  uint32_t param_bytes = 0;          // size of the packed buffer
  uint32_t static_shared_bytes = 0;  // without the dynamic part
  uint32_t shared_align = 16;
  uint32_t local_bytes = 0;                // per thread: .local variables of the kernel and its callees
  uint32_t constant_bytes = 0;             // module constants, reported by cuFuncGetAttribute
  uint32_t registers = 0;                  // 32-bit registers per thread after allocation, capped at 255
  uint32_t max_threads = 1024;             // per CTA: .maxntid / .reqntid, else the device's limit
  uint32_t required_block[3] = {0, 0, 0};  // .reqntid, zeros if absent
  uint32_t cluster_block[3] = {0, 0, 0};   // .reqnctapercluster, zeros if absent
  uint32_t ptx_version = 0;                // 10 * major + minor, as cuFuncGetAttribute wants it
  uint32_t target = 0;                     // 90 for sm_90
  bool uses_grid_sync = false;             // has the grid-wide barrier's environment registers
  uint32_t function = 0;                   // index in the Image
  // Not empty: the kernel uses something this device does not execute; launching it fails with
  // this sentence (CompileOptions::refuse_module false), the rest of the module works.
  std::string refusal;
};

struct CompileOptions {
  // true: one unsupported instruction refuses the whole module, as a driver's JIT would. false:
  // only the kernels that reach it, so that a library with thousands of kernels stays usable.
  bool refuse_module = true;
  uint64_t max_text_bytes = 256ull << 20;
  uint32_t max_errors = 20;          // then compile() gives up
  exec::Isa isa = exec::Isa::kBest;  // which build of the instruction handlers executes it
  // Makes what speeds hot kernels up, nullptr for nothing (server/softgpu/jit/tier.h has makers). It
  // needs the handlers that kBest stands for.
  std::unique_ptr<exec::Tier> (*tier)(const Image&) = nullptr;
};

// `error` has one line per finding, "ptx LINE:COLUMN: error: sentence" with lines counted from 1
// in the text as given ("ptx#2 LINE:COLUMN" for the second of several texts). `info` has notes.
struct JitLog {
  std::string info;
  std::string error;
};

class Program {
 public:
  Program();
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::span<const Kernel> kernels() const { return kernels_; }
  std::span<const Variable> variables() const { return variables_; }
  const Kernel* find_kernel(std::string_view name) const;      // nullptr if absent
  const Variable* find_variable(std::string_view name) const;  // nullptr if absent
  const Image& image() const { return *image_; }

 private:
  friend class Compiler;
  std::vector<Kernel> kernels_;
  std::vector<Variable> variables_;
  std::unordered_map<std::string_view, uint32_t> kernel_index_, variable_index_;
  std::unique_ptr<Image> image_;
};

// Parses, checks and prepares PTX text for execution; never touches device memory. Errors are
// kInvalidArgument (the text is wrong: CUDA_ERROR_INVALID_PTX), kUnsupported (right, but this
// device cannot execute it: CUDA_ERROR_UNSUPPORTED_PTX_VERSION or CUDA_ERROR_NOT_SUPPORTED) and
// kNotFound (an external symbol that no text defines: CUDA_ERROR_NOT_FOUND); the message is the
// first finding, `log` has them all. A trailing NUL in a text is allowed and ends it.
Result<std::shared_ptr<const Program>> compile(std::string_view text, JitLog& log,
                                               const CompileOptions& options = {});

// Links: the texts see one another's .visible, .weak and .common symbols (cuLink*, -rdc).
Result<std::shared_ptr<const Program>> compile(std::span<const std::string_view> texts, JitLog& log,
                                               const CompileOptions& options = {});

}  // namespace outboard::softgpu::ptx
