// Running a kernel: what the execution engine needs from the device around it, modules with
// addresses, and run().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/result.h"
#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu::exec {

struct TextureView;     // texture.h
class ThreadPool;       // thread_pool.h
class KernelConstants;  // constants.h: per loaded module and kernel, resolved immediate operands

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

// Half-open range of valid device addresses.
struct MemoryRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool writable = true;
};

// The device as kernels see it. A device address is the host address of the same byte. All
// functions are called from any thread of the pool at once.
class Device {
 public:
  virtual ~Device() = default;

  // Finds the allocation that holds `address` and gives its whole extent; false if none does.
  // Results are cached per thread as long as memory_generation() stays the same.
  virtual bool find_range(uint64_t address, MemoryRange& range) = 0;
  // Changes whenever an allocation is freed, unmapped or shrunk (growing needs no change).
  virtual uint64_t memory_generation() const = 0;

  // Device printf, complete strings.
  virtual void print(std::string_view text) = 0;
  // Device malloc and free (of the heap whose size CU_LIMIT_MALLOC_HEAP_SIZE sets); 0 if full.
  virtual uint64_t heap_allocate(uint64_t bytes) = 0;
  virtual void heap_free(uint64_t address) = 0;

  // %clock64 ticks and %globaltimer.
  virtual uint64_t clock_cycles() const = 0;
  virtual uint64_t global_timer_ns() const = 0;

  // Threads that execute CTAs; see thread_pool.h.
  virtual ThreadPool& pool() = 0;

  // Number of multiprocessors reported (%nsmid).
  virtual uint32_t multiprocessors() const { return 1; }
  // Texture or surface, object or reference; nullptr if the handle names none.
  virtual std::shared_ptr<const TextureView> texture(uint64_t) const { return nullptr; }
  // True once the process wants running kernels to stop (context destroyed, launch time-out).
  virtual bool interrupted() const { return false; }
};

// A program whose variables have addresses. Immutable after instantiate(); share freely.
class LoadedModule {
 public:
  LoadedModule(std::shared_ptr<const ptx::Program> program, std::vector<uint64_t> addresses);
  ~LoadedModule();
  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;

  const ptx::Program& program() const { return *program_; }
  // Address of program().variables()[i].
  uint64_t address(size_t i) const { return addresses_[i]; }
  std::span<const uint64_t> addresses() const { return addresses_; }
  // Address of a variable by name, 0 if there is none.
  uint64_t find_address(std::string_view name) const;
  const KernelConstants& constants() const { return *constants_; }

 private:
  std::shared_ptr<const ptx::Program> program_;
  std::vector<uint64_t> addresses_;
  std::unique_ptr<KernelConstants> constants_;
};

// Gives memory for one variable (at least `bytes`, aligned to `align`): its device address. The
// caller keeps ownership and frees it after the module's last kernel has finished. For a reference
// it gives a handle instead.
using AllocateVariable = std::function<Result<uint64_t>(const ptx::Variable&)>;

// Allocates every variable, writes the initial values and resolves what refers to addresses.
Result<std::shared_ptr<const LoadedModule>> instantiate(std::shared_ptr<const ptx::Program> program,
                                                        const AllocateVariable& allocate);

// Limits that a launch is checked against here once more, whatever the caller checked before.
inline constexpr uint32_t kMaxThreadsPerBlock = 1024;
inline constexpr uint32_t kMaxSharedBytesPerBlock = 227 * 1024;
inline constexpr uint32_t kMaxParamBytes = 32764;

struct LaunchRequest {
  const LoadedModule* module = nullptr;
  const ptx::Kernel* kernel = nullptr;  // one of module->program().kernels()
  Dim3 grid;
  Dim3 block;
  uint32_t dynamic_shared_bytes = 0;
  std::vector<std::byte> params;  // packed as Kernel::params says; missing bytes read as zero
  uint64_t time_limit_ns = 0;     // the launch is stopped (702) when it has taken so long; 0: never
  bool cooperative = false;       // all CTAs make progress together: grid-wide barriers work
  uint32_t depth = 0;             // of a grid that a kernel has launched; see device_launch.h
};

// `code` is a CUresult; 0 means success. Others are sticky for the context: 700 illegal address,
// 702 time-out, 710 assert, 715 illegal instruction, 716 misaligned address, 717 invalid address
// space, 718 invalid PC, 719 launch failure. 1 and 701 are refusals before anything ran.
struct LaunchResult {
  int code = 0;
  std::string message;  // a sentence with kernel, block, thread, address and PTX line
  bool ok() const { return code == 0; }
};

// Executes the whole grid and returns when it is done or has failed. Blocking; reentrant: several
// launches may run at once on one Device. CTAs start in ascending order.
LaunchResult run(const LaunchRequest& request, Device& device);

}  // namespace outboard::softgpu::exec

namespace outboard::softgpu::ptx {
using exec::instantiate;
}
