// What the client knows of loaded code: functions with their parameter layouts and attributes, and
// module variables. Learnt with the load, so that looking names up and launching ask nobody.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/abi/launch_parts.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

struct ModuleInfo;

struct FunctionParameter {
  uint32_t offset_bytes = 0;
  uint32_t size_bytes = 0;
};

// CUfunction_attribute values by id. `known` says which the server told or a call set.
struct FunctionAttributes {
  static constexpr size_t kCount = 32;  // CUDA 13.0 has 16
  std::array<std::atomic<int32_t>, kCount> values{};
  std::atomic<uint32_t> known{0};

  std::optional<int32_t> get(uint32_t id) const {
    if (id >= kCount || (known.load(std::memory_order_acquire) & (1u << id)) == 0) return std::nullopt;
    return values[id].load(std::memory_order_relaxed);
  }
  void set(uint32_t id, int32_t value) {
    if (id >= kCount) return;
    values[id].store(value, std::memory_order_relaxed);
    known.fetch_or(1u << id, std::memory_order_release);
  }
};

// Outlives its module for a while: a launch that races with an unload reads stale data, not freed
// memory. See ModuleStore::retire.
struct FunctionInfo {
  std::string name;
  ModuleInfo* module = nullptr;
  wire::Handle handle;  // null until somebody asked for the function
  bool layout_known = false;
  std::vector<FunctionParameter> parameters;
  uint32_t parameter_bytes = 0;  // of the packed buffer
  FunctionAttributes attributes;
  abi::LaunchParts parts;  // of cuLaunch and its relatives
  bool is_kernel = false;  // of a library, not yet tied to a context
  // Of a kernel: its functions by context index, as cuKernelGetFunction gave them. Guarded by the
  // module's mutex.
  std::map<uint32_t, FunctionInfo*> instances;
};

struct GlobalInfo {
  uint64_t address = 0;
  uint64_t size_bytes = 0;
};

struct ModuleInfo {
  wire::HandleKind kind = wire::HandleKind::kModule;  // kModule or kLibrary
  wire::Handle handle;
  wire::Handle context;     // of a module; null for libraries
  bool enumerated = false;  // `functions` is complete: an unknown name does not exist

  std::mutex mutex;                      // guards what follows
  std::vector<FunctionInfo*> functions;  // in the driver's order
  std::unordered_map<std::string, FunctionInfo*> functions_by_name;
  // (name, context index) -> variable; a library has one instance per context.
  std::map<std::pair<std::string, uint32_t>, GlobalInfo> globals;
  ModuleInfo* library = nullptr;                        // of a module that cuLibraryGetModule gave
  std::map<uint32_t, wire::Handle> modules_by_context;  // what cuLibraryGetModule gave
};

// Owner of all infos. Memory is bounded by the code that the program has loaded, and a little more.
class ModuleStore {
 public:
  // So many functions of modules that are gone are kept, the latest.
  static constexpr size_t kKeptFunctions = 4096;

  ModuleInfo* new_module();
  // Enters it into the module's lists; the caller holds module.mutex or is the only one who knows it.
  FunctionInfo* new_function(ModuleInfo& module, std::string name);
  // What is known of a kernel, for its function in a context; in no list.
  FunctionInfo* copy_function(const FunctionInfo& kernel);
  // The module is unloaded, and nobody finds it or its functions any more. Who found one just before may
  // still look at it; it is freed when enough others have gone the same way.
  void retire(ModuleInfo& module);
  // Of a function that the server named: the one behind a kernel of a captured graph.
  FunctionInfo* adopt_function(wire::Handle handle);
  // Null for handles of other kinds, and for functions that nobody asked about.
  FunctionInfo* adopted_function(wire::Handle handle);

  // All that there are, those of modules that are gone included.
  size_t functions();

 private:
  struct Owned {
    std::unique_ptr<ModuleInfo> module;
    std::vector<std::unique_ptr<FunctionInfo>> functions;
  };

  std::mutex mutex_;
  std::unordered_map<const ModuleInfo*, Owned> modules_;
  std::deque<Owned> retired_;  // oldest first
  size_t functions_ = 0, retired_functions_ = 0;
  std::vector<std::unique_ptr<FunctionInfo>> adopted_functions_;
  std::map<uint32_t, FunctionInfo*> adopted_;  // by the handle's index
};

}  // namespace outboard::client
