// Programs on the device: libraries (no context), modules (one per context), kernels and functions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/abi/launch_parts.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/exec/launch.h"
#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu {

class Context;
class Device;
class Library;
class Module;
class Platform;

// What cuFuncSetAttribute and cuKernelSetAttribute change. Guarded by nothing: CUDA asks callers not
// to set and launch at once, and every field is one word.
struct FunctionSettings {
  int max_dynamic_shared_bytes = -1;  // -1: what is left of the 48 KiB beside the static part
  int shared_carveout = -1;
  int cluster_width = 0, cluster_height = 0, cluster_depth = 0;
  int non_portable_cluster = 0;
  int cluster_policy = 0;
};

// CUresult of a compilation that failed.
CUresult compile_error_code(ErrorKind kind);

// Reads an attribute of a kernel under the given settings.
CUresult read_function_attribute(const ptx::Kernel& kernel, const FunctionSettings& settings,
                                 CUfunction_attribute attribute, int* value);
CUresult write_function_attribute(const ptx::Kernel& kernel, FunctionSettings& settings,
                                  CUfunction_attribute attribute, int value);

// Blocks of `block_threads` threads that fit on one multiprocessor; 0 if none does.
int active_blocks(const ptx::Kernel& kernel, const FunctionSettings& settings, int block_threads,
                  uint64_t dynamic_shared_bytes);

class Function : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kFunction;

  Function(std::weak_ptr<Module> module, std::shared_ptr<const exec::LoadedModule> loaded,
           const ptx::Kernel& kernel, std::shared_ptr<FunctionSettings> settings)
      : module_(std::move(module)),
        loaded_(std::move(loaded)),
        kernel_(kernel),
        settings_(std::move(settings)) {}

  const ptx::Kernel& kernel() const { return kernel_; }
  const exec::LoadedModule& loaded() const { return *loaded_; }
  FunctionSettings& settings() { return *settings_; }
  abi::LaunchParts& parts() { return parts_; }
  std::shared_ptr<Module> module() const { return module_.lock(); }

 private:
  std::weak_ptr<Module> module_;
  std::shared_ptr<const exec::LoadedModule> loaded_;  // keeps kernel_ alive
  const ptx::Kernel& kernel_;
  std::shared_ptr<FunctionSettings> settings_;
  abi::LaunchParts parts_;  // of cuLaunch and its relatives
};

// A program with memory for its variables in one context.
class Module : public Object, public std::enable_shared_from_this<Module> {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kModule;

  // Allocates and fills the variables. `kernel_settings`, one per kernel, is shared with a library's
  // kernels; empty for a module of its own.
  // `managed` has the addresses of the managed variables that exist already: those of a library,
  // which all contexts share; their content stays.
  static CUresult load(Context& context, std::shared_ptr<const ptx::Program> program,
                       std::vector<std::shared_ptr<FunctionSettings>> kernel_settings,
                       const std::map<std::string, uint64_t>& managed, std::shared_ptr<Module>* module,
                       std::string* message);
  // Frees the variables and takes the functions out of the handle table. No kernel may be running.
  void unload();

  const ptx::Program& program() const { return loaded_->program(); }
  Context& context() const { return context_; }
  const std::vector<std::shared_ptr<Function>>& functions() const { return functions_; }
  std::shared_ptr<Function> find_function(std::string_view name) const;
  // False if there is no such variable.
  bool find_global(std::string_view name, uint64_t* address, uint64_t* bytes) const;

  // Handle of a texture or surface reference; 0 if there is none of this name.
  uint64_t find_reference(std::string_view name, ptx::Space space) const;

  explicit Module(Context& context) : context_(context) {}

 private:
  CUresult allocate_variables(const std::shared_ptr<const ptx::Program>& program,
                              const std::map<std::string, uint64_t>& managed, std::string* message);
  uint64_t add_reference(const ptx::Variable& variable);

  Context& context_;
  std::shared_ptr<const exec::LoadedModule> loaded_;
  std::vector<std::shared_ptr<Function>> functions_;  // in the order of program().kernels()
  std::vector<uint64_t> variables_;                   // device memory to free
  std::vector<uint64_t> references_;                  // handles of textures, samplers and surfaces
};

// CUkernel: a library's kernel, in whatever context it is used.
class Kernel : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kKernel;

  Kernel(std::weak_ptr<Library> library, std::shared_ptr<const ptx::Program> program, size_t index,
         size_t devices);

  const ptx::Kernel& kernel() const { return program_->kernels()[index_]; }
  size_t index() const { return index_; }
  std::shared_ptr<Library> library() const { return library_.lock(); }
  const std::shared_ptr<FunctionSettings>& settings(int device) const {
    return settings_[static_cast<size_t>(device)];
  }
  // Loads the library into the context if that has not happened.
  CUresult function_in(Context& context, std::shared_ptr<Function>* function, std::string* message);

 private:
  std::weak_ptr<Library> library_;
  std::shared_ptr<const ptx::Program> program_;
  size_t index_;
  std::vector<std::shared_ptr<FunctionSettings>> settings_;  // per device
};

class Library : public Object, public std::enable_shared_from_this<Library> {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kLibrary;

  Library(Platform& platform, std::shared_ptr<const ptx::Program> program)
      : platform_(platform), program_(std::move(program)) {}

  // Makes the kernels with their handles, and the managed variables; called once, right after
  // construction.
  CUresult prepare();
  // Unloads from every context and takes the kernels out of the table.
  void unload();

  const ptx::Program& program() const { return *program_; }
  const std::vector<std::shared_ptr<Kernel>>& kernels() const { return kernels_; }
  std::shared_ptr<Kernel> find_kernel(std::string_view name) const;
  CUresult module_in(Context& context, std::shared_ptr<Module>* module, std::string* message);
  // A managed variable has one address in all contexts, and needs none. False if there is none.
  bool find_managed(std::string_view name, uint64_t* address, uint64_t* bytes) const;
  // The context ends: its copy of the variables goes.
  void forget_context(Context& context);

 private:
  Platform& platform_;
  std::shared_ptr<const ptx::Program> program_;
  std::vector<std::shared_ptr<Kernel>> kernels_;
  std::map<std::string, uint64_t> managed_;  // name -> address
  std::mutex mutex_;
  std::map<const Context*, std::shared_ptr<Module>> modules_;
};

}  // namespace outboard::softgpu
