// Texture fetches. Coordinates become fixed-point numbers with 8 bits of fraction before they are
// filtered, as the programming guide says, so results do not depend on how a host rounds.
#include <algorithm>
#include <bit>
#include <cmath>

#include "server/softgpu/exec/texture.h"

namespace outboard::softgpu::exec {
namespace {

constexpr int64_t kOutside = -1;
constexpr int64_t kFar = int64_t{1} << 40;  // beyond every image; coordinates end here
constexpr uint32_t kWeightOne = 256;

float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }

// Two neighbouring texels along an axis; `weight` is the second one's, in 256ths.
struct Tap {
  int64_t index[2] = {0, 0};
  uint32_t weight = 0;
};

int64_t to_index(double value) {
  if (!(value > -static_cast<double>(kFar))) return value < 0 ? -kFar : 0;  // a NaN counts as 0
  return value > static_cast<double>(kFar) ? kFar : static_cast<int64_t>(std::floor(value));
}

// Where a texel that may lie outside is read from.
int64_t address(int64_t index, int64_t size, AddressMode mode) {
  switch (mode) {
    case AddressMode::kWrap: return ((index % size) + size) % size;
    case AddressMode::kMirror: {
      const int64_t place = ((index % (2 * size)) + 2 * size) % (2 * size);
      return place < size ? place : 2 * size - 1 - place;
    }
    case AddressMode::kBorder: return index >= 0 && index < size ? index : kOutside;
    default: return std::clamp<int64_t>(index, 0, size - 1);
  }
}

// Repetition exists for normalised coordinates only.
AddressMode effective_mode(AddressMode mode, bool normalized) {
  const bool repeats = mode == AddressMode::kWrap || mode == AddressMode::kMirror;
  return repeats && !normalized ? AddressMode::kClamp : mode;
}

// In texels. What repeats is brought near the image first, where floats are finest.
float scale(float x, int64_t size, AddressMode mode, bool normalized) {
  if (!normalized) return x;
  if (mode == AddressMode::kWrap) x -= std::floor(x);
  if (mode == AddressMode::kMirror) x -= 2 * std::floor(x / 2);
  return x * static_cast<float>(size);
}

Tap make_tap(float scaled, int32_t offset, bool linear) {
  Tap tap;
  if (!linear) {
    tap.index[0] = tap.index[1] = to_index(scaled) + offset;
    return tap;
  }
  const int64_t fixed = to_index((static_cast<double>(scaled) - 0.5) * kWeightOne + 0.5);
  tap.index[0] = (fixed >> 8) + offset;
  tap.index[1] = tap.index[0] + 1;
  tap.weight = static_cast<uint32_t>(fixed & 0xff);
  return tap;
}

struct Face {
  uint32_t number;
  float s, t;        // of the axes within the face, from -major to major
  float major;       // length of the axis that the direction is nearest to
  uint32_t axes[3];  // which coordinate s, t and major come from
  float signs[3];
};

// The face of a cube that a direction points at.
Face find_face(const float (&d)[3]) {
  const float x = std::fabs(d[0]), y = std::fabs(d[1]), z = std::fabs(d[2]);
  Face face{};
  const auto set = [&](uint32_t number, uint32_t s, float s_sign, uint32_t t, float t_sign, uint32_t major) {
    const float sign = number % 2 == 0 ? 1.0f : -1.0f;
    face = {number, s_sign * d[s], t_sign * d[t], sign * d[major], {s, t, major}, {s_sign, t_sign, sign}};
  };
  if (x >= y && x >= z) {
    d[0] >= 0 ? set(0, 2, -1, 1, -1, 0) : set(1, 2, 1, 1, -1, 0);
  } else if (y >= z) {
    d[1] >= 0 ? set(2, 0, 1, 2, 1, 1) : set(3, 0, 1, 2, -1, 1);
  } else {
    d[2] >= 0 ? set(4, 0, 1, 1, -1, 2) : set(5, 0, -1, 1, -1, 2);
  }
  return face;
}

// One request on one level of the image.
class LevelSampler {
 public:
  LevelSampler(const TextureView& view, const Sampler& sampler, const TextureLevel& image)
      : view_(view), sampler_(sampler), image_(image) {}

