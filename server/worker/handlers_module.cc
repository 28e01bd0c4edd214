// Modules and libraries: loading, their functions, their variables.
#include <cstring>
#include <memory>
#include <string>

#include "server/worker/charge.h"
#include "server/worker/function_description.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/image_memory.h"
#include "server/worker/jit_options.h"
#include "server/worker/module_image.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

constexpr uint8_t kModule = 0;
constexpr uint8_t kLibrary = 1;

// Names what was created, or ends the session.
template <typename T>
CUresult name_created(Worker& worker, HandleKind kind, wire::Handle handle, T* native) {
  if (Status named = worker.name_object(kind, handle, native); !named)
    return worker.violation(named.error().message);
  return CUDA_SUCCESS;
}

template <typename T>
CUresult name_created(Worker& worker, HandleKind kind, wire::Handle handle, T* native,
                      const ObjectOwners& owners) {
  const Status named = worker.name_object(kind, handle, reinterpret_cast<uintptr_t>(native), owners);
  return named ? CUDA_SUCCESS : worker.violation(named.error().message);
}

// Variables of a module are on its context's device. A library has them in every context that uses it,
// whenever that begins, so all devices pay.
class VariableCharge {
 public:
  VariableCharge(Worker& worker, uint8_t kind, uint64_t bytes) {
    uint32_t current = 0;
    const bool one = kind == kModule && worker.current_device(&current) == CUDA_SUCCESS;
    owner_ = kind == kModule ? worker.context_owner() : 0;
    for (uint32_t device = one ? current : 0; device < (one ? current + 1 : worker.session().devices);
         ++device) {
      auto reservation = worker.session().pools.reserve(device, bytes);
      granted_ &= reservation.has_value();
      if (granted_) reservations_.emplace_back(device, std::move(*reservation));
    }
  }
  bool granted() const { return granted_; }
  template <typename T>
  void commit(T* native) {
    for (auto& [device, reservation] : reservations_)
      reservation.commit({AllocationKind::kModule, reinterpret_cast<uintptr_t>(native), device}, owner_);
  }

 private:
  bool granted_ = true;
  uint64_t owner_ = 0;
  std::vector<std::pair<uint32_t, MemoryLedger::Reservation>> reservations_;
};

void release_variables(Worker& worker, uint64_t native) {
  for (uint32_t device = 0; device < worker.session().devices; ++device)
    (void)worker.session().ledger.release({AllocationKind::kModule, native, device});
}

// Reading an image takes time, which is spent only where there is a lease to keep.
ImageMemory memory_of(const Worker& worker, std::span<const std::byte> sent) {
  for (uint32_t device = 0; device < worker.session().devices; ++device) {
    if (worker.session().ledger.limited(device)) return memory_of_image(sent);
  }
  return {};
}

// What kernels of the image need set aside in their context, which has limits for it from the start.
CUresult set_aside(Worker& worker, CUlimit limit) {
  size_t value = 0;
  if (worker.driver().cuCtxGetLimit(&value, limit) != CUDA_SUCCESS) return CUDA_SUCCESS;
  return charge_limit(worker, limit, value, [] { return CUDA_SUCCESS; });
}

CUresult set_aside(Worker& worker, const ImageMemory& memory) {
  uint32_t device = 0;
  if (worker.current_device(&device) != CUDA_SUCCESS) return CUDA_SUCCESS;
  if (memory.uses_heap) {
    if (CUresult held = set_aside(worker, CU_LIMIT_MALLOC_HEAP_SIZE); held != CUDA_SUCCESS) return held;
  }
  return memory.prints ? set_aside(worker, CU_LIMIT_PRINTF_FIFO_SIZE) : CUDA_SUCCESS;
}

CUresult load_module(Worker& worker, wire::Handle handle, const void* image, JitOptions& jit,
                     VariableCharge& charge, wire::LoadModuleReply& reply) {
  CUmodule module = nullptr;
  const CUresult loaded =
      worker.driver().cuModuleLoadDataEx(&module, image, jit.count(), jit.options(), jit.values());
  if (loaded != CUDA_SUCCESS) return loaded;
  charge.commit(module);
  if (auto functions = describe_module(worker.driver(), module)) {
    reply.enumerated = true;
    reply.functions = std::move(*functions);
  }
  return name_created(worker, HandleKind::kModule, handle, module);
}

