// Texture objects.
#include "server/softgpu/device/texture.h"

#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_texture(CUtexObject handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto texture = platform.handles().find<TextureObject>(handle);
    return texture == nullptr ? CUDA_ERROR_INVALID_VALUE : function(*texture);
  });
}

}  // namespace

extern "C" {

CUresult cuTexObjectCreate(CUtexObject* handle, const CUDA_RESOURCE_DESC* resource,
                           const CUDA_TEXTURE_DESC* texture, const CUDA_RESOURCE_VIEW_DESC* resource_view) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || resource == nullptr || texture == nullptr) return CUDA_ERROR_INVALID_VALUE;
    auto object = std::make_shared<TextureObject>();
    object->context = context.handle();
    object->resource = *resource;
    object->texture = *texture;
    object->has_resource_view = resource_view != nullptr;
    if (resource_view != nullptr) object->resource_view = *resource_view;
    std::string message;
    const CUresult result =
        make_texture_view(context.platform(), *resource, *texture, resource_view, &object->view, &message);
    if (result == CUDA_SUCCESS)
      *handle = context.platform().handles().add(std::move(object));
    else
      note("cuTexObjectCreate: " + message);
    return result;
  });
}

// Programs destroy what a kernel that is still queued reads; real devices let that pass.
CUresult cuTexObjectDestroy(CUtexObject handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (platform.handles().find<TextureObject>(handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
    wait_for_work(platform);
    platform.handles().remove<TextureObject>(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC* resource, CUtexObject handle) {
  return with_texture(handle, [&](TextureObject& texture) -> CUresult {
    if (resource == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *resource = texture.resource;
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC* description, CUtexObject handle) {
  return with_texture(handle, [&](TextureObject& texture) -> CUresult {
    if (description == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *description = texture.texture;
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC* view, CUtexObject handle) {
  return with_texture(handle, [&](TextureObject& texture) -> CUresult {
    if (view == nullptr || !texture.has_resource_view) return CUDA_ERROR_INVALID_VALUE;
    *view = texture.resource_view;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