  Texel read(int64_t x, int64_t y, int64_t z) const {
    if (x < 0 || y < 0 || z < 0) return border_texel(view_, sampler_);
    const std::byte* at = image_.data + static_cast<uint64_t>(z) * image_.slice_pitch +
                          static_cast<uint64_t>(y) * image_.row_pitch +
                          static_cast<uint64_t>(x) * view_.texel_bytes;
    return read_texel(view_, at);
  }

  int64_t size(uint32_t axis) const {
    return axis == 0 ? image_.width : axis == 1 ? image_.height : image_.depth;
  }

  int64_t clamp_layer(uint64_t layer) const {
    const uint64_t layers = view_.cube ? std::max(image_.depth / 6, 1u) : image_.depth;
    return static_cast<int64_t>(std::min(layer, layers - 1));
  }

  // Fetch by integers: no filter, and nothing repeats.
  Texel fetch(Geometry geometry, const TextureRequest& request) const {
    int64_t at[3] = {0, 0, 0};
    for (uint32_t i = 0; i < coordinate_count(geometry); ++i) {
      const int64_t index = int64_t{static_cast<int32_t>(request.coordinates[i])} + request.offset[i];
      // Outside of linear memory there is nothing to clamp to.
      if (view_.linear && (index < 0 || index >= size(i))) return Texel{{0, 0, 0, 0}};
      at[i] = address(index, size(i), effective_mode(sampler_.address[i], false));
    }
    if (is_layered(geometry)) at[2] = clamp_layer(request.layer);
    return read(at[0], at[1], at[2]);
  }

  Texel sample(Geometry geometry, const TextureRequest& request) const {
    const bool linear = sampler_.filter == Filter::kLinear && view_.gives_float;
    if (is_cube(geometry)) {
      int64_t first_face = 0;
      const Footprint footprint = cube_footprint(geometry, request, linear, first_face);
      return linear ? blend_cube(footprint, first_face) : read_cube(footprint, 0, 0, first_face);
    }
    Footprint footprint = plain_footprint(geometry, request, linear);
    if (!linear) return read(footprint.place(0, 0), footprint.place(1, 0), footprint.place(2, 0));
    double sum[4] = {0, 0, 0, 0};
    const uint32_t axes = coordinate_count(geometry);
    for (uint32_t corner = 0; corner < 1u << axes; ++corner) {
      double weight = 1;
      int64_t at[3];
      for (uint32_t i = 0; i < 3; ++i) {
        const uint32_t which = corner >> i & 1;
        at[i] = footprint.place(i, which);
        if (i < axes) weight *= footprint.weight(i, which);
      }
      if (weight != 0) add(sum, weight, read(at[0], at[1], at[2]));
    }
    return result(sum);
  }

  Texel gather(Geometry geometry, uint32_t channel, const TextureRequest& request) const {
    // Counter-clockwise from the lower left.
    constexpr uint32_t kOrder[4][2] = {{0, 1}, {1, 1}, {1, 0}, {0, 0}};
    Texel texel;
    int64_t first_face = 0;
    const Footprint footprint = is_cube(geometry) ? cube_footprint(geometry, request, true, first_face)
                                                  : plain_footprint(geometry, request, true);
    for (uint32_t i = 0; i < 4; ++i) {
      const auto [x, y] = kOrder[i];
      const Texel one = is_cube(geometry)
                            ? read_cube(footprint, x, y, first_face)
                            : read(footprint.place(0, x), footprint.place(1, y), footprint.place(2, 0));
      texel.bits[i] = one.bits[channel];
    }
    return texel;
  }

 private:
  struct Footprint {
    Tap taps[3];
    uint32_t face = 0;
    int64_t place(uint32_t axis, uint32_t which) const { return taps[axis].index[which]; }
    double weight(uint32_t axis, uint32_t which) const {
      const uint32_t second = taps[axis].weight;
      return (which == 0 ? kWeightOne - second : second) / static_cast<double>(kWeightOne);
    }
  };

  Footprint plain_footprint(Geometry geometry, const TextureRequest& request, bool linear) const {
    Footprint footprint;
    for (uint32_t i = 0; i < coordinate_count(geometry); ++i) {
      const AddressMode mode = effective_mode(sampler_.address[i], sampler_.normalized);
      const float scaled = scale(as_float(request.coordinates[i]), size(i), mode, sampler_.normalized);
      footprint.taps[i] = make_tap(scaled, request.offset[i], linear);
      for (int64_t& index : footprint.taps[i].index) index = address(index, size(i), mode);
    }
    if (is_layered(geometry))
      footprint.taps[2].index[0] = footprint.taps[2].index[1] = clamp_layer(request.layer);
    return footprint;
  }