// No library options: the one that matters, "the image stays where it is", does not hold here.
CUresult load_library(Worker& worker, wire::Handle handle, const void* image, JitOptions& jit,
                      VariableCharge& charge, wire::LoadModuleReply& reply) {
  CUlibrary library = nullptr;
  const CUresult loaded = worker.driver().cuLibraryLoadData(&library, image, jit.options(), jit.values(),
                                                            jit.count(), nullptr, nullptr, 0);
  if (loaded != CUDA_SUCCESS) return loaded;
  charge.commit(library);
  if (auto functions = describe_library(worker.driver(), library)) {
    reply.enumerated = true;
    reply.functions = std::move(*functions);
  }
  return name_created(worker, HandleKind::kLibrary, handle, library);
}

}  // namespace

CUresult handle(Worker& worker, const wire::OfferUploadRequest& request, wire::OfferUploadReply& reply) {
  ContentHash hash;
  if (request.hash.size() != hash.size()) return worker.violation("A content hash has 16 bytes.");
  std::memcpy(hash.data(), request.hash.data(), hash.size());
  SessionState& session = worker.session();
  reply.keeps = session.content.has_value();
  auto known = session.content ? session.content->find(hash, request.total_bytes) : std::nullopt;
  reply.known = known.has_value();
  if (known) session.counters.count_known_upload(known->size());
  if (!reply.keeps) return CUDA_SUCCESS;
  std::string wrong = known ? session.uploads.complete(request.upload, std::move(*known))
                            : session.uploads.offer(request.upload, request.total_bytes, hash);
  return wrong.empty() ? CUDA_SUCCESS : worker.violation(std::move(wrong));
}

CUresult handle(Worker& worker, const wire::UploadChunkRequest& request, std::span<const std::byte> bulk,
                wire::UploadChunkReply&) {
  std::string wrong =
      worker.session().uploads.add(request.upload, request.total_bytes, request.offset_bytes, bulk);
  return wrong.empty() ? CUDA_SUCCESS : worker.violation(std::move(wrong));
}

CUresult handle(Worker& worker, const wire::LoadModuleRequest& request, std::span<const std::byte> bulk,
                wire::LoadModuleReply& reply) {
  std::vector<std::byte> uploaded;
  if (request.upload != 0) {
    uploaded = worker.session().take_upload(request.upload);
    bulk = uploaded;
  }
  const auto image = ModuleImage::open(bulk);
  if (!image) {
    reply.error_log =
        "The image is damaged: its headers announce more than it holds, or it is no image at all.";
    return CUDA_ERROR_INVALID_IMAGE;
  }
  JitOptions jit(request.info_log_bytes, request.error_log_bytes);
  for (const wire::JitOption& option : request.jit_options) {
    if (!jit.add(option.id, option.value)) return CUDA_ERROR_INVALID_VALUE;
  }
  const ImageMemory memory = memory_of(worker, bulk);
  VariableCharge charge(worker, request.kind, memory.variable_bytes);
  if (!charge.granted()) return CUDA_ERROR_OUT_OF_MEMORY;
  if (CUresult held = set_aside(worker, memory); held != CUDA_SUCCESS) return held;
  CUresult loaded = CUDA_ERROR_INVALID_VALUE;
  if (request.kind == kModule)
    loaded = load_module(worker, request.module, image->data(), jit, charge, reply);
  if (request.kind == kLibrary)
    loaded = load_library(worker, request.module, image->data(), jit, charge, reply);
  reply.info_log = jit.info_log();
  reply.error_log = jit.error_log();
  if (loaded != CUDA_SUCCESS && !reply.error_log.empty()) {
    worker.session().log.debug("An image was not loaded: " + reply.error_log);
  }
  return loaded;
}

CUresult handle(Worker& worker, const wire::UnloadModuleRequest& request, wire::UnloadModuleReply&) {
  CUresult unloaded = CUDA_ERROR_INVALID_VALUE;
  const HandleKind kind = request.kind == kLibrary ? HandleKind::kLibrary : HandleKind::kModule;
  const auto native = worker.native(kind, request.module);
  if (!native) return CUDA_ERROR_INVALID_HANDLE;
  if (kind == HandleKind::kLibrary) {
    unloaded = worker.driver().cuLibraryUnload(reinterpret_cast<CUlibrary>(static_cast<uintptr_t>(*native)));
  } else {
    unloaded = worker.driver().cuModuleUnload(reinterpret_cast<CUmodule>(static_cast<uintptr_t>(*native)));
  }
  if (unloaded == CUDA_SUCCESS) release_variables(worker, *native);
  // For the client it is gone, whatever the driver says.
  worker.forget_object(kind, request.module);
  return unloaded;
}

