#include "server/softgpu/device/array.h"

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

constexpr unsigned kCubeFaces = 6;
// Depth textures, sparse and video arrays, and memory that is mapped later, do not exist here.
constexpr unsigned kKnownFlags = CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_SURFACE_LDST | CUDA_ARRAY3D_CUBEMAP |
                                 CUDA_ARRAY3D_TEXTURE_GATHER | CUDA_ARRAY3D_COLOR_ATTACHMENT;

bool shape_fits(const CUDA_ARRAY3D_DESCRIPTOR& d) {
  const bool layered = (d.Flags & CUDA_ARRAY3D_LAYERED) != 0, cube = (d.Flags & CUDA_ARRAY3D_CUBEMAP) != 0;
  if (layered && d.Depth == 0) return false;
  if (cube) return d.Width == d.Height && d.Depth % kCubeFaces == 0 && (layered || d.Depth == kCubeFaces);
  // A volume has rows in its slices.
  return layered || d.Depth == 0 || d.Height != 0;
}

// The limits that the device's attributes tell.
bool size_fits(const Device& device, const CUDA_ARRAY3D_DESCRIPTOR& d) {
  const auto within = [&](uint64_t extent, int attribute) {
    int most = 0;
    return device.attribute(attribute, &most) == CUDA_SUCCESS && extent <= static_cast<uint64_t>(most);
  };
  if (d.Flags & CUDA_ARRAY3D_CUBEMAP)
    return within(d.Width, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_WIDTH) &&
           within(d.Depth / kCubeFaces, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_LAYERED_LAYERS);
  if (d.Flags & CUDA_ARRAY3D_LAYERED)
    return within(d.Width, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_WIDTH) &&
           within(d.Height, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_HEIGHT) &&
           within(d.Depth, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_LAYERS);
  if (d.Depth != 0)
    return within(d.Width, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH) &&
           within(d.Height, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT) &&
           within(d.Depth, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH);
  return within(d.Width, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_WIDTH) &&
         within(d.Height, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_HEIGHT);
}

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

uint32_t channel_bytes(CUarray_format format) {
  switch (format) {
    case CU_AD_FORMAT_UNSIGNED_INT8:
    case CU_AD_FORMAT_SIGNED_INT8: return 1;
    case CU_AD_FORMAT_UNSIGNED_INT16:
    case CU_AD_FORMAT_SIGNED_INT16:
    case CU_AD_FORMAT_HALF: return 2;
    case CU_AD_FORMAT_UNSIGNED_INT32:
    case CU_AD_FORMAT_SIGNED_INT32:
    case CU_AD_FORMAT_FLOAT: return 4;
    default: return 0;
  }
}

Array::Array(Device& device, uint64_t context, const CUDA_ARRAY3D_DESCRIPTOR& descriptor)
    : device_(device),
      context_(context),
      descriptor_(descriptor),
      element_bytes_(channel_bytes(descriptor.Format) * descriptor.NumChannels),
      row_pitch_(round_up(descriptor.Width * element_bytes_, 32)) {}

CUresult Array::create(Context& context, const CUDA_ARRAY3D_DESCRIPTOR& d, std::shared_ptr<Array>* array) {
  const bool channels_fit = d.NumChannels == 1 || d.NumChannels == 2 || d.NumChannels == 4;
  if (channel_bytes(d.Format) == 0 || (d.Flags & ~kKnownFlags) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  if (!channels_fit || d.Width == 0 || !shape_fits(d) || !size_fits(context.device(), d))
    return CUDA_ERROR_INVALID_VALUE;
  auto made = std::make_shared<Array>(context.device(), context.handle(), d);
  MemoryRequest request;
  request.bytes = made->bytes();
  request.kind = MemoryKind::kArray;
  request.context = context.handle();
  const CUresult result = context.device().allocate(request, &made->address_);
  if (result == CUDA_SUCCESS) *array = std::move(made);
  return result;
}

Array::~Array() {
  if (address_ != 0) (void)device_.free(address_);
}

}  // namespace outboard::softgpu
