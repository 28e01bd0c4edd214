#include "server/worker/session_state.h"

#include <utility>

#include "protocol/base/limits.h"

namespace outboard::server {
namespace {

constexpr size_t kSmallBulkBytes = 64 * 1024;
constexpr size_t kKeptBulkBuffers = 4;

}  // namespace

SessionState::SessionState(const DriverApi& driver_api, uint32_t device_count, uint64_t memory_limit_bytes,
                           Logger logger, HostCallbacks::Tell announce_callback,
                           HostCallbacks::Tell callback_retired)
    : driver(driver_api),
      devices(device_count),
      log(std::move(logger)),
      ledger(std::vector<uint64_t>(device_count, memory_limit_bytes)),
      bulk_pool(kSmallBulkBytes, limits::kBulkChunkBytes, kKeptBulkBuffers),
      callbacks(std::move(announce_callback), std::move(callback_retired)),
      compute(driver_api, device_count, [this] { return callbacks.in_flight(); }),
      primary_(device_count, nullptr) {}

std::vector<std::byte> SessionState::take_upload(uint32_t upload) {
  Uploads::Taken taken = uploads.take(upload);
  keep(taken.offered, taken.data);
  return std::move(taken.data);
}

void SessionState::keep_upload(uint32_t upload, std::span<const std::byte> data) {
  keep(uploads.take(upload).offered, data);
}

// What does not have the hash that it was offered under would never be found again.
void SessionState::keep(const std::optional<ContentHash>& offered, std::span<const std::byte> data) {
  if (!content || !offered || content_hash(data) != *offered) return;
  if (Status kept = content->keep(*offered, data); !kept) log.warn(kept.error().message);
}

CUresult SessionState::primary_context(uint32_t device, CUcontext* context) {
  if (device >= devices) return CUDA_ERROR_INVALID_DEVICE;
  std::lock_guard lock(primary_mutex_);
  if (primary_[device] == nullptr) {
    CUdevice ordinal = 0;
    if (CUresult got = driver.cuDeviceGet(&ordinal, static_cast<int>(device)); got != CUDA_SUCCESS)
      return got;
    const CUresult retained = driver.cuDevicePrimaryCtxRetain(&primary_[device], ordinal);
    if (retained != CUDA_SUCCESS) {
      primary_[device] = nullptr;
      return retained;
    }
  }
  *context = primary_[device];
  return CUDA_SUCCESS;
}

bool SessionState::is_primary_context(uint32_t device, uint64_t native) {
  std::lock_guard lock(primary_mutex_);
  return primary_[device] != nullptr && reinterpret_cast<uintptr_t>(primary_[device]) == native;
}

void SessionState::leave_primary_context(uint32_t device) {
  CUcontext context = nullptr;
  if (device < devices) {
    std::lock_guard lock(primary_mutex_);
    context = primary_[device];
  }
  if (context != nullptr) compute.drop_context(context);
}

CUresult SessionState::release_primary_context(uint32_t device) {
  if (device >= devices) return CUDA_ERROR_INVALID_DEVICE;
  leave_primary_context(device);
  std::lock_guard lock(primary_mutex_);
  if (primary_[device] == nullptr) return CUDA_SUCCESS;
  CUdevice ordinal = 0;
  if (CUresult got = driver.cuDeviceGet(&ordinal, static_cast<int>(device)); got != CUDA_SUCCESS) return got;
  const CUresult released = driver.cuDevicePrimaryCtxRelease_v2(ordinal);
  if (released == CUDA_SUCCESS) {
    primary_[device] = nullptr;
    contexts_changed();
  }
  return released;
}

CUresult SessionState::mirror_stream(wire::Handle context, CUstream* stream) {
  std::lock_guard lock(mirror_mutex_);
  // Streams went with their contexts; those of the contexts that live on are left to the session's end,
  // because contexts come and go rarely.
  if (const uint64_t epoch = context_epoch(); epoch != mirror_epoch_) {
    mirror_streams_.clear();
    mirror_epoch_ = epoch;
  }
  CUstream& known = mirror_streams_[uint64_t{context.generation} << 32 | context.index];
  if (known == nullptr) {
    if (CUresult made = driver.cuStreamCreate(&known, CU_STREAM_NON_BLOCKING); made != CUDA_SUCCESS) {
      known = nullptr;
      return made;
    }
  }
  *stream = known;
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
