#include "client-lib/session/followed_memory.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/limits.h"

namespace outboard::client {
namespace {

// Differences are looked for in blocks of this size.
constexpr uint64_t kBlockBytes = 4096;

std::byte* host(uint64_t address) { return reinterpret_cast<std::byte*>(address); }

}  // namespace

void FollowedMemory::add(uint64_t base, uint64_t bytes, uint64_t device_address, wire::Handle context) {
  Range range;
  range.bytes = bytes;
  range.device_address = device_address;
  range.context = context;
  range.common.resize(bytes);
  ranges_.insert_or_assign(base, std::move(range));
}

std::optional<uint64_t> FollowedMemory::remove(uint64_t base) {
  const auto it = ranges_.find(base);
  if (it == ranges_.end()) return std::nullopt;
  // The device is done with it: what it wrote last must not be lost.
  if (it->second.given) (void)take(base, it->second);
  const uint64_t device_address = it->second.device_address;
  ranges_.erase(it);
  return device_address;
}

void FollowedMemory::move(wire::Handle from_context, wire::Handle to_context) {
  for (auto& [base, range] : ranges_) {
    if (range.context == from_context) range.context = to_context;
  }
}

CUresult FollowedMemory::give() {
  for (auto& [base, range] : ranges_) {
    if (const CUresult given = give(base, range); given != CUDA_SUCCESS) return given;
  }
  return CUDA_SUCCESS;
}

CUresult FollowedMemory::give_at(uint64_t device_address) {
  for (auto& [base, range] : ranges_) {
    if (device_address - range.device_address < range.bytes) return give(base, range);
  }
  return CUDA_SUCCESS;
}

// While the device may be at work on the range, the bytes around what host code changed may be newer
// there: then only what differs is sent, else whole blocks.
CUresult FollowedMemory::give(uint64_t base, Range& range) {
  const bool exactly = range.given;
  range.given = true;
  for (uint64_t at = 0; at < range.bytes; at += kBlockBytes) {
    const uint64_t end = std::min(at + kBlockBytes, range.bytes);
    const bool differs =
        !range.known || std::memcmp(host(base + at), range.common.data() + at, end - at) != 0;
    if (!differs) continue;
    const CUresult sent = exactly ? send_changes(base, range, at, end) : send(base, range, at, end);
    if (sent != CUDA_SUCCESS) return sent;
  }
  range.known = true;
  return CUDA_SUCCESS;
}

// What is sent is what is remembered: the program may write on meanwhile.
CUresult FollowedMemory::send(uint64_t base, Range& range, uint64_t begin, uint64_t end) {
  std::memcpy(range.common.data() + begin, host(base + begin), end - begin);
  return device_.write(range.context, range.device_address + begin,
                       {range.common.data() + begin, end - begin});
}

CUresult FollowedMemory::send_changes(uint64_t base, Range& range, uint64_t begin, uint64_t end) {
  const auto differs = [&](uint64_t at) { return *host(base + at) != range.common[at]; };
  for (uint64_t at = begin; at < end;) {
    if (!differs(at)) {
      ++at;
      continue;
    }
    uint64_t last = at + 1;
    while (last < end && differs(last)) ++last;
    if (const CUresult sent = send(base, range, at, last); sent != CUDA_SUCCESS) return sent;
    at = last;
  }
  return CUDA_SUCCESS;
}

CUresult FollowedMemory::take(bool over) {
  for (auto& [base, range] : ranges_) {
    if (!range.given) continue;
    if (const CUresult taken = take(base, range); taken != CUDA_SUCCESS) return taken;
    range.given = !over;
  }
  return CUDA_SUCCESS;
}

CUresult FollowedMemory::take(uint64_t base, Range& range) {
  std::vector<std::byte> now(std::min<uint64_t>(range.bytes, limits::kBulkChunkBytes));
  for (uint64_t at = 0; at < range.bytes; at += now.size()) {
    const uint64_t bytes = std::min<uint64_t>(now.size(), range.bytes - at);
    const CUresult got = device_.read(range.context, range.device_address + at, {now.data(), bytes});
    if (got != CUDA_SUCCESS) return got;
    for (uint64_t i = 0; i < bytes; ++i) {
      if (now[i] == range.common[at + i]) continue;
      range.common[at + i] = now[i];
      *host(base + at + i) = now[i];
    }
  }
  return CUDA_SUCCESS;
}

std::optional<uint64_t> FollowedMemory::newer_at(uint64_t address) const {
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return std::nullopt;
  --it;
  if (address - it->first >= it->second.bytes || !it->second.given) return std::nullopt;
  return it->second.device_address + (address - it->first);
}

}  // namespace outboard::client
