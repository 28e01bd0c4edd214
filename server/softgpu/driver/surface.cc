// Surface objects and surface references.
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/texture.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

CUresult view_of(Platform& platform, const CUDA_RESOURCE_DESC& resource, const char* call, SharedView* view) {
  std::string message;
  const CUresult result = make_surface_view(platform, resource, view, &message);
  if (result != CUDA_SUCCESS) note(std::string(call) + ": " + message);
  return result;
}

template <typename F>
CUresult with_reference(CUsurfref handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto reference = find<SurfaceReference>(platform, handle);
    return reference == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(platform, *reference);
  });
}

}  // namespace

extern "C" {

CUresult cuSurfObjectCreate(CUsurfObject* handle, const CUDA_RESOURCE_DESC* resource) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || resource == nullptr) return CUDA_ERROR_INVALID_VALUE;
    auto object = std::make_shared<SurfaceObject>();
    object->context = context.handle();
    object->resource = *resource;
    const CUresult result = view_of(context.platform(), *resource, "cuSurfObjectCreate", &object->view);
    if (result == CUDA_SUCCESS) *handle = context.platform().handles().add(std::move(object));
    return result;
  });
}

CUresult cuSurfObjectDestroy(CUsurfObject handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (platform.handles().find<SurfaceObject>(handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
    wait_for_work(platform);
    platform.handles().remove<SurfaceObject>(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC* resource, CUsurfObject handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto surface = platform.handles().find<SurfaceObject>(handle);
    if (resource == nullptr || surface == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *resource = surface->resource;
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetSurfRef(CUsurfref* reference, CUmodule handle, const char* name) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto module = find<Module>(platform, handle);
    if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (reference == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t found = module->find_reference(name, outboard::softgpu::ptx::Space::kSurface);
    if (found == 0) return CUDA_ERROR_NOT_FOUND;
    *reference = reinterpret_cast<CUsurfref>(found);
    return CUDA_SUCCESS;
  });
}

CUresult cuSurfRefSetArray(CUsurfref handle, CUarray array, unsigned int flags) {
  return with_reference(handle, [&](Platform& platform, SurfaceReference& reference) -> CUresult {
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    SharedView view;
    const CUresult result = view_of(platform, resource, "cuSurfRefSetArray", &view);
    if (result != CUDA_SUCCESS) return result;
    // What is queued was launched with what is bound now.
    wait_for_work(platform);
    reference.bind(array, std::move(view));
    return CUDA_SUCCESS;
  });
}

CUresult cuSurfRefGetArray(CUarray* array, CUsurfref handle) {
  return with_reference(handle, [&](Platform&, SurfaceReference& reference) -> CUresult {
    if (array == nullptr || reference.array() == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *array = reference.array();
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
