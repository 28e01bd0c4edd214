// From the descriptions of the C interface to what kernels read.
#include <algorithm>
#include <cstring>

#include "server/softgpu/device/array.h"
#include "server/softgpu/device/attributes.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/texture.h"

namespace outboard::softgpu {
namespace {

// What stands in an enum of the application's, which need not be one of the enum's values.
template <typename Enum>
unsigned any_value(const Enum& from) {
  unsigned value = 0;
  static_assert(sizeof(Enum) == sizeof(value));
  std::memcpy(&value, &from, sizeof(value));
  return value;
}

using exec::TexelType;

constexpr unsigned kKnownFlags = CU_TRSF_READ_AS_INTEGER | CU_TRSF_NORMALIZED_COORDINATES | CU_TRSF_SRGB |
                                 CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION | CU_TRSF_SEAMLESS_CUBEMAP;
constexpr uint32_t kFaces = 6;

std::string number(uint64_t value) { return std::to_string(value); }

CUresult refuse(CUresult code, std::string* message, std::string text) {
  *message = std::move(text);
  return code;
}

bool find_type(CUarray_format format, TexelType* type) {
  switch (format) {
    case CU_AD_FORMAT_UNSIGNED_INT8: *type = TexelType::kUnsigned8; return true;
    case CU_AD_FORMAT_UNSIGNED_INT16: *type = TexelType::kUnsigned16; return true;
    case CU_AD_FORMAT_UNSIGNED_INT32: *type = TexelType::kUnsigned32; return true;
    case CU_AD_FORMAT_SIGNED_INT8: *type = TexelType::kSigned8; return true;
    case CU_AD_FORMAT_SIGNED_INT16: *type = TexelType::kSigned16; return true;
    case CU_AD_FORMAT_SIGNED_INT32: *type = TexelType::kSigned32; return true;
    case CU_AD_FORMAT_HALF: *type = TexelType::kHalf; return true;
    case CU_AD_FORMAT_FLOAT: *type = TexelType::kFloat; return true;
    default: return false;
  }
}

CUresult set_format(exec::TextureView& view, CUarray_format format, unsigned channels, std::string* message) {
  if (!find_type(format, &view.type))
    return refuse(CUDA_ERROR_NOT_SUPPORTED, message,
                  "array format " + number(static_cast<unsigned>(format)) + " is not supported");
  if (channels != 1 && channels != 2 && channels != 4)
    return refuse(CUDA_ERROR_INVALID_VALUE, message,
                  "a texel has 1, 2 or 4 channels; " + number(channels) + " were asked for");
  view.channels = channels;
  view.texel_bytes = channel_bytes(format) * channels;
  return CUDA_SUCCESS;
}

void add_level(exec::TextureView& view, const Array& array) {
  view.levels.push_back({reinterpret_cast<std::byte*>(array.address()),
                         static_cast<uint32_t>(array.descriptor().Width), static_cast<uint32_t>(array.rows()),
                         static_cast<uint32_t>(array.slices()), array.row_pitch(), array.slice_pitch()});
}

void set_shape(exec::TextureView& view, const CUDA_ARRAY3D_DESCRIPTOR& descriptor) {
  view.layered = (descriptor.Flags & CUDA_ARRAY3D_LAYERED) != 0;
  view.cube = (descriptor.Flags & CUDA_ARRAY3D_CUBEMAP) != 0;
  view.is_volume = descriptor.Depth != 0 && !view.layered && !view.cube;
}

CUresult use_array(Platform& platform, CUarray handle, exec::TextureView& view, std::string* message) {
  auto array = platform.handles().find<Array>(reinterpret_cast<uint64_t>(handle));
  if (array == nullptr) return refuse(CUDA_ERROR_INVALID_HANDLE, message, "the resource names no array");
  set_shape(view, array->descriptor());
  add_level(view, *array);
  const CUresult result =
      set_format(view, array->descriptor().Format, array->descriptor().NumChannels, message);
  view.owner = std::move(array);
  return result;
}

CUresult use_mipmap(Platform& platform, CUmipmappedArray handle, exec::TextureView& view,
                    std::string* message) {
  auto mipmap = platform.handles().find<MipmappedArray>(reinterpret_cast<uint64_t>(handle));
  if (mipmap == nullptr)
    return refuse(CUDA_ERROR_INVALID_HANDLE, message, "the resource names no mipmapped array");
  set_shape(view, mipmap->descriptor);
  for (const auto& level : mipmap->levels) add_level(view, *level);
  const CUresult result =
      set_format(view, mipmap->descriptor.Format, mipmap->descriptor.NumChannels, message);
  view.owner = std::move(mipmap);
  return result;
}

// Device memory: one row, or rows with a pitch.
CUresult use_memory(Platform& platform, CUdeviceptr address, uint64_t width, uint64_t height, uint64_t pitch,
                    exec::TextureView& view, std::string* message) {
  const auto limit = [&](int id) {
    int value = 0;
    (void)platform.device(0)->attribute(id, &value);
    return static_cast<uint64_t>(value);
  };
  const uint64_t align = limit(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
  if (address == 0 || address % align != 0)
    return refuse(
        CUDA_ERROR_INVALID_VALUE, message,
        "a texture's memory starts at a multiple of " + number(align) + ", not at " + number(address));
  const uint64_t most_width = limit(view.linear ? CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LINEAR_WIDTH
                                                : CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_WIDTH);
  const uint64_t most_height = limit(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_HEIGHT);
  if (width == 0 || height == 0 || width > most_width || height > most_height)
    return refuse(CUDA_ERROR_INVALID_VALUE, message,
                  "a texture in linear memory of " + number(width) + " by " + number(height) +
                      " texels was asked for; at most " + number(most_width) + " by " + number(most_height) +
                      " are possible");
  if (view.linear) {
    // Real devices ask for no more than an address, and programs claim more than they have; texels
    // beyond the allocation read as zero, like those beyond the texture.
    const auto held = platform.memory().find(address);
    if (held) width = std::min<uint64_t>(width, (held->end() - address) / view.texel_bytes);
  }
  const uint64_t row_bytes = width * view.texel_bytes;
  const uint64_t pitch_align = limit(CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT);
  const uint64_t most_pitch = limit(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_PITCH);
  if (!view.linear && (pitch < row_bytes || pitch % pitch_align != 0 || pitch > most_pitch))
    return refuse(CUDA_ERROR_INVALID_VALUE, message,
                  "a pitch of " + number(pitch) + " bytes must hold a row of " + number(row_bytes) +
                      ", be a multiple of " + number(pitch_align) + " and at most " + number(most_pitch));
  view.memory = {address, address + (height - 1) * pitch + row_bytes, true};
  if (!platform.memory().covers(view.memory.begin, view.memory.end - view.memory.begin))
    return refuse(CUDA_ERROR_INVALID_VALUE, message, "the texture's memory is not all allocated");
  view.levels.push_back({reinterpret_cast<std::byte*>(address), static_cast<uint32_t>(width),
                         static_cast<uint32_t>(height), 1, pitch, pitch * height});
  return CUDA_SUCCESS;
}

CUresult use_resource(Platform& platform, const CUDA_RESOURCE_DESC& resource, exec::TextureView& view,
                      std::string* message) {
  if (resource.flags != 0) return refuse(CUDA_ERROR_INVALID_VALUE, message, "flags of a resource must be 0");
  switch (any_value(resource.resType)) {
    case CU_RESOURCE_TYPE_ARRAY: return use_array(platform, resource.res.array.hArray, view, message);
    case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
      return use_mipmap(platform, resource.res.mipmap.hMipmappedArray, view, message);
    case CU_RESOURCE_TYPE_LINEAR: {
      const auto& linear = resource.res.linear;
      view.linear = true;
      if (const CUresult result = set_format(view, linear.format, linear.numChannels, message);
          result != CUDA_SUCCESS)
        return result;
      return use_memory(platform, linear.devPtr, linear.sizeInBytes / view.texel_bytes, 1, linear.sizeInBytes,
                        view, message);
    }
    case CU_RESOURCE_TYPE_PITCH2D: {
      const auto& pitch = resource.res.pitch2D;
      if (const CUresult result = set_format(view, pitch.format, pitch.numChannels, message);
          result != CUDA_SUCCESS)
        return result;
      return use_memory(platform, pitch.devPtr, pitch.width, pitch.height, pitch.pitchInBytes, view, message);
    }
    default:
      return refuse(CUDA_ERROR_INVALID_VALUE, message,
                    "resource type " + number(any_value(resource.resType)) + " is unknown");
  }
}

// Another format of the same size, and parts of the levels and layers.
CUresult restrict_view(const CUDA_RESOURCE_VIEW_DESC& part, exec::TextureView& view, std::string* message) {
  if (part.format >= CU_RES_VIEW_FORMAT_UNSIGNED_BC1)
    return refuse(CUDA_ERROR_NOT_SUPPORTED, message, "block-compressed views are not supported");
  if (part.format != CU_RES_VIEW_FORMAT_NONE) {
    constexpr CUarray_format kFormats[] = {CU_AD_FORMAT_UNSIGNED_INT8,  CU_AD_FORMAT_SIGNED_INT8,
                                           CU_AD_FORMAT_UNSIGNED_INT16, CU_AD_FORMAT_SIGNED_INT16,
                                           CU_AD_FORMAT_UNSIGNED_INT32, CU_AD_FORMAT_SIGNED_INT32,
                                           CU_AD_FORMAT_HALF,           CU_AD_FORMAT_FLOAT};
    const unsigned index = static_cast<unsigned>(part.format) - 1;
    const uint32_t before = view.texel_bytes;
    (void)set_format(view, kFormats[index / 3], 1u << index % 3, message);
    if (view.texel_bytes != before)
      return refuse(CUDA_ERROR_INVALID_VALUE, message,
                    "a view with texels of " + number(view.texel_bytes) +
                        " bytes was asked for, the array has " + number(before));
  }
  const exec::TextureLevel& image = view.levels.front();
  const bool other_size = (part.width != 0 && part.width != image.width) ||
                          (part.height != 0 && part.height != image.height) ||
                          (view.is_volume && part.depth != 0 && part.depth != image.depth);
  if (other_size || part.lastMipmapLevel >= view.levels.size() ||
      part.firstMipmapLevel > part.lastMipmapLevel)
    return refuse(CUDA_ERROR_INVALID_VALUE, message, "the view does not have the array's size or levels");
  view.levels.resize(part.lastMipmapLevel + 1);
  view.levels.erase(view.levels.begin(), view.levels.begin() + part.firstMipmapLevel);
  if (view.layered && (part.firstLayer != 0 || part.lastLayer != 0)) {
    const uint32_t slices = view.cube ? kFaces : 1;
    if (part.lastLayer < part.firstLayer || (part.lastLayer + 1) * slices > image.depth)
      return refuse(CUDA_ERROR_INVALID_VALUE, message, "the view has layers that the array does not have");
    for (exec::TextureLevel& level : view.levels) {
      level.data += part.firstLayer * slices * level.slice_pitch;
      level.depth = (part.lastLayer - part.firstLayer + 1) * slices;
    }
  }
  return CUDA_SUCCESS;
}

CUresult set_sampler(const CUDA_TEXTURE_DESC& texture, exec::TextureView& view, std::string* message) {
  exec::Sampler& sampler = view.sampler;
  for (int i = 0; i < 3; ++i) {
    if (any_value(texture.addressMode[i]) > CU_TR_ADDRESS_MODE_BORDER)
      return refuse(CUDA_ERROR_INVALID_VALUE, message,
                    "address mode " + number(any_value(texture.addressMode[i])) + " is unknown");
    sampler.address[i] = static_cast<exec::AddressMode>(texture.addressMode[i]);
  }
  if (any_value(texture.filterMode) > CU_TR_FILTER_MODE_LINEAR ||
      any_value(texture.mipmapFilterMode) > CU_TR_FILTER_MODE_LINEAR)
    return refuse(CUDA_ERROR_INVALID_VALUE, message, "a filter mode is unknown");
  if ((texture.flags & ~kKnownFlags) != 0)
    return refuse(CUDA_ERROR_INVALID_VALUE, message,
                  "texture flags " + number(texture.flags) + " are unknown");
  sampler.filter = static_cast<exec::Filter>(texture.filterMode);
  sampler.level_filter = static_cast<exec::Filter>(texture.mipmapFilterMode);
  sampler.normalized = (texture.flags & CU_TRSF_NORMALIZED_COORDINATES) != 0;
  sampler.seamless_cube = (texture.flags & CU_TRSF_SEAMLESS_CUBEMAP) != 0;
  sampler.level_bias = texture.mipmapLevelBias;
  sampler.min_level = texture.minMipmapLevelClamp;
  sampler.max_level = texture.maxMipmapLevelClamp;
  for (int i = 0; i < 4; ++i) sampler.border[i] = texture.borderColor[i];
  const bool is_float = view.type == TexelType::kHalf || view.type == TexelType::kFloat;
  const bool small = view.texel_bytes / view.channels < 4;
  view.gives_float = is_float || (small && (texture.flags & CU_TRSF_READ_AS_INTEGER) == 0);
  view.srgb = (texture.flags & CU_TRSF_SRGB) != 0;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult make_texture_view(Platform& platform, const CUDA_RESOURCE_DESC& resource,
                           const CUDA_TEXTURE_DESC& texture, const CUDA_RESOURCE_VIEW_DESC* part,
                           SharedView* made, std::string* message) {
  auto view = std::make_shared<exec::TextureView>();
  CUresult result = use_resource(platform, resource, *view, message);
  if (result == CUDA_SUCCESS && part != nullptr) {
    const bool is_array =
        resource.resType == CU_RESOURCE_TYPE_ARRAY || resource.resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
    result = is_array ? restrict_view(*part, *view, message)
                      : refuse(CUDA_ERROR_INVALID_VALUE, message, "only arrays have resource views");
  }
  if (result == CUDA_SUCCESS) result = set_sampler(texture, *view, message);
  if (result == CUDA_SUCCESS) *made = std::move(view);
  return result;
}

CUresult make_surface_view(Platform& platform, const CUDA_RESOURCE_DESC& resource, SharedView* made,
                           std::string* message) {
  if (resource.resType != CU_RESOURCE_TYPE_ARRAY)
    return refuse(CUDA_ERROR_INVALID_VALUE, message, "a surface is made of an array");
  auto view = std::make_shared<exec::TextureView>();
  view->kind = exec::ViewKind::kSurface;
  const CUresult result = use_resource(platform, resource, *view, message);
  if (result != CUDA_SUCCESS) return result;
  const auto array = platform.handles().find<Array>(reinterpret_cast<uint64_t>(resource.res.array.hArray));
  if (array == nullptr || (array->descriptor().Flags & CUDA_ARRAY3D_SURFACE_LDST) == 0)
    return refuse(CUDA_ERROR_INVALID_VALUE, message, "the array was made without CUDA_ARRAY3D_SURFACE_LDST");
  view->gives_float = view->type == TexelType::kHalf || view->type == TexelType::kFloat;
  *made = std::move(view);
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
