// Texture references: the textures that a module declares by name, and what is bound to them.
#include <algorithm>

#include "server/softgpu/device/array.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/texture.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

using Settings = TextureReference::Settings;

template <typename F>
CUresult with_reference(CUtexref handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto reference = find<TextureReference>(platform, handle);
    return reference == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(platform, *reference);
  });
}

// function(Settings&). What is queued was launched with the settings of now.
template <typename F>
CUresult change(Platform& platform, TextureReference& reference, F&& function) {
  wait_for_work(platform);
  reference.change(function);
  return CUDA_SUCCESS;
}
template <typename F>
CUresult change(CUtexref handle, F&& function) noexcept {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) {
    return change(platform, reference, function);
  });
}

// Writes function(const Settings&) to `out`.
template <typename T, typename F>
CUresult read(T* out, CUtexref handle, F&& function) noexcept {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_reference(handle, [&](Platform&, TextureReference& reference) -> CUresult {
    *out = function(reference.settings());
    return CUDA_SUCCESS;
  });
}

CUresult bind(Platform& platform, TextureReference& reference, const CUDA_RESOURCE_DESC& resource) {
  return change(platform, reference, [&](Settings& settings) {
    settings.resource = resource;
    settings.bound = true;
  });
}

uint64_t texture_alignment(Platform& platform) {
  int value = 0;
  (void)platform.device(0)->attribute(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, &value);
  return static_cast<uint64_t>(value);
}

}  // namespace

extern "C" {

CUresult cuModuleGetTexRef(CUtexref* reference, CUmodule handle, const char* name) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto module = find<Module>(platform, handle);
    if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (reference == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t found = module->find_reference(name, outboard::softgpu::ptx::Space::kTexture);
    if (found == 0) return CUDA_ERROR_NOT_FOUND;
    *reference = reinterpret_cast<CUtexref>(found);
    return CUDA_SUCCESS;
  });
}

// A reference that no module declares: kernels can be given its handle as an argument only.
CUresult cuTexRefCreate(CUtexref* reference) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (reference == nullptr) return CUDA_ERROR_INVALID_VALUE;
    auto made = std::make_shared<TextureReference>(platform, outboard::softgpu::ptx::ReferenceSettings{});
    *reference = reinterpret_cast<CUtexref>(platform.handles().add(std::move(made)));
    return CUDA_SUCCESS;
  });
}

CUresult cuTexRefDestroy(CUtexref handle) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    wait_for_work(platform);
    platform.handles().remove<TextureReference>(reference.handle());
    return CUDA_SUCCESS;
  });
}

CUresult cuTexRefSetArray(CUtexref handle, CUarray array, unsigned int flags) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    if (find<Array>(platform, array) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (flags != CU_TRSA_OVERRIDE_FORMAT) return CUDA_ERROR_INVALID_VALUE;
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    return bind(platform, reference, resource);
  });
}

CUresult cuTexRefSetMipmappedArray(CUtexref handle, CUmipmappedArray mipmap, unsigned int flags) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    if (find<MipmappedArray>(platform, mipmap) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (flags != CU_TRSA_OVERRIDE_FORMAT) return CUDA_ERROR_INVALID_VALUE;
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
    resource.res.mipmap.hMipmappedArray = mipmap;
    return bind(platform, reference, resource);
  });
}

CUresult cuTexRefSetAddress_v2(size_t* offset, CUtexref handle, CUdeviceptr address, size_t bytes) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    // The texture starts at the aligned address below; kernels add the offset.
    const uint64_t rest = address % texture_alignment(platform);
    if (rest != 0 && offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!platform.memory().covers(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
    const Settings settings = reference.settings();
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_LINEAR;
    resource.res.linear.devPtr = address - rest;
    resource.res.linear.format = settings.format;
    resource.res.linear.numChannels = settings.channels;
    resource.res.linear.sizeInBytes = bytes + rest;
    if (offset != nullptr) *offset = rest;
    return bind(platform, reference, resource);
  });
}

