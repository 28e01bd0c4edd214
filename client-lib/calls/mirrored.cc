#include "client-lib/calls/mirrored.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/state/per_thread.h"
#include "protocol/base/bytes.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

// What drivers map at a time: pinned memory begins at multiples of it.
constexpr uint64_t kDriverPageBytes = uint64_t{2} << 20;
// Where neither the kernel nor drivers place anything by themselves, so that the same range is free on
// the server: 4 TiB, used round and round.
constexpr uint64_t kPinnedBase = 0x1100'0000'0000;
constexpr uint64_t kPinnedBytes = uint64_t{4} << 40;
std::atomic<uint64_t> next_pinned{0};

struct ParameterCopy {
  std::vector<std::byte> bytes;
};

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

void* map_anonymous(uint64_t hint, uint64_t bytes) {
  void* at =
      mmap(reinterpret_cast<void*>(hint), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

void* allocate_pinned(uint64_t bytes) {
  const uint64_t slot = round_up(bytes, kDriverPageBytes);
  const uint64_t offset = next_pinned.fetch_add(slot) % kPinnedBytes;
  // A hint only: where something lies there, or a sanitizer minds, another place will do.
  void* at = map_anonymous(kPinnedBase + offset, bytes);
  if (at == nullptr || reinterpret_cast<uint64_t>(at) % kDriverPageBytes == 0) return at;
  munmap(at, bytes);
  at = map_anonymous(0, bytes + kDriverPageBytes);
  if (at == nullptr) return nullptr;
  const auto start = reinterpret_cast<uint64_t>(at);
  const uint64_t aligned = round_up(start, kDriverPageBytes);
  if (aligned != start) munmap(at, aligned - start);
  munmap(reinterpret_cast<void*>(aligned + bytes), start + kDriverPageBytes - aligned);
  return reinterpret_cast<void*>(aligned);
}

CUresult map_host_memory(Client& client, uint64_t address) {
  std::lock_guard lock(client.mirroring());
  const auto range = client.host_memory().find(address);
  if (!range || range->kind != MemoryKind::kHostPinned) return CUDA_ERROR_INVALID_VALUE;
  if (range->device_address != 0) return CUDA_SUCCESS;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::MirrorMapReply reply;
  const wire::MirrorMapRequest request{range->base, round_up(range->bytes, kDriverPageBytes)};
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) {
    client.log_once(LogLevel::kWarn, "mapped host memory",
                    text("The server cannot give the device ", range->bytes, " bytes of host memory at ",
                         hex_number(range->base), " (error ", static_cast<int>(result), ")."));
    return result;
  }
  const uint64_t pages = round_up(range->bytes, static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  if (const CUresult result = client.mirrors().adopt(range->base, pages, context->owner);
      result != CUDA_SUCCESS) {
    wire::MirrorUnmapReply unmapped;
    (void)client.call(wire::MirrorUnmapRequest{request.address, request.size_bytes}, unmapped);
    return result;
  }
  client.host_memory().set_device_address(range->base, range->base);
  return CUDA_SUCCESS;
}

CUresult unmap_host_memory(Client& client, const MemoryRange& range) {
  // Whatever happened on the device, the memory goes.
  (void)cuCtxSynchronize(client);
  (void)client.mirrors().remove(range.base);
  wire::MirrorUnmapReply reply;
  return client.call(wire::MirrorUnmapRequest{range.base, round_up(range.bytes, kDriverPageBytes)}, reply);
}

CUresult follow_host_memory(Client& client, uint64_t address, CUdeviceptr* device_address) {
  std::lock_guard lock(client.mirroring());
  const auto range = client.host_memory().find(address);
  if (!range || range->kind != MemoryKind::kHostRegistered) return CUDA_ERROR_INVALID_VALUE;
  uint64_t base = range->device_address;
  if (base == 0) {
    ContextInfo* context = nullptr;
    if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
    wire::MemAllocReply reply;
    if (const CUresult result = client.call(wire::MemAllocRequest{range->bytes}, reply);
        result != CUDA_SUCCESS)
      return result;
    base = reply.address;
    client.mirrors().follow(range->base, range->bytes, base, context->owner);
    client.host_memory().set_device_address(range->base, base);
    MemoryRange copy;
    copy.base = base;
    copy.bytes = range->bytes;
    copy.kind = MemoryKind::kImported;  // not the program's to free
    copy.context = context->owner;
    (void)client.device_memory().insert(copy);
  }
  *device_address = base + (address - range->base);
  return CUDA_SUCCESS;
}

void unfollow_host_memory(Client& client, const MemoryRange& range) {
  if (range.device_address == 0) return;
  // Whatever happened on the device, the copy goes.
  (void)cuCtxSynchronize(client);
  const uint64_t copy = client.mirrors().unfollow(range.base);
  (void)client.device_memory().remove(copy);
  (void)client.post(wire::MemFreeRequest{copy});
}

CUresult map_what_parameters_name(Client& client, std::span<const std::byte>* given) {
  if (client.mirrors().covers(reinterpret_cast<uint64_t>(given->data()))) {
    auto& copy = per_thread<ParameterCopy>().bytes;
    copy.assign(given->begin(), given->end());
    *given = copy;
  }
  const std::span<const std::byte> parameters = *given;
  // Pointers are aligned in parameters as anywhere. A number that looks like one does no harm.
  for (size_t at = 0; at + sizeof(uint64_t) <= parameters.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, parameters.data() + at, sizeof word);
    if (!client.host_memory().may_contain(word)) continue;
    const auto range = client.host_memory().find(word);
    if (range && range->kind == MemoryKind::kHostRegistered) {
      client.log_once(
          LogLevel::kWarn, "registered memory",
          "A kernel gets the host address of registered memory; the device, being on another machine, "
          "has it at the address that cuMemHostGetDevicePointer says.");
    }
    if (!range || range->kind != MemoryKind::kHostPinned || range->device_address != 0) continue;
    if (const CUresult mapped = map_host_memory(client, word); mapped != CUDA_SUCCESS) return mapped;
  }
  return CUDA_SUCCESS;
}

CUresult prepare_range(Client& client, uint64_t address, uint64_t bytes, bool device_writes,
                       wire::Handle stream) {
  if (client.host_memory().may_contain(address)) {
    const auto range = client.host_memory().find(address);
    if (range && range->kind == MemoryKind::kHostPinned && range->device_address == 0) {
      if (const CUresult mapped = map_host_memory(client, address); mapped != CUDA_SUCCESS) return mapped;
    }
  }
  return client.mirrors().hand_over(address, bytes, device_writes, stream);
}

}  // namespace outboard::client::calls