  // Places within the face may lie one texel outside: read_cube() knows what is there.
  Footprint cube_footprint(Geometry geometry, const TextureRequest& request, bool linear,
                           int64_t& first_face) const {
    const float d[3] = {as_float(request.coordinates[0]), as_float(request.coordinates[1]),
                        as_float(request.coordinates[2])};
    const Face face = find_face(d);
    const float length = face.major == 0 ? 1.0f : face.major;
    Footprint footprint;
    footprint.face = face.number;
    const float within[2] = {face.s, face.t};
    for (uint32_t i = 0; i < 2; ++i) {
      const float normalized = (within[i] / length + 1.0f) / 2.0f;
      footprint.taps[i] = make_tap(normalized * static_cast<float>(size(i)), 0, linear);
      if (linear) continue;
      for (int64_t& index : footprint.taps[i].index) index = address(index, size(i), AddressMode::kClamp);
    }
    first_face = geometry == Geometry::kLayeredCube ? 6 * clamp_layer(request.layer) : 0;
    return footprint;
  }

  bool beyond(int64_t index) const { return index < 0 || index >= image_.width; }

  Texel read_cube(const Footprint& footprint, uint32_t x, uint32_t y, int64_t first_face) const {
    int64_t column = footprint.place(0, x), row = footprint.place(1, y);
    int64_t face = footprint.face;
    if (sampler_.seamless_cube && beyond(column) != beyond(row)) cross_edge(face, column, row);
    column = address(column, image_.width, AddressMode::kClamp);
    row = address(row, image_.height, AddressMode::kClamp);
    return read(column, row, first_face + face);
  }

  // The texel one step over the edge of a face lies on the neighbouring face. Counted in half texels
  // from the cube's centre, its centre is `size` along the axis that was crossed, and half a texel
  // below the edge along the axis that the face looked at.
  void cross_edge(int64_t& face, int64_t& column, int64_t& row) const {
    const auto extent = static_cast<float>(image_.width);
    const auto centre = [&](int64_t index) { return static_cast<float>(2 * index + 1) - extent; };
    float direction[3] = {0, 0, 0};
    // The face's axes, from a direction that points at its middle.
    float middle[3] = {0, 0, 0};
    middle[face / 2] = face % 2 == 0 ? 1.0f : -1.0f;
    const Face axes = find_face(middle);
    const bool over_column = beyond(column);
    const auto over = [&](int64_t index) { return index < 0 ? -extent : extent; };
    direction[axes.axes[0]] = axes.signs[0] * (over_column ? over(column) : centre(column));
    direction[axes.axes[1]] = axes.signs[1] * (over_column ? centre(row) : over(row));
    direction[axes.axes[2]] = axes.signs[2] * (extent - 1);
    const Face target = find_face(direction);
    face = target.number;
    column = static_cast<int64_t>((target.s + extent - 1) / 2);
    row = static_cast<int64_t>((target.t + extent - 1) / 2);
  }

  Texel blend_cube(const Footprint& footprint, int64_t first_face) const {
    double sum[4] = {0, 0, 0, 0};
    // Where three faces meet there is no fourth texel: the others share its weight.
    const auto at_corner = [&](uint32_t x, uint32_t y) {
      return sampler_.seamless_cube && beyond(footprint.place(0, x)) && beyond(footprint.place(1, y));
    };
    double missing = 0;
    for (uint32_t corner = 0; corner < 4; ++corner) {
      if (at_corner(corner & 1, corner >> 1))
        missing = footprint.weight(0, corner & 1) * footprint.weight(1, corner >> 1) / 3;
    }
    for (uint32_t corner = 0; corner < 4; ++corner) {
      const uint32_t x = corner & 1, y = corner >> 1;
      if (at_corner(x, y)) continue;
      const double weight = footprint.weight(0, x) * footprint.weight(1, y) + missing;
      if (weight != 0) add(sum, weight, read_cube(footprint, x, y, first_face));
    }
    return result(sum);
  }

