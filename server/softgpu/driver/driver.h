// The one process object behind the exported functions, and what each of them starts with.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/abi/export_tables.h"
#include "server/softgpu/device/green_context.h"
#include "server/softgpu/device/host_call.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

// A context that can be current. Of a green one it is the primary context, with the green one's streams.
struct CurrentContext {
  std::shared_ptr<Context> context;
  std::shared_ptr<GreenContext> green;

  uint64_t handle() const { return green != nullptr ? green->view() : context->handle(); }
};

// Per application thread. Held by a plain pointer in thread-local storage: exit handlers call the
// driver after C++ thread-local objects of the main thread have been destroyed.
struct ThreadState {
  std::vector<CurrentContext> stack;  // the last is current; null entries are possible
  CUstreamCaptureMode capture_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

  Context* current() const { return stack.empty() ? nullptr : stack.back().context.get(); }
  std::shared_ptr<GreenContext> green() const { return stack.empty() ? nullptr : stack.back().green; }
};

ThreadState& thread_state();
// This thread's state if it has one: does not make it.
ThreadState* existing_thread_state() noexcept;

class Driver {
 public:
  // Made at the first call and never destroyed: exit handlers of other libraries still call us.
  static Driver& instance();

  CUresult initialize(unsigned flags);
  // CUDA_SUCCESS once cuInit has succeeded; CUDA_ERROR_NOT_INITIALIZED before, and for ever in a
  // child that was forked after. CUDA_ERROR_NOT_PERMITTED in a function that a stream runs.
  CUresult status() const {
    if (HostCall::active()) return CUDA_ERROR_NOT_PERMITTED;
    return static_cast<CUresult>(status_.load(std::memory_order_acquire));
  }
  Platform& platform() { return *platform_; }
  abi::ExportTables& tables() { return *tables_; }

  // Address of a function that this library exports; null if it has none of that name.
  static void* find_symbol(std::string_view symbol);

 private:
  Driver();

  std::mutex mutex_;
  std::atomic<int> status_{CUDA_ERROR_NOT_INITIALIZED};
  CUresult failure_ = CUDA_SUCCESS;  // what cuInit found, if it failed for good
  Platform* platform_ = nullptr;     // never freed
  abi::ExportTableHost* host_ = nullptr;
  abi::ExportTables* tables_ = nullptr;
};

// Nothing of ours may throw into a C program.
template <typename F>
CUresult guarded(F&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  } catch (const std::exception&) {
    return CUDA_ERROR_UNKNOWN;
  }
}

// For calls that need cuInit but no context: function(Platform&).
template <typename F>
CUresult with_platform(F&& function) noexcept {
  return guarded([&]() -> CUresult {
    Driver& driver = Driver::instance();
    if (const CUresult status = driver.status(); status != CUDA_SUCCESS) return status;
    return function(driver.platform());
  });
}

// The current context if it can be worked in; says why not otherwise.
CUresult current_context(Context** context);

// For calls that work in the current context, even if a kernel has failed in it: function(Context&).
template <typename F>
CUresult with_any_context(F&& function) noexcept {
  return guarded([&]() -> CUresult {
    Context* context = nullptr;
    if (const CUresult result = current_context(&context); result != CUDA_SUCCESS) return result;
    return function(*context);
  });
}

// The same, but returns the context's error if it is stuck in one.
template <typename F>
CUresult with_context(F&& function) noexcept {
  return with_any_context([&](Context& context) -> CUresult {
    if (context.errors().failed()) return context.errors().code();
    return function(context);
  });
}

// For calls that could interfere with a capture: what they return while one forbids it.
inline CUresult check_captures(Context& context) {
  return context.platform().captures().check(thread_state().capture_mode);
}
template <typename F>
CUresult outside_captures(F&& function) noexcept {
  return with_context([&](Context& context) -> CUresult {
    const CUresult result = check_captures(context);
    return result == CUDA_SUCCESS ? function(context) : result;
  });
}

// Handles of the C interface and objects.
template <typename T, typename H>
std::shared_ptr<T> find(Platform& platform, H handle) {
  return platform.handles().find<T>(reinterpret_cast<uint64_t>(handle));
}

template <typename H>
H to_handle(const Object& object) {
  return reinterpret_cast<H>(object.handle());
}

// The context that a handle names, be it a green context's view of it; empty if it names none.
CurrentContext find_context(Platform& platform, CUcontext handle);
template <>
inline std::shared_ptr<Context> find<Context, CUcontext>(Platform& platform, CUcontext handle) {
  return find_context(platform, handle).context;
}

// What stream priorities mean; lower numbers come first.
inline constexpr int kLeastPriority = 0, kGreatestPriority = -5;

// The stream that a handle names in this thread; null if it names none.
std::shared_ptr<Stream> find_stream(Context& current, CUstream handle);

// Resolves a stream argument and runs function(Context& of the stream, stream). A null stream is the
// current context's; `null_stream` says which one it means (CU_STREAM_LEGACY or _PER_THREAD).
template <typename F>
CUresult with_stream(CUstream handle, F&& function, CUstream null_stream = CU_STREAM_LEGACY) noexcept {
  return with_context([&](Context& current) -> CUresult {
    const std::shared_ptr<Stream> stream = find_stream(current, handle == nullptr ? null_stream : handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->green() != nullptr && !stream->green()->attached()) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    const std::shared_ptr<Context> owner = stream->context();
    if (owner == nullptr || !owner->active()) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (owner->errors().failed()) return owner->errors().code();
    return function(*owner, stream);
  });
}

// Returns when nothing that is queued now in any stream is still to be done: before something goes
// away that kernels name by handles only.
void wait_for_work(Platform& platform);

// Text for a caller's buffer, cut to fit and terminated.
void copy_text(std::string_view text, char* to, size_t to_bytes);

}  // namespace outboard::softgpu
