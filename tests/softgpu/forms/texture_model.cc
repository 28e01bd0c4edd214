#include "tests/softgpu/forms/texture_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace outboard::softgpu::exec {
namespace {

Colour border(const Sampler& sampler) {
  return {sampler.border[0], sampler.border[1], sampler.border[2], sampler.border[3]};
}

// Where a texel outside of 0 ... size - 1 is taken from; -1 means the border.
int place(int index, int size, AddressMode mode, bool normalized) {
  const bool inside = index >= 0 && index < size;
  if (inside) return index;
  if (mode == AddressMode::kBorder) return -1;
  if (!normalized || mode == AddressMode::kClamp) return index < 0 ? 0 : size - 1;
  if (mode == AddressMode::kWrap)
    return index - size * static_cast<int>(std::floor(index / static_cast<double>(size)));
  // Walk there, turning around at the ends.
  int position = 0, step = 1;
  for (int i = 0; i < std::abs(index < 0 ? index + 1 : index); ++i) {
    if (position + step < 0 || position + step >= size)
      step = -step;
    else
      position += step;
  }
  return position;
}

Colour texel(const ModelImage& image, int x, int y, int z) {
  return image.texels[static_cast<size_t>((z * image.height + y) * image.width + x)];
}

struct Pair {
  int low = 0;
  double high_weight = 0;
};

// Position in texels; the weight has 8 bits.
Pair split(double position, bool linear) {
  if (std::isnan(position)) return {};
  position = std::clamp(position, -1e6, 1e6);
  if (!linear) return {static_cast<int>(std::floor(position)), 0};
  const double steps = std::floor((position - 0.5) * 256 + 0.5);
  const double low = std::floor(steps / 256);
  return {static_cast<int>(low), steps / 256 - low};
}

double position(float at, int size, const Sampler& sampler, AddressMode mode) {
  if (!sampler.normalized) return at;
  const bool repeats = mode == AddressMode::kWrap || mode == AddressMode::kMirror;
  if (repeats && std::isinf(at)) return NAN;
  // Both repeat after two images at the latest.
  return (repeats ? std::fmod(static_cast<double>(at), 2.0) : static_cast<double>(at)) * size;
}

int axes_of(Geometry g) { return static_cast<int>(coordinate_count(g)); }

Colour sample_image(const ModelImage& image, const Sampler& sampler, const ModelRequest& request) {
  const int sizes[3] = {image.width, image.height, image.depth};
  const int axes = axes_of(request.geometry);
  const bool linear = sampler.filter == Filter::kLinear && !request.integers;
  Pair pairs[3];
  for (int i = 0; i < axes; ++i) {
    if (request.integers)
      pairs[i] = {request.texel[i], 0};
    else
      pairs[i] = split(position(request.at[i], sizes[i], sampler, sampler.address[i]), linear);
  }
  Colour sum{};
  for (int corner = 0; corner < 1 << axes; ++corner) {
    double weight = 1;
    int at[3] = {0, 0, 0};
    for (int i = 0; i < axes; ++i) {
      const int which = corner >> i & 1;
      weight *= which ? pairs[i].high_weight : 1 - pairs[i].high_weight;
      at[i] = place(pairs[i].low + which + request.offset[i], sizes[i], sampler.address[i],
                    sampler.normalized && !request.integers);
    }
    if (is_layered(request.geometry))
      at[2] = static_cast<int>(std::min<unsigned>(request.layer, image.depth - 1));
    if (weight == 0) continue;
    const bool outside = at[0] < 0 || at[1] < 0 || at[2] < 0;
    const Colour part = outside ? border(sampler) : texel(image, at[0], at[1], at[2]);
    for (int c = 0; c < 4; ++c) sum[c] += weight * part[c];
  }
  return sum;
}

}  // namespace

