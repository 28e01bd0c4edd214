// Attributes of functions and kernels.
#include "server/worker/function_description.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

constexpr int32_t kNoDevice = -1;  // the handle names a CUfunction; otherwise a CUkernel on that device

}  // namespace

CUresult handle(Worker& worker, const wire::GetFunctionInfoRequest& request,
                wire::GetFunctionInfoReply& reply) {
  const auto function = worker.native_as<CUfunction>(HandleKind::kFunction, request.function);
  if (!function) return CUDA_ERROR_INVALID_HANDLE;
  reply.description = describe_function(worker.driver(), *function, true);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::FunctionGetAttributeRequest& request,
                wire::FunctionGetAttributeReply& reply) {
  const auto attribute = static_cast<CUfunction_attribute>(request.attribute);
  const auto native = worker.native(HandleKind::kFunction, request.function);
  if (!native) return CUDA_ERROR_INVALID_HANDLE;
  const auto address = static_cast<uintptr_t>(*native);
  int value = 0;
  const CUresult got =
      request.device == kNoDevice
          ? worker.driver().cuFuncGetAttribute(&value, attribute, reinterpret_cast<CUfunction>(address))
          : worker.driver().cuKernelGetAttribute(&value, attribute, reinterpret_cast<CUkernel>(address),
                                                 request.device);
  reply.value = value;
  return got;
}

CUresult handle(Worker& worker, const wire::FunctionSetAttributeRequest& request,
                wire::FunctionSetAttributeReply&) {
  const auto attribute = static_cast<CUfunction_attribute>(request.attribute);
  const auto native = worker.native(HandleKind::kFunction, request.function);
  if (!native) return CUDA_ERROR_INVALID_HANDLE;
  const auto address = static_cast<uintptr_t>(*native);
  return request.device == kNoDevice
             ? worker.driver().cuFuncSetAttribute(reinterpret_cast<CUfunction>(address), attribute,
                                                  request.value)
             : worker.driver().cuKernelSetAttribute(attribute, request.value,
                                                    reinterpret_cast<CUkernel>(address), request.device);
}

CUresult handle(Worker& worker, const wire::FunctionSetCacheConfigRequest& request,
                wire::FunctionSetCacheConfigReply&) {
  const auto config = static_cast<CUfunc_cache>(request.config);
  const auto native = worker.native(HandleKind::kFunction, request.function);
  if (!native) return CUDA_ERROR_INVALID_HANDLE;
  const auto address = static_cast<uintptr_t>(*native);
  return request.device == kNoDevice
             ? worker.driver().cuFuncSetCacheConfig(reinterpret_cast<CUfunction>(address), config)
             : worker.driver().cuKernelSetCacheConfig(reinterpret_cast<CUkernel>(address), config,
                                                      request.device);
}

}  // namespace outboard::server
