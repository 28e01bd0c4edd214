// What texture fetches should give, from the formulas of CUDA's programming guide: texels are lists
// of doubles, filters are sums over them. Tests choose coordinates whose product with the size is exact.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "server/softgpu/exec/texture.h"

namespace outboard::softgpu::exec {

using Colour = std::array<double, 4>;

struct ModelImage {
  int width = 1, height = 1, depth = 1;
  std::vector<Colour> texels;  // x fastest
};

// Levels of an image with value(level, x, y, z, channel); each half of the one before.
std::vector<ModelImage> model_levels(int count, int width, int height, int depth, bool halves_depth,
                                     const std::function<double(int, int, int, int, int)>& value);

// The same image as kernels see it: floats, or unsigned integers of 32 bits. Keeps its memory.
std::shared_ptr<TextureView> make_view(const std::vector<ModelImage>& levels, bool is_float,
                                       const Sampler& sampler);

struct ModelRequest {
  Geometry geometry = Geometry::k2d;
  std::array<float, 3> at{};   // for fetches by floats
  std::array<int, 3> texel{};  // for fetches by integers
  bool integers = false;
  unsigned layer = 0;
  double level = 0;  // as chosen: without bias and limits
  std::array<int, 3> offset{};
};

Colour model_sample(const std::vector<ModelImage>& levels, const Sampler& sampler,
                    const ModelRequest& request);
// The four texels that tld4 gives: below left, below right, above right, above left.
std::array<Colour, 4> model_gather(const ModelImage& image, const Sampler& sampler,
                                   const ModelRequest& request);

}  // namespace outboard::softgpu::exec
