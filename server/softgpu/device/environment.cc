#include "server/softgpu/device/environment.h"

#include <cstdio>
#include <ctime>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/texture.h"

namespace outboard::softgpu {

bool KernelEnvironment::find_range(uint64_t address, exec::MemoryRange& range) {
  const auto found = context_.platform().memory().find(address);
  if (!found || !found->readable || found->kind == MemoryKind::kArray) return false;
  const bool own = found->is_host() || found->kind == MemoryKind::kManaged ||
                   found->kind == MemoryKind::kVirtual || found->kind == MemoryKind::kImported ||
                   found->device == context_.device().ordinal();
  if (!own && found->kind == MemoryKind::kPool) {
    // Peer access of contexts says nothing about pools: they have their own.
    const auto pool = context_.platform().handles().find<MemoryPool>(found->pool);
    if (pool == nullptr || !pool->accessible_from(context_.device().ordinal())) return false;
  } else if (!own && !context_.peer_enabled(found->device)) {
    return false;
  }
  range.begin = found->begin;
  range.end = found->end();
  range.writable = found->writable;
  return true;
}

uint64_t KernelEnvironment::memory_generation() const { return context_.platform().memory().generation(); }

void KernelEnvironment::print(std::string_view text) {
  size_t limit = kDefaultPrintfBytes;
  context_.get_limit(CU_LIMIT_PRINTF_FIFO_SIZE, &limit);
  std::lock_guard lock(mutex_);
  // A real device overwrites its oldest output; keeping what came first tells more.
  if (printed_.size() + text.size() <= limit) printed_.append(text);
}

void KernelEnvironment::flush_prints() {
  std::string text;
  {
    std::lock_guard lock(mutex_);
    if (printed_.empty()) return;
    text.swap(printed_);
  }
  // Through the C library, so that it keeps its place among what the program prints.
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

uint64_t KernelEnvironment::heap_allocate(uint64_t bytes) {
  size_t limit = 0;
  context_.get_limit(CU_LIMIT_MALLOC_HEAP_SIZE, &limit);
  if (bytes == 0 || bytes > limit) return 0;
  const uint64_t taken = (bytes + kAllocationAlign - 1) / kAllocationAlign * kAllocationAlign;
  std::lock_guard lock(mutex_);
  if (heap_used_bytes_ + taken > limit) return 0;
  uint64_t address = 0;
  MemoryRequest request;
  request.bytes = bytes;
  request.kind = MemoryKind::kHeap;
  request.context = context_.handle();
  if (context_.device().allocate(request, &address) != CUDA_SUCCESS) return 0;
  heap_used_bytes_ += taken;
  return address;
}

void KernelEnvironment::heap_free(uint64_t address) {
  std::lock_guard lock(mutex_);
  const auto found = context_.platform().memory().find_exact(address);
  if (!found || found->kind != MemoryKind::kHeap || found->context != context_.handle()) return;
  heap_used_bytes_ -= found->valid_bytes;
  (void)context_.device().free(address);
}

void KernelEnvironment::reset() {
  std::lock_guard lock(mutex_);
  printed_.clear();
  heap_used_bytes_ = 0;
}

uint64_t KernelEnvironment::clock_cycles() const { return monotonic_ns(); }

uint64_t KernelEnvironment::global_timer_ns() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

exec::ThreadPool& KernelEnvironment::pool() { return context_.device().pool(); }
uint32_t KernelEnvironment::multiprocessors() const { return context_.device().multiprocessors(); }
std::shared_ptr<const exec::TextureView> KernelEnvironment::texture(uint64_t handle) const {
  return find_texture_view(context_.platform().handles(), handle);
}
bool KernelEnvironment::interrupted() const { return false; }

}  // namespace outboard::softgpu
