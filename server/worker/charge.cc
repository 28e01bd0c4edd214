#include "server/worker/charge.h"

#include <algorithm>

namespace outboard::server {
namespace {

// UINT64_MAX where the product does not fit: no account grants that.
uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

// Bits of one channel, or of one element of the formats that name their channels themselves. What is
// not listed (four channels of 16 bits, video formats) has at most 64.
uint64_t channel_bits(CUarray_format format) {
  switch (format) {
    case CU_AD_FORMAT_UNSIGNED_INT8:
    case CU_AD_FORMAT_SIGNED_INT8:
    case CU_AD_FORMAT_UNORM_INT8X1:
    case CU_AD_FORMAT_SNORM_INT8X1: return 8;
    case CU_AD_FORMAT_UNSIGNED_INT16:
    case CU_AD_FORMAT_SIGNED_INT16:
    case CU_AD_FORMAT_HALF:
    case CU_AD_FORMAT_UNORM_INT8X2:
    case CU_AD_FORMAT_SNORM_INT8X2:
    case CU_AD_FORMAT_UNORM_INT16X1:
    case CU_AD_FORMAT_SNORM_INT16X1: return 16;
    case CU_AD_FORMAT_NV12: return 12;
    case CU_AD_FORMAT_UNSIGNED_INT32:
    case CU_AD_FORMAT_SIGNED_INT32:
    case CU_AD_FORMAT_FLOAT:
    case CU_AD_FORMAT_UNORM_INT8X4:
    case CU_AD_FORMAT_SNORM_INT8X4:
    case CU_AD_FORMAT_UNORM_INT16X2:
    case CU_AD_FORMAT_SNORM_INT16X2: return 32;
    case CU_AD_FORMAT_BC1_UNORM:
    case CU_AD_FORMAT_BC1_UNORM_SRGB:
    case CU_AD_FORMAT_BC4_UNORM:
    case CU_AD_FORMAT_BC4_SNORM: return 4;
    case CU_AD_FORMAT_BC2_UNORM:
    case CU_AD_FORMAT_BC2_UNORM_SRGB:
    case CU_AD_FORMAT_BC3_UNORM:
    case CU_AD_FORMAT_BC3_UNORM_SRGB:
    case CU_AD_FORMAT_BC5_UNORM:
    case CU_AD_FORMAT_BC5_SNORM:
    case CU_AD_FORMAT_BC6H_UF16:
    case CU_AD_FORMAT_BC6H_SF16:
    case CU_AD_FORMAT_BC7_UNORM:
    case CU_AD_FORMAT_BC7_UNORM_SRGB: return 8;
    default: return 64;
  }
}

bool counts_channels(CUarray_format format) { return format <= CU_AD_FORMAT_FLOAT; }

uint64_t bytes_of(uint64_t width, uint64_t height, uint64_t depth, CUarray_format format, unsigned channels) {
  const uint64_t elements = times(times(width, std::max<uint64_t>(height, 1)), std::max<uint64_t>(depth, 1));
  const uint64_t bits = channel_bits(format) * (counts_channels(format) ? std::max(channels, 1u) : 1);
  const uint64_t total = times(elements, bits);
  return total == UINT64_MAX ? total : (total + 7) / 8;
}

}  // namespace

Charge::Charge(const Worker& worker, uint64_t bytes) {
  uint32_t device = 0;
  if (worker.current_device(&device) != CUDA_SUCCESS) {
    granted_ = true;  // the driver will say that there is no context
    return;
  }
  *this = Charge(worker, bytes, device);
}

Charge::Charge(const Worker& worker, uint64_t bytes, std::optional<uint32_t> device)
    : context_owner_(worker.context_owner()) {
  // A device that the session does not have is for the driver to refuse.
  if (!device || *device >= worker.session().devices) {
    granted_ = true;
    return;
  }
  auto reservation = worker.session().pools.reserve(*device, bytes);
  granted_ = reservation.has_value();
  if (granted_) reservation_ = std::move(*reservation);
}

void Charge::commit(AllocationKey key) {
  const bool goes_with_context = key.kind == AllocationKind::kArray ||
                                 key.kind == AllocationKind::kMipmappedArray ||
                                 key.kind == AllocationKind::kModule;
  reservation_.commit(key, goes_with_context ? context_owner_ : 0);
}

uint64_t array_bytes(const CUDA_ARRAY_DESCRIPTOR& descriptor) {
  return bytes_of(descriptor.Width, descriptor.Height, 1, descriptor.Format, descriptor.NumChannels);
}

uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor) {
  // These get their memory later, from allocations that are charged themselves.
  if ((descriptor.Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) != 0) return 0;
  return bytes_of(descriptor.Width, descriptor.Height, descriptor.Depth, descriptor.Format,
                  descriptor.NumChannels);
}

uint64_t mipmap_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, uint32_t levels) {
  CUDA_ARRAY3D_DESCRIPTOR level = descriptor;
  uint64_t total = 0;
  const auto halve = [](size_t& extent) { extent = extent <= 1 ? extent : extent / 2; };
  for (uint32_t i = 0; i < levels; ++i) {
    if (__builtin_add_overflow(total, array_bytes(level), &total)) return UINT64_MAX;
    // The third extent of a layered array counts layers, which all levels have.
    const bool layered = (level.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
    if (level.Width <= 1 && level.Height <= 1 && (layered || level.Depth <= 1)) break;
    halve(level.Width);
    halve(level.Height);
    if (!layered) halve(level.Depth);
  }
  return total;
}

std::optional<uint32_t> device_of(const CUmemLocation& location) {
  if (location.type != CU_MEM_LOCATION_TYPE_DEVICE || location.id < 0) return std::nullopt;
  return static_cast<uint32_t>(location.id);
}

}  // namespace outboard::server
