// Operands of texture and surface instructions: a handle, a sampler or nothing, and coordinates.
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"
#include "server/softgpu/exec/texture.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

constexpr Geometry kGeometries[] = {Geometry::k1d,         Geometry::k2d,        Geometry::k3d,
                                    Geometry::kLayered1d,  Geometry::kLayered2d, Geometry::kCube,
                                    Geometry::kLayeredCube};
constexpr const char* kGeometryNames[] = {"1d", "2d", "3d", "a1d", "a2d", "cube", "acube"};

constexpr u32 axes_of(Geometry g) {
  return g == Geometry::k1d || g == Geometry::kLayered1d   ? 1
         : g == Geometry::k2d || g == Geometry::kLayered2d ? 2
                                                           : 3;
}
constexpr bool has_layer(Geometry g) {
  return g == Geometry::kLayered1d || g == Geometry::kLayered2d || g == Geometry::kLayeredCube;
}

// What stands in brackets, in a signature.
constexpr const char* kPlaces[2][7] = {
    {"[t,s32]", "[t,s32x2]", "[t,s32x3]", "[t,u32,s32]", "[t,u32,s32x2]", "", ""},
    {"[t,f32]", "[t,f32x2]", "[t,f32x3]", "[t,u32,f32]", "[t,u32,f32x2]", "[t,f32x3]", "[t,u32,f32x3]"}};

// Rows of the operands from `first` on: handle, sampler, layer, coordinates.
struct PlaceRows {
  const u64* handle;
  const u64* sampler;  // nullptr if the texture's own is meant
  const u32* layer;    // nullptr without layers
  const u32* coordinates[3];
  u32 end;  // operand behind

  PlaceRows(Warp& warp, const Op* op, u32 first, Geometry geometry) {
    handle = warp.row<const u64>(op->operand(first));
    const u32 other = op->operand(first + 1);
    sampler = other == kNoOperand ? nullptr : warp.row<const u64>(other);
    end = first + 2;
    layer = has_layer(geometry) ? warp.row<const u32>(op->operand(end++)) : nullptr;
    for (u32 i = 0; i < axes_of(geometry); ++i) coordinates[i] = warp.row<const u32>(op->operand(end++));
  }
};

// Lanes mostly name the same object: looks it up when the handle changes.
struct ViewOfLane {
  const TextureView* view = nullptr;
  u64 handle = 0;

  // nullptr: the launch has ended.
  const TextureView* find(Warp& warp, const Op* op, u32 lane, u64 wanted, ViewKind kind, Geometry geometry) {
    if (view == nullptr || wanted != handle) {
      view = find_view(warp, op, lane, wanted, kind, geometry);
      handle = wanted;
    }
    return view;
  }
};

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
