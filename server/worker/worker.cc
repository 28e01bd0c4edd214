#include "server/worker/worker.h"

#include <utility>

#include "protocol/wire/handle_life.h"

namespace outboard::server {

using wire::Handle;
using wire::HandleKind;

CUresult Worker::enter(Handle context, uint8_t capture_mode) {
  const uint64_t epoch = session_.context_epoch();
  if (!entered_ || context != context_ || epoch != epoch_) {
    CUcontext native_context = nullptr;
    if (!context.is_null()) {
      const auto found = native(HandleKind::kContext, context);
      if (!found) return CUDA_ERROR_INVALID_CONTEXT;
      native_context = reinterpret_cast<CUcontext>(static_cast<uintptr_t>(*found));
    }
    if (CUresult set = driver().cuCtxSetCurrent(native_context); set != CUDA_SUCCESS) return set;
    session_.compute.enter_context(native_context);
    uint32_t device = 0;
    device_ = current_device(&device) == CUDA_SUCCESS ? std::optional(device) : std::nullopt;
    context_ = context;
    epoch_ = epoch;
    entered_ = true;
  }
  if (capture_mode != capture_mode_) {
    if (capture_mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
    auto mode = static_cast<CUstreamCaptureMode>(capture_mode);
    if (CUresult set = driver().cuThreadExchangeStreamCaptureMode(&mode); set != CUDA_SUCCESS) return set;
    capture_mode_ = capture_mode;
  }
  return CUDA_SUCCESS;
}

std::optional<uint64_t> Worker::native(HandleKind kind, Handle handle) const {
  if (kind == HandleKind::kStream && handle.index == 0) {
    // NULL and CU_STREAM_LEGACY. The client replaces CU_STREAM_PER_THREAD, which would mean a thread
    // of ours here.
    if (handle.generation <= 1) return handle.generation;
    return std::nullopt;
  }
  if (const auto found = session_.objects.find(kind, handle)) return found;
  if (kind == HandleKind::kContext && handle.generation == kPrimaryContextGeneration && handle.index >= 1 &&
      handle.index <= session_.devices) {
    CUcontext context = nullptr;
    if (session_.primary_context(handle.index - 1, &context) != CUDA_SUCCESS) return std::nullopt;
    return reinterpret_cast<uintptr_t>(context);
  }
  return std::nullopt;
}

CUresult Worker::native_stream(Handle handle, CUstream* stream) const {
  const auto found = native_as<CUstream>(HandleKind::kStream, handle);
  if (!found) return CUDA_ERROR_INVALID_HANDLE;
  *stream = *found;
  return CUDA_SUCCESS;
}

Status Worker::name_object(HandleKind kind, Handle handle, uint64_t native) {
  return name_object(kind, handle, native,
                     {wire::lives_in_context(kind) ? owning_context() : Handle{}, HandleKind::kNone, {}});
}

Handle Worker::owning_context() const {
  const Handle owner = session_.objects.owners_of(HandleKind::kContext, context_).context;
  return owner.is_null() ? context_ : owner;
}

Status Worker::name_object(HandleKind kind, Handle handle, uint64_t native, const ObjectOwners& owners) {
  return session_.objects.insert(kind, handle, native, origin_, owners);
}

Result<Handle> Worker::adopt_object(HandleKind kind, uint64_t native, const ObjectOwners& owners) {
  if (native == 0) return Handle{};
  if (kind == HandleKind::kContext) {
    for (uint32_t device = 0; device < session_.devices; ++device) {
      if (session_.is_primary_context(device, native)) return primary_context_handle(device);
    }
  }
  // Also called by helper threads, which run later than the command that origin_ is about.
  return session_.objects.adopt(kind, native, ObjectOrigin{}, owners);
}

void Worker::forget_object(HandleKind kind, Handle handle) {
  session_.objects.erase(kind, handle);
  if (kind == HandleKind::kContext || kind == HandleKind::kGreenContext) session_.contexts_changed();
}

CUresult Worker::violation(std::string sentence) {
  if (violation_.empty()) violation_ = std::move(sentence);
  return CUDA_ERROR_INVALID_VALUE;
}

std::string Worker::take_violation() { return std::exchange(violation_, {}); }

CUresult Worker::current_device(uint32_t* device) const {
  CUdevice current = 0;
  const CUresult got = driver().cuCtxGetDevice(&current);
  if (got == CUDA_SUCCESS) *device = static_cast<uint32_t>(current);
  return got;
}

}  // namespace outboard::server
