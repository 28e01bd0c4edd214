// Textures and surfaces as kernels see them: images of texels, and how a sampler reads them.
// CUDA's programming guide (texture fetching) defines what the results are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/softgpu/exec/launch.h"

namespace outboard::softgpu::exec {

enum class TexelType : uint8_t {
  kUnsigned8,
  kUnsigned16,
  kUnsigned32,
  kSigned8,
  kSigned16,
  kSigned32,
  kHalf,
  kFloat,
};

// In CUDA's order.
enum class AddressMode : uint8_t { kWrap, kClamp, kMirror, kBorder };
enum class Filter : uint8_t { kPoint, kLinear };

struct Sampler {
  AddressMode address[3] = {AddressMode::kClamp, AddressMode::kClamp, AddressMode::kClamp};
  Filter filter = Filter::kPoint;
  Filter level_filter = Filter::kPoint;  // between mipmap levels
  bool normalized = false;               // coordinates go from 0 to 1, whatever the size is
  bool seamless_cube = false;            // filters across the edges of a cube's faces
  float level_bias = 0, min_level = 0, max_level = 0;
  float border[4] = {0, 0, 0, 0};
};

// One image. `depth` counts slices of a volume, layers, or faces of cubes.
struct TextureLevel {
  std::byte* data = nullptr;
  uint32_t width = 1, height = 1, depth = 1;
  uint64_t row_pitch = 0, slice_pitch = 0;
};

enum class ViewKind : uint8_t { kTexture, kSurface, kSampler };

// Immutable. A sampler reference is a view without an image.
struct TextureView {
  ViewKind kind = ViewKind::kTexture;
  TexelType type = TexelType::kUnsigned8;
  uint32_t channels = 1;
  uint32_t texel_bytes = 1;
  bool gives_float = false;  // reads convert to float: floats, and integers mapped to [0, 1] or [-1, 1]
  bool srgb = false;         // the colours of 8-bit texels are not linear
  bool linear = false;       // one row of device memory
  bool layered = false;
  bool cube = false;  // `depth` is six times the number of layers
  bool is_volume = false;
  Sampler sampler;
  std::vector<TextureLevel> levels;   // not empty unless it is a sampler
  MemoryRange memory;                 // device memory that must be valid when kernels read; empty for arrays
  std::shared_ptr<const void> owner;  // keeps an array's memory
};

enum class Geometry : uint8_t { k1d, k2d, k3d, kLayered1d, kLayered2d, kCube, kLayeredCube };
constexpr bool is_layered(Geometry g) {
  return g == Geometry::kLayered1d || g == Geometry::kLayered2d || g == Geometry::kLayeredCube;
}
constexpr bool is_cube(Geometry g) { return g == Geometry::kCube || g == Geometry::kLayeredCube; }
constexpr uint32_t coordinate_count(Geometry g) {
  return g == Geometry::k1d || g == Geometry::kLayered1d   ? 1
         : g == Geometry::k2d || g == Geometry::kLayered2d ? 2
                                                           : 3;
}

enum class LevelChoice : uint8_t { kBase, kGiven, kGradients };

// What all lanes of an instruction have in common.
struct TextureInstruction {
  Geometry geometry = Geometry::k2d;
  bool integer_coordinates = false;
  LevelChoice level = LevelChoice::kBase;
};

// What one lane asks for. Coordinates and level are bits of floats or of signed integers, as the
// instruction says.
struct TextureRequest {
  uint32_t coordinates[3] = {0, 0, 0};
  uint32_t layer = 0;
  uint32_t level = 0;
  float dx[3] = {0, 0, 0}, dy[3] = {0, 0, 0};
  int32_t offset[3] = {0, 0, 0};
};

// Four channels: bits of floats if the view gives floats, integers otherwise. Channels that the
// image does not have are 0, 0 and 1.
struct Texel {
  uint32_t bits[4];
};

Texel sample(const TextureView& view, const Sampler& sampler, const TextureInstruction& instruction,
             const TextureRequest& request);
// One channel of the four texels that linear filtering would blend, as tld4 orders them.
Texel gather(const TextureView& view, const Sampler& sampler, Geometry geometry, uint32_t channel,
             const TextureRequest& request);

// Where the texel's bytes begin, converted to the view's result type.
Texel read_texel(const TextureView& view, const std::byte* from);
Texel border_texel(const TextureView& view, const Sampler& sampler);
// Writes the channels that the image has, converted from 32 bits as sust.p defines.
void write_texel(const TextureView& view, std::byte* to, const Texel& texel);

enum class SurfaceClamp : uint8_t { kTrap, kClamp, kZero };

// Where `bytes` bytes at a place of a surface are; nullptr if outside and not clamped. `x` counts bytes.
std::byte* surface_place(const TextureView& view, Geometry geometry, int64_t x, const int32_t (&yz)[2],
                         uint32_t layer, uint32_t bytes, bool clamp);

enum class TextureQuery : uint8_t {
  kWidth,
  kHeight,
  kDepth,
  kChannelDataType,
  kChannelOrder,
  kNormalizedCoordinates,
  kArraySize,
  kLevels,
  kSamples,
  kForceUnnormalized,
  kFilterMode,
  kAddressMode0,
  kAddressMode1,
  kAddressMode2,
  kMemoryLayout,
};
uint32_t query(const TextureView& view, TextureQuery what, uint32_t level);

struct Op;
struct Warp;

// The view that a handle names, from the thread's cache. Ends the launch and returns nullptr if
// there is none of this kind, if its memory is gone, or if `geometry` does not suit it.
const TextureView* find_view(Warp& warp, const Op* op, uint32_t lane, uint64_t handle, ViewKind kind,
                             Geometry geometry);
// Forgets the views that this thread has found: before and after its part of a launch, and when memory
// was freed.
void forget_views();
// The handle names a view of this kind.
bool is_view(Warp& warp, uint64_t handle, ViewKind kind);

}  // namespace outboard::softgpu::exec