namespace {

// Finds a function by name and gives it the client's handle. `description` may be null.
CUresult bind_function(Worker& worker, wire::Handle module, uint8_t kind, std::string_view name,
                       wire::Handle handle, wire::FunctionDescription* description) {
  const std::string name_text(name);
  if (kind == kLibrary) {
    const auto library = worker.native_as<CUlibrary>(HandleKind::kLibrary, module);
    if (!library) return CUDA_ERROR_INVALID_HANDLE;
    CUkernel kernel = nullptr;
    if (CUresult got = worker.driver().cuLibraryGetKernel(&kernel, *library, name_text.c_str());
        got != CUDA_SUCCESS) {
      return got;
    }
    if (description != nullptr) {
      CUdevice device = 0;
      const bool has_device = worker.driver().cuCtxGetDevice(&device) == CUDA_SUCCESS;
      *description = describe_kernel(worker.driver(), kernel, device, has_device);
    }
    return name_created(worker, HandleKind::kFunction, handle, kernel, {{}, HandleKind::kLibrary, module});
  }
  const auto loaded = worker.native_as<CUmodule>(HandleKind::kModule, module);
  if (!loaded) return CUDA_ERROR_INVALID_HANDLE;
  CUfunction function = nullptr;
  if (CUresult got = worker.driver().cuModuleGetFunction(&function, *loaded, name_text.c_str());
      got != CUDA_SUCCESS) {
    return got;
  }
  if (description != nullptr) *description = describe_function(worker.driver(), function, true);
  return name_created(worker, HandleKind::kFunction, handle, function, {{}, HandleKind::kModule, module});
}

}  // namespace

CUresult handle(Worker& worker, const wire::GetFunctionRequest& request, wire::GetFunctionReply& reply) {
  return bind_function(worker, request.module, request.kind, request.name, request.function,
                       &reply.description);
}

CUresult handle(Worker& worker, const wire::BindFunctionRequest& request, wire::BindFunctionReply&) {
  return bind_function(worker, request.module, request.kind, request.name, request.function, nullptr);
}

CUresult handle(Worker& worker, const wire::GetGlobalRequest& request, wire::GetGlobalReply& reply) {
  const std::string name(request.name);
  CUdeviceptr address = 0;
  size_t size_bytes = 0;
  CUresult got = CUDA_ERROR_INVALID_HANDLE;
  if (request.kind == kLibrary) {
    const auto library = worker.native_as<CUlibrary>(HandleKind::kLibrary, request.module);
    if (!library) return CUDA_ERROR_INVALID_HANDLE;
    got = request.managed ? worker.driver().cuLibraryGetManaged(&address, &size_bytes, *library, name.c_str())
                          : worker.driver().cuLibraryGetGlobal(&address, &size_bytes, *library, name.c_str());
  } else {
    const auto module = worker.native_as<CUmodule>(HandleKind::kModule, request.module);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    got = worker.driver().cuModuleGetGlobal_v2(&address, &size_bytes, *module, name.c_str());
  }
  reply.address = address;
  reply.size_bytes = size_bytes;
  return got;
}

CUresult handle(Worker& worker, const wire::LibraryGetModuleRequest& request, wire::LibraryGetModuleReply&) {
  const auto library = worker.native_as<CUlibrary>(HandleKind::kLibrary, request.library);
  if (!library) return CUDA_ERROR_INVALID_HANDLE;
  CUmodule module = nullptr;
  if (CUresult got = worker.driver().cuLibraryGetModule(&module, *library); got != CUDA_SUCCESS) return got;
  return name_created(worker, HandleKind::kModule, request.module, module,
                      {worker.owning_context(), HandleKind::kLibrary, request.library});
}

CUresult handle(Worker& worker, const wire::KernelGetFunctionRequest& request,
                wire::KernelGetFunctionReply&) {
  const auto kernel = worker.native_as<CUkernel>(HandleKind::kFunction, request.kernel);
  if (!kernel) return CUDA_ERROR_INVALID_HANDLE;
  CUfunction function = nullptr;
  if (CUresult got = worker.driver().cuKernelGetFunction(&function, *kernel); got != CUDA_SUCCESS) return got;
  // It ends with the kernel's library, and with the context that it is for.
  ObjectOwners owners = worker.session().objects.owners_of(HandleKind::kFunction, request.kernel);
  owners.context = worker.owning_context();
  return name_created(worker, HandleKind::kFunction, request.function, function, owners);
}

}  // namespace outboard::server
