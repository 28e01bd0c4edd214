#include "server/softgpu/exec/memory.h"

#include <cstdio>

#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec {

bool find_range(Warp& warp, uint64_t begin, uint64_t end) {
  RangeCache& cache = *warp.ranges;
  if (end <= begin) return false;  // wraps around
  for (uint32_t i = 0; i < RangeCache::kEntries; ++i) {
    if (begin >= cache.ranges[i].begin && end <= cache.ranges[i].end) {
      cache.last = i;
      return true;
    }
  }
  MemoryRange range;
  const Launch& launch = *warp.launch;
  if (begin >= launch.workspace && begin < launch.workspace + launch.workspace_bytes) {
    range = {launch.workspace, launch.workspace + launch.workspace_bytes, true};
  } else if (!launch.device->find_range(begin, range)) {
    return false;
  }
  uint32_t entry = cache.victim++ % RangeCache::kEntries;
  cache.ranges[entry] = range;
  cache.last = entry;
  return begin >= range.begin && end <= range.end;
}

const Op* bad_access(Warp& warp, const Op* op, uint32_t lane, uint64_t address, uint32_t bytes,
                     const char* space, bool misaligned) {
  char text[160];
  std::snprintf(text, sizeof text, "%s access of %u bytes at %s address 0x%llx",
                misaligned ? "misaligned" : "illegal", bytes, space,
                static_cast<unsigned long long>(address));
  return fault(warp, op, misaligned ? 716 : 700, lane, text);
}

std::byte* translate_generic(Warp& warp, uint32_t lane, uint64_t address, uint32_t bytes) {
  switch (address >> kWindowShift) {
    case kSharedWindow >> kWindowShift: {
      uint64_t offset = address - kSharedWindow;
      return offset + bytes <= warp.shared_bytes ? warp.shared + offset : nullptr;
    }
    case kLocalWindow >> kWindowShift: {
      uint64_t offset = address - kLocalWindow;
      return offset + bytes <= warp.stack_bytes ? warp.local + size_t{lane} * warp.stack_bytes + offset
                                                : nullptr;
    }
    case kParamWindow >> kWindowShift: {
      uint64_t offset = address - kParamWindow;
      if (offset + bytes > warp.launch->param_bytes) return nullptr;
      return const_cast<std::byte*>(warp.launch->params) + offset;
    }
    default:
      return find_range(warp, address, address + bytes) ? reinterpret_cast<std::byte*>(address) : nullptr;
  }
}

}  // namespace outboard::softgpu::exec
