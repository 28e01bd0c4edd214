// Texels: from memory to registers and back.
#include <bit>
#include <cmath>
#include <cstring>

#include "server/softgpu/exec/texture.h"

namespace outboard::softgpu::exec {
namespace {

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }
float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }

uint32_t channel_bytes(const TextureView& view) { return view.texel_bytes / view.channels; }

// Integers map to [0, 1], signed ones to [-1, 1]: the most negative value counts as the one above it.
float normalized(int32_t value, int32_t most) {
  return std::fmax(static_cast<float>(value) / static_cast<float>(most), -1.0f);
}

float linear_from_srgb(float value) {
  return value <= 0.04045f ? value / 12.92f : std::pow((value + 0.055f) / 1.055f, 2.4f);
}

uint32_t read_integer(const TextureView& view, const std::byte* from) {
  switch (view.type) {
    case TexelType::kUnsigned8: return load<uint8_t>(from);
    case TexelType::kUnsigned16: return load<uint16_t>(from);
    case TexelType::kSigned8: return static_cast<uint32_t>(int32_t{load<int8_t>(from)});
    case TexelType::kSigned16: return static_cast<uint32_t>(int32_t{load<int16_t>(from)});
    default: return load<uint32_t>(from);
  }
}

float read_float(const TextureView& view, const std::byte* from, bool is_colour) {
  switch (view.type) {
    case TexelType::kUnsigned8: {
      const float value = normalized(load<uint8_t>(from), 255);
      return view.srgb && is_colour ? linear_from_srgb(value) : value;
    }
    case TexelType::kUnsigned16: return normalized(load<uint16_t>(from), 65535);
    case TexelType::kSigned8: return normalized(load<int8_t>(from), 127);
    case TexelType::kSigned16: return normalized(load<int16_t>(from), 32767);
    case TexelType::kHalf: return static_cast<float>(std::bit_cast<_Float16>(load<uint16_t>(from)));
    default: return load<float>(from);
  }
}

uint32_t absent_channel(const TextureView& view, uint32_t channel) {
  if (channel < 3) return 0;
  return view.gives_float ? bits_of(1.0f) : 1;
}

}  // namespace

Texel read_texel(const TextureView& view, const std::byte* from) {
  Texel texel;
  const uint32_t bytes = channel_bytes(view);
  for (uint32_t i = 0; i < 4; ++i) {
    if (i >= view.channels) {
      texel.bits[i] = absent_channel(view, i);
    } else if (view.gives_float) {
      texel.bits[i] = bits_of(read_float(view, from + i * bytes, i < 3));
    } else {
      texel.bits[i] = read_integer(view, from + i * bytes);
    }
  }
  return texel;
}

// An integer border colour is given as bits in the place of floats.
Texel border_texel(const TextureView& view, const Sampler& sampler) {
  Texel texel;
  for (uint32_t i = 0; i < 4; ++i)
    texel.bits[i] = i < view.channels ? bits_of(sampler.border[i]) : absent_channel(view, i);
  return texel;
}

void write_texel(const TextureView& view, std::byte* to, const Texel& texel) {
  const uint32_t bytes = channel_bytes(view);
  for (uint32_t i = 0; i < view.channels; ++i, to += bytes) {
    const uint32_t bits = texel.bits[i];
    switch (view.type) {
      case TexelType::kUnsigned8: store(to, static_cast<uint8_t>(bits < 0xff ? bits : 0xff)); break;
      case TexelType::kUnsigned16: store(to, static_cast<uint16_t>(bits < 0xffff ? bits : 0xffff)); break;
      case TexelType::kSigned8: {
        const auto value = static_cast<int32_t>(bits);
        store(to, static_cast<int8_t>(value < -128 ? -128 : value > 127 ? 127 : value));
        break;
      }
      case TexelType::kSigned16: {
        const auto value = static_cast<int32_t>(bits);
        store(to, static_cast<int16_t>(value < -32768 ? -32768 : value > 32767 ? 32767 : value));
        break;
      }
      case TexelType::kHalf: store(to, std::bit_cast<uint16_t>(static_cast<_Float16>(float_of(bits)))); break;
      default: store(to, bits); break;
    }
  }
}

uint32_t query(const TextureView& view, TextureQuery what, uint32_t level) {
  // Numbers of the OpenCL image formats, which PTX uses.
  constexpr uint32_t kOrder[] = {0, 0x10b0, 0x10b2, 0, 0x10b5};
  constexpr uint32_t kNormalizedTypes[] = {0x10d2, 0x10d3, 0x10dc, 0x10d0, 0x10d1, 0x10d9, 0x10dd, 0x10de};
  constexpr uint32_t kIntegerTypes[] = {0x10da, 0x10db, 0x10dc, 0x10d7, 0x10d8, 0x10d9, 0x10dd, 0x10de};
  // As PTX lists them: wrap, mirror, clamp to OpenGL's border, clamp to edge, clamp to border.
  constexpr uint32_t kAddressModes[] = {0, 3, 1, 4};
  const auto type = static_cast<size_t>(view.type);
  const auto axis = static_cast<size_t>(what) - static_cast<size_t>(TextureQuery::kAddressMode0);
  const Sampler& sampler = view.sampler;
  switch (what) {
    case TextureQuery::kNormalizedCoordinates: return sampler.normalized;
    case TextureQuery::kForceUnnormalized: return !sampler.normalized;
    case TextureQuery::kFilterMode: return sampler.filter == Filter::kLinear;
    case TextureQuery::kAddressMode0:
    case TextureQuery::kAddressMode1:
    case TextureQuery::kAddressMode2: return kAddressModes[static_cast<size_t>(sampler.address[axis])];
    case TextureQuery::kLevels: return static_cast<uint32_t>(view.levels.size());
    case TextureQuery::kSamples: return 1;
    case TextureQuery::kMemoryLayout: return view.linear;
    case TextureQuery::kChannelOrder: return kOrder[view.channels];
    case TextureQuery::kChannelDataType:
      return view.gives_float ? kNormalizedTypes[type] : kIntegerTypes[type];
    default: break;
  }
  if (level >= view.levels.size()) return 0;
  const TextureLevel& image = view.levels[level];
  switch (what) {
    case TextureQuery::kWidth: return image.width;
    case TextureQuery::kHeight: return image.height;
    case TextureQuery::kDepth: return view.is_volume ? image.depth : 1;
    default: return view.cube ? image.depth / 6 : view.layered ? image.depth : 1;
  }
}

}  // namespace outboard::softgpu::exec