CUresult cuTexRefSetAddress2D_v3(CUtexref handle, const CUDA_ARRAY_DESCRIPTOR* descriptor,
                                 CUdeviceptr address, size_t pitch) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    if (descriptor == nullptr || address % texture_alignment(platform) != 0) return CUDA_ERROR_INVALID_VALUE;
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_PITCH2D;
    resource.res.pitch2D.devPtr = address;
    resource.res.pitch2D.format = descriptor->Format;
    resource.res.pitch2D.numChannels = descriptor->NumChannels;
    resource.res.pitch2D.width = descriptor->Width;
    resource.res.pitch2D.height = descriptor->Height;
    resource.res.pitch2D.pitchInBytes = pitch;
    return bind(platform, reference, resource);
  });
}
// The older one lets a driver copy what is not aligned; nothing here needs that.
CUresult cuTexRefSetAddress2D_v2(CUtexref handle, const CUDA_ARRAY_DESCRIPTOR* descriptor,
                                 CUdeviceptr address, size_t pitch) {
  return cuTexRefSetAddress2D_v3(handle, descriptor, address, pitch);
}

// The format takes effect with the next address; arrays have their own.
CUresult cuTexRefSetFormat(CUtexref handle, CUarray_format format, int channels) {
  if (channel_bytes(format) == 0 || (channels != 1 && channels != 2 && channels != 4))
    return CUDA_ERROR_INVALID_VALUE;
  return change(handle, [&](Settings& settings) {
    settings.format = format;
    settings.channels = static_cast<unsigned>(channels);
    if (settings.bound && settings.resource.resType == CU_RESOURCE_TYPE_LINEAR) {
      settings.resource.res.linear.format = format;
      settings.resource.res.linear.numChannels = settings.channels;
    }
  });
}
CUresult cuTexRefSetAddressMode(CUtexref handle, int axis, CUaddress_mode mode) {
  if (axis < 0 || axis > 2 || static_cast<unsigned>(mode) > CU_TR_ADDRESS_MODE_BORDER)
    return CUDA_ERROR_INVALID_VALUE;
  return change(handle, [&](Settings& settings) { settings.texture.addressMode[axis] = mode; });
}
CUresult cuTexRefSetFilterMode(CUtexref handle, CUfilter_mode mode) {
  if (static_cast<unsigned>(mode) > CU_TR_FILTER_MODE_LINEAR) return CUDA_ERROR_INVALID_VALUE;
  return change(handle, [&](Settings& settings) { settings.texture.filterMode = mode; });
}
CUresult cuTexRefSetMipmapFilterMode(CUtexref handle, CUfilter_mode mode) {
  if (static_cast<unsigned>(mode) > CU_TR_FILTER_MODE_LINEAR) return CUDA_ERROR_INVALID_VALUE;
  return change(handle, [&](Settings& settings) { settings.texture.mipmapFilterMode = mode; });
}
CUresult cuTexRefSetMipmapLevelBias(CUtexref handle, float bias) {
  return change(handle, [&](Settings& settings) { settings.texture.mipmapLevelBias = bias; });
}
CUresult cuTexRefSetMipmapLevelClamp(CUtexref handle, float least, float most) {
  return change(handle, [&](Settings& settings) {
    settings.texture.minMipmapLevelClamp = least;
    settings.texture.maxMipmapLevelClamp = most;
  });
}
CUresult cuTexRefSetMaxAnisotropy(CUtexref handle, unsigned int most) {
  return change(handle, [&](Settings& settings) { settings.texture.maxAnisotropy = most; });
}
CUresult cuTexRefSetBorderColor(CUtexref handle, float* colour) {
  if (colour == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return change(handle, [&](Settings& settings) { std::copy_n(colour, 4, settings.texture.borderColor); });
}
CUresult cuTexRefSetFlags(CUtexref handle, unsigned int flags) {
  return change(handle, [&](Settings& settings) { settings.texture.flags = flags; });
}

CUresult cuTexRefGetArray(CUarray* array, CUtexref handle) {
  return with_reference(handle, [&](Platform&, TextureReference& reference) -> CUresult {
    const Settings settings = reference.settings();
    if (array == nullptr || !settings.bound || settings.resource.resType != CU_RESOURCE_TYPE_ARRAY)
      return CUDA_ERROR_INVALID_VALUE;
    *array = settings.resource.res.array.hArray;
    return CUDA_SUCCESS;
  });
}
CUresult cuTexRefGetMipmappedArray(CUmipmappedArray* mipmap, CUtexref handle) {
  return with_reference(handle, [&](Platform&, TextureReference& reference) -> CUresult {
    const Settings settings = reference.settings();
    if (mipmap == nullptr || !settings.bound || settings.resource.resType != CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
      return CUDA_ERROR_INVALID_VALUE;
    *mipmap = settings.resource.res.mipmap.hMipmappedArray;
    return CUDA_SUCCESS;
  });
}
CUresult cuTexRefGetAddress_v2(CUdeviceptr* address, CUtexref handle) {
  return with_reference(handle, [&](Platform&, TextureReference& reference) -> CUresult {
    const Settings settings = reference.settings();
    const bool linear = settings.resource.resType == CU_RESOURCE_TYPE_LINEAR;
    if (address == nullptr || !settings.bound ||
        (!linear && settings.resource.resType != CU_RESOURCE_TYPE_PITCH2D))
      return CUDA_ERROR_INVALID_VALUE;
    *address = linear ? settings.resource.res.linear.devPtr : settings.resource.res.pitch2D.devPtr;
    return CUDA_SUCCESS;
  });
}
CUresult cuTexRefGetFormat(CUarray_format* format, int* channels, CUtexref handle) {
  return with_reference(handle, [&](Platform& platform, TextureReference& reference) -> CUresult {
    const Settings settings = reference.settings();
    CUarray_format found = settings.format;
    unsigned count = settings.channels;
    if (settings.bound && settings.resource.resType == CU_RESOURCE_TYPE_ARRAY) {
      const auto array = find<Array>(platform, settings.resource.res.array.hArray);
      if (array == nullptr) return CUDA_ERROR_INVALID_VALUE;
      found = array->descriptor().Format;
      count = array->descriptor().NumChannels;
    }
    if (format != nullptr) *format = found;
    if (channels != nullptr) *channels = static_cast<int>(count);
    return CUDA_SUCCESS;
  });
}
CUresult cuTexRefGetAddressMode(CUaddress_mode* mode, CUtexref handle, int axis) {
  if (axis < 0 || axis > 2) return CUDA_ERROR_INVALID_VALUE;
  return read(mode, handle, [&](const Settings& settings) { return settings.texture.addressMode[axis]; });
}
CUresult cuTexRefGetFilterMode(CUfilter_mode* mode, CUtexref handle) {
  return read(mode, handle, [](const Settings& settings) { return settings.texture.filterMode; });
}
CUresult cuTexRefGetMipmapFilterMode(CUfilter_mode* mode, CUtexref handle) {
  return read(mode, handle, [](const Settings& settings) { return settings.texture.mipmapFilterMode; });
}
CUresult cuTexRefGetMipmapLevelBias(float* bias, CUtexref handle) {
  return read(bias, handle, [](const Settings& settings) { return settings.texture.mipmapLevelBias; });
}
CUresult cuTexRefGetMipmapLevelClamp(float* least, float* most, CUtexref handle) {
  const CUresult result =
      read(least, handle, [](const Settings& settings) { return settings.texture.minMipmapLevelClamp; });
  if (result != CUDA_SUCCESS) return result;
  return read(most, handle, [](const Settings& settings) { return settings.texture.maxMipmapLevelClamp; });
}
CUresult cuTexRefGetMaxAnisotropy(int* most, CUtexref handle) {
  return read(most, handle,
              [](const Settings& settings) { return static_cast<int>(settings.texture.maxAnisotropy); });
}
CUresult cuTexRefGetBorderColor(float* colour, CUtexref handle) {
  return with_reference(handle, [&](Platform&, TextureReference& reference) -> CUresult {
    if (colour == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Settings settings = reference.settings();
    std::copy_n(settings.texture.borderColor, 4, colour);
    return CUDA_SUCCESS;
  });
}
CUresult cuTexRefGetFlags(unsigned int* flags, CUtexref handle) {
  return read(flags, handle, [](const Settings& settings) { return settings.texture.flags; });
}

}  // extern "C"