  static void add(double (&sum)[4], double weight, const Texel& texel) {
    for (uint32_t i = 0; i < 4; ++i) sum[i] += weight * static_cast<double>(as_float(texel.bits[i]));
  }
  static Texel result(const double (&sum)[4]) {
    Texel texel;
    for (uint32_t i = 0; i < 4; ++i) texel.bits[i] = std::bit_cast<uint32_t>(static_cast<float>(sum[i]));
    return texel;
  }

  const TextureView& view_;
  const Sampler& sampler_;
  const TextureLevel& image_;
};

// Texels of the finest level per step: the longer of the two steps.
float footprint_size(const TextureView& view, const Sampler& sampler, const TextureInstruction& instruction,
                     const TextureRequest& request) {
  const TextureLevel& image = view.levels.front();
  const float sizes[3] = {static_cast<float>(image.width), static_cast<float>(image.height),
                          static_cast<float>(image.depth)};
  double longest = 0;
  for (const auto& step : {request.dx, request.dy}) {
    double square = 0;
    if (is_cube(instruction.geometry)) {
      const float d[3] = {as_float(request.coordinates[0]), as_float(request.coordinates[1]),
                          as_float(request.coordinates[2])};
      const Face face = find_face(d);
      const float within[2] = {face.s, face.t};
      const float major_step = face.signs[2] * step[face.axes[2]];
      for (uint32_t i = 0; i < 2; ++i) {
        // Derivative of (s / major + 1) / 2.
        const float part = (face.signs[i] * step[face.axes[i]] * face.major - within[i] * major_step) /
                           (2 * face.major * face.major) * sizes[0];
        square += static_cast<double>(part) * part;
      }
    } else {
      for (uint32_t i = 0; i < coordinate_count(instruction.geometry); ++i) {
        const double part = static_cast<double>(step[i]) * (sampler.normalized ? sizes[i] : 1.0f);
        square += part * part;
      }
    }
    longest = std::fmax(longest, square);
  }
  return static_cast<float>(std::sqrt(longest));
}

// Between the levels, in 256ths.
int64_t choose_level(const TextureView& view, const Sampler& sampler, const TextureInstruction& instruction,
                     const TextureRequest& request) {
  const int64_t last = static_cast<int64_t>(view.levels.size()) - 1;
  if (instruction.level == LevelChoice::kGiven && instruction.integer_coordinates)
    return std::clamp<int64_t>(static_cast<int32_t>(request.level), 0, last) * kWeightOne;
  float level = 0;
  if (instruction.level == LevelChoice::kGiven) level = as_float(request.level) + sampler.level_bias;
  if (instruction.level == LevelChoice::kGradients)
    level = std::log2(footprint_size(view, sampler, instruction, request)) + sampler.level_bias;
  if (last == 0) return 0;
  level = std::fmin(std::fmax(level, sampler.min_level), sampler.max_level);
  return std::clamp<int64_t>(to_index(double{level} * kWeightOne + 0.5), 0, last * kWeightOne);
}

}  // namespace

Texel sample(const TextureView& view, const Sampler& sampler, const TextureInstruction& instruction,
             const TextureRequest& request) {
  const int64_t level = choose_level(view, sampler, instruction, request);
  const auto at = [&](int64_t index) {
    const LevelSampler image(view, sampler, view.levels[static_cast<size_t>(index)]);
    return instruction.integer_coordinates ? image.fetch(instruction.geometry, request)
                                           : image.sample(instruction.geometry, request);
  };
  const bool blends =
      sampler.level_filter == Filter::kLinear && view.gives_float && !instruction.integer_coordinates;
  if (!blends) return at((level + kWeightOne / 2) / kWeightOne);
  const int64_t weight = level % kWeightOne;
  Texel first = at(level / kWeightOne);
  if (weight == 0) return first;
  const Texel second = at(level / kWeightOne + 1);
  for (uint32_t i = 0; i < 4; ++i) {
    const double blended =
        (static_cast<double>(as_float(first.bits[i])) * static_cast<double>(kWeightOne - weight) +
         static_cast<double>(as_float(second.bits[i])) * static_cast<double>(weight)) /
        kWeightOne;
    first.bits[i] = std::bit_cast<uint32_t>(static_cast<float>(blended));
  }
  return first;
}

Texel gather(const TextureView& view, const Sampler& sampler, Geometry geometry, uint32_t channel,
             const TextureRequest& request) {
  return LevelSampler(view, sampler, view.levels.front()).gather(geometry, channel, request);
}

}  // namespace outboard::softgpu::exec
