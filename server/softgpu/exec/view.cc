// Finding what a handle names, and places in surfaces.
#include <algorithm>
#include <cstdio>

#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/texture.h"
#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::exec {
namespace {

const char* kind_name(ViewKind kind) {
  return kind == ViewKind::kTexture ? "texture" : kind == ViewKind::kSurface ? "surface" : "sampler";
}

// Views of the textures and surfaces that this thread's launch used last.
struct ViewCache {
  static constexpr uint32_t kEntries = 4;
  struct Entry {
    uint64_t handle = 0;
    std::shared_ptr<const TextureView> view;
  };
  Entry entries[kEntries];
  uint32_t victim = 0;
};
thread_local ViewCache view_cache;

const TextureView* look_up(Warp& warp, uint64_t handle) {
  ViewCache& cache = view_cache;
  for (const ViewCache::Entry& entry : cache.entries) {
    if (entry.handle == handle && entry.view != nullptr) return entry.view.get();
  }
  ViewCache::Entry& entry = cache.entries[cache.victim++ % ViewCache::kEntries];
  entry = {handle, warp.launch->device->texture(handle)};
  return entry.view.get();
}

// Memory may be put together from several allocations.
bool is_valid(Warp& warp, const MemoryRange& memory) {
  for (uint64_t at = memory.begin; at < memory.end;) {
    if (!find_range(warp, at, at + 1)) return false;
    at = warp.ranges->ranges[warp.ranges->last].end;
  }
  return true;
}

}  // namespace

const TextureView* find_view(Warp& warp, const Op* op, uint32_t lane, uint64_t handle, ViewKind kind,
                             Geometry geometry) {
  char text[200];
  const TextureView* view = look_up(warp, handle);
  if (view == nullptr || view->kind != kind) {
    std::snprintf(text, sizeof text,
                  "0x%llx is the handle of no %s, or of a %s reference to which nothing is bound",
                  static_cast<unsigned long long>(handle), kind_name(kind), kind_name(kind));
    return fault(warp, op, 719, lane, text), nullptr;
  }
  if (is_cube(geometry) && !view->cube) {
    std::snprintf(text, sizeof text, "the cubemap instruction reads %s 0x%llx, which is no cubemap",
                  kind_name(kind), static_cast<unsigned long long>(handle));
    return fault(warp, op, 719, lane, text), nullptr;
  }
  const MemoryRange& memory = view->memory;
  if (!is_valid(warp, memory)) {
    std::snprintf(text, sizeof text,
                  "%s 0x%llx reads 0x%llx bytes at address 0x%llx, which are not all allocated",
                  kind_name(kind), static_cast<unsigned long long>(handle),
                  static_cast<unsigned long long>(memory.end - memory.begin),
                  static_cast<unsigned long long>(memory.begin));
    return fault(warp, op, 700, lane, text), nullptr;
  }
  return view;
}

void forget_views() { view_cache = ViewCache{}; }

bool is_view(Warp& warp, uint64_t handle, ViewKind kind) {
  const TextureView* view = look_up(warp, handle);
  return view != nullptr && view->kind == kind;
}

std::byte* surface_place(const TextureView& view, Geometry geometry, int64_t x, const int32_t (&yz)[2],
                         uint32_t layer, uint32_t bytes, bool clamp) {
  const TextureLevel& image = view.levels.front();
  const int64_t row_bytes = int64_t{image.width} * view.texel_bytes;
  const uint32_t axes = coordinate_count(geometry);
  int64_t at[3] = {x, axes > 1 ? yz[0] : 0, axes > 2 ? yz[1] : 0};
  if (is_layered(geometry)) at[2] = layer;
  const int64_t last[3] = {row_bytes - bytes, int64_t{image.height} - 1, int64_t{image.depth} - 1};
  for (uint32_t i = 0; i < 3; ++i) {
    if (at[i] >= 0 && at[i] <= last[i]) continue;
    if (!clamp || last[i] < 0) return nullptr;
    at[i] = std::clamp<int64_t>(at[i], 0, last[i]);
  }
  return image.data + static_cast<uint64_t>(at[2]) * image.slice_pitch +
         static_cast<uint64_t>(at[1]) * image.row_pitch + static_cast<uint64_t>(at[0]);
}

}  // namespace outboard::softgpu::exec
