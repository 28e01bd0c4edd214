#include "server/softgpu/device/texture.h"

#include "server/softgpu/device/note.h"

namespace outboard::softgpu {

TextureReference::TextureReference(Platform& platform, const ptx::ReferenceSettings& declared)
    : platform_(platform) {
  CUDA_TEXTURE_DESC& texture = settings_.texture;
  for (int i = 0; i < 3; ++i) texture.addressMode[i] = static_cast<CUaddress_mode>(declared.address_modes[i]);
  texture.filterMode = declared.linear_filter ? CU_TR_FILTER_MODE_LINEAR : CU_TR_FILTER_MODE_POINT;
  if (declared.normalized_coordinates) texture.flags = CU_TRSF_NORMALIZED_COORDINATES;
}

TextureReference::Settings TextureReference::settings() const {
  std::lock_guard lock(mutex_);
  return settings_;
}

SharedView TextureReference::view() {
  std::lock_guard lock(mutex_);
  if (tried_ || !settings_.bound) return view_;
  tried_ = true;
  std::string message;
  const CUresult result =
      make_texture_view(platform_, settings_.resource, settings_.texture, nullptr, &view_, &message);
  if (result != CUDA_SUCCESS) note("A texture reference cannot be read: " + message);
  return view_;
}

void SurfaceReference::bind(CUarray array, SharedView view) {
  std::lock_guard lock(mutex_);
  array_ = array;
  view_ = std::move(view);
}

CUarray SurfaceReference::array() const {
  std::lock_guard lock(mutex_);
  return array_;
}

SharedView SurfaceReference::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

SamplerReference::SamplerReference(const ptx::ReferenceSettings& declared) {
  auto made = std::make_shared<exec::TextureView>();
  made->kind = exec::ViewKind::kSampler;
  exec::Sampler& sampler = made->sampler;
  for (int i = 0; i < 3; ++i) sampler.address[i] = static_cast<exec::AddressMode>(declared.address_modes[i]);
  sampler.filter = declared.linear_filter ? exec::Filter::kLinear : exec::Filter::kPoint;
  sampler.normalized = !declared.force_unnormalized;
  view = std::move(made);
}

SharedView find_texture_view(const HandleTable& handles, uint64_t handle) {
  switch (HandleTable::kind_of(handle)) {
    case ObjectKind::kTexture: {
      const auto object = handles.find<TextureObject>(handle);
      return object == nullptr ? nullptr : object->view;
    }
    case ObjectKind::kSurface: {
      const auto object = handles.find<SurfaceObject>(handle);
      return object == nullptr ? nullptr : object->view;
    }
    case ObjectKind::kTextureReference: {
      const auto reference = handles.find<TextureReference>(handle);
      return reference == nullptr ? nullptr : reference->view();
    }
    case ObjectKind::kSurfaceReference: {
      const auto reference = handles.find<SurfaceReference>(handle);
      return reference == nullptr ? nullptr : reference->view();
    }
    case ObjectKind::kSamplerReference: {
      const auto reference = handles.find<SamplerReference>(handle);
      return reference == nullptr ? nullptr : reference->view;
    }
    default: return nullptr;
  }
}

}  // namespace outboard::softgpu
