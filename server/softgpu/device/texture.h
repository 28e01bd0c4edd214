// Texture and surface objects, and the references that modules declare.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/exec/texture.h"
#include "server/softgpu/ptx/reference.h"

namespace outboard::softgpu {

class Context;
class Platform;

using SharedView = std::shared_ptr<const exec::TextureView>;

// What kernels read through such a texture. `view` is null for the resource as it is.
// CUDA_ERROR_INVALID_VALUE or _INVALID_HANDLE for descriptions that make no sense,
// CUDA_ERROR_NOT_SUPPORTED for what the device does not have; *message says which.
CUresult make_texture_view(Platform& platform, const CUDA_RESOURCE_DESC& resource,
                           const CUDA_TEXTURE_DESC& texture, const CUDA_RESOURCE_VIEW_DESC* view,
                           SharedView* made, std::string* message);
CUresult make_surface_view(Platform& platform, const CUDA_RESOURCE_DESC& resource, SharedView* made,
                           std::string* message);

struct TextureObject : Object {
  static constexpr ObjectKind kKind = ObjectKind::kTexture;
  uint64_t context = 0;
  CUDA_RESOURCE_DESC resource{};
  CUDA_TEXTURE_DESC texture{};
  CUDA_RESOURCE_VIEW_DESC resource_view{};
  bool has_resource_view = false;
  SharedView view;
};

struct SurfaceObject : Object {
  static constexpr ObjectKind kKind = ObjectKind::kSurface;
  uint64_t context = 0;
  CUDA_RESOURCE_DESC resource{};
  SharedView view;
};

// Settings may change at any time between launches; kernels see the view of the settings of then.
class TextureReference : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kTextureReference;

  struct Settings {
    CUDA_TEXTURE_DESC texture{};
    CUarray_format format = CU_AD_FORMAT_UNSIGNED_INT8;  // of linear memory
    unsigned channels = 1;
    bool bound = false;
    CUDA_RESOURCE_DESC resource{};
  };

  TextureReference(Platform& platform, const ptx::ReferenceSettings& declared);

  Settings settings() const;
  template <typename F>
  void change(F&& change) {
    std::lock_guard lock(mutex_);
    change(settings_);
    view_.reset();
    tried_ = false;
  }
  // Null if nothing usable is bound.
  SharedView view();

 private:
  Platform& platform_;
  mutable std::mutex mutex_;
  Settings settings_;
  SharedView view_;
  bool tried_ = false;
};

class SurfaceReference : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kSurfaceReference;

  void bind(CUarray array, SharedView view);
  CUarray array() const;
  SharedView view() const;

 private:
  mutable std::mutex mutex_;
  CUarray array_ = nullptr;
  SharedView view_;
};

struct SamplerReference : Object {
  static constexpr ObjectKind kKind = ObjectKind::kSamplerReference;
  explicit SamplerReference(const ptx::ReferenceSettings& declared);
  SharedView view;
};

// Of any of the above; null if the handle names none that can be read.
SharedView find_texture_view(const HandleTable& handles, uint64_t handle);

}  // namespace outboard::softgpu