std::vector<ModelImage> model_levels(int count, int width, int height, int depth, bool halves_depth,
                                     const std::function<double(int, int, int, int, int)>& value) {
  std::vector<ModelImage> levels;
  for (int level = 0; level < count; ++level) {
    ModelImage image{std::max(width >> level, 1),
                     std::max(height >> level, 1),
                     halves_depth ? std::max(depth >> level, 1) : depth,
                     {}};
    for (int z = 0; z < image.depth; ++z)
      for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
          image.texels.push_back({value(level, x, y, z, 0), value(level, x, y, z, 1),
                                  value(level, x, y, z, 2), value(level, x, y, z, 3)});
    levels.push_back(std::move(image));
  }
  return levels;
}

std::shared_ptr<TextureView> make_view(const std::vector<ModelImage>& levels, bool is_float,
                                       const Sampler& sampler) {
  auto memory = std::make_shared<std::vector<std::vector<std::byte>>>();
  auto view = std::make_shared<TextureView>();
  view->type = is_float ? TexelType::kFloat : TexelType::kUnsigned32;
  view->gives_float = is_float;
  view->channels = 4;
  view->texel_bytes = 16;
  view->sampler = sampler;
  for (const ModelImage& image : levels) {
    const uint64_t pitch = static_cast<uint64_t>(image.width) * 16 + 32;  // rows have a gap
    const uint64_t slice = pitch * static_cast<uint64_t>(image.height);
    memory->emplace_back(slice * static_cast<uint64_t>(image.depth));
    std::byte* data = memory->back().data();
    size_t next = 0;
    for (int z = 0; z < image.depth; ++z) {
      for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
          std::byte* to = data + static_cast<uint64_t>(z) * slice + static_cast<uint64_t>(y) * pitch + x * 16;
          for (double channel : image.texels[next++]) {
            const auto real = static_cast<float>(channel);
            const auto whole = static_cast<uint32_t>(channel);
            std::memcpy(to, is_float ? static_cast<const void*>(&real) : &whole, 4);
            to += 4;
          }
        }
      }
    }
    view->levels.push_back({data, static_cast<uint32_t>(image.width), static_cast<uint32_t>(image.height),
                            static_cast<uint32_t>(image.depth), pitch, slice});
  }
  view->owner = memory;
  return view;
}

Colour model_sample(const std::vector<ModelImage>& levels, const Sampler& sampler,
                    const ModelRequest& request) {
  const double last = static_cast<double>(levels.size()) - 1;
  double level = request.level;
  if (!request.integers && levels.size() > 1) {
    level = std::clamp<double>(level, sampler.min_level, sampler.max_level);
    level = std::floor(level * 256 + 0.5) / 256;
  }
  level = std::clamp(level, 0.0, last);
  if (sampler.level_filter == Filter::kPoint || request.integers)
    return sample_image(levels[static_cast<size_t>(std::floor(level + 0.5))], sampler, request);
  const double low = std::floor(level);
  const Colour first = sample_image(levels[static_cast<size_t>(low)], sampler, request);
  if (level == low) return first;
  const Colour second = sample_image(levels[static_cast<size_t>(low) + 1], sampler, request);
  Colour both;
  for (int c = 0; c < 4; ++c) {
    // Each level's colour is a float before they are blended.
    both[c] =
        static_cast<float>(first[c]) * (1 - (level - low)) + static_cast<float>(second[c]) * (level - low);
  }
  return both;
}

std::array<Colour, 4> model_gather(const ModelImage& image, const Sampler& sampler,
                                   const ModelRequest& request) {
  const Pair x = split(position(request.at[0], image.width, sampler, sampler.address[0]), true);
  const Pair y = split(position(request.at[1], image.height, sampler, sampler.address[1]), true);
  const int z =
      is_layered(request.geometry) ? static_cast<int>(std::min<unsigned>(request.layer, image.depth - 1)) : 0;
  const auto at = [&](int right, int below) {
    const int column =
        place(x.low + right + request.offset[0], image.width, sampler.address[0], sampler.normalized);
    const int row =
        place(y.low + below + request.offset[1], image.height, sampler.address[1], sampler.normalized);
    return column < 0 || row < 0 ? border(sampler) : texel(image, column, row, z);
  };
  return {at(0, 1), at(1, 1), at(1, 0), at(0, 0)};
}

}  // namespace outboard::softgpu::exec
