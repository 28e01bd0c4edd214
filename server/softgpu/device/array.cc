#include "server/softgpu/device/array.h"

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

constexpr uint64_t kMaxArrayExtent = 131072;

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
  if (channel_bytes(d.Format) == 0) return CUDA_ERROR_NOT_SUPPORTED;
  if (!channels_fit || d.Width == 0 || d.Width > kMaxArrayExtent || d.Height > kMaxArrayExtent ||
      d.Depth > kMaxArrayExtent) {
    return CUDA_ERROR_INVALID_VALUE;
  }
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
