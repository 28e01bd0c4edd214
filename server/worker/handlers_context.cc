// Contexts: created ones, and the devices' primary ones.
#include <algorithm>

#include "server/worker/charge.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

using wire::HandleKind;

namespace {

// What was allocated in the device's primary context is gone.
void forget_primary_memory(Worker& worker, uint32_t device) {
  worker.session().ledger.release_owned(Worker::owner_of(primary_context_handle(device)));
}

// Local memory of all threads that can be resident, beyond what every context has from the start.
uint64_t stack_bytes(const DriverApi& driver, uint32_t ordinal, uint64_t of_thread) {
  constexpr uint64_t kAtFirst = 1024;
  CUdevice device = 0;
  int processors = 0, threads = 0;
  if (driver.cuDeviceGet(&device, static_cast<int>(ordinal)) != CUDA_SUCCESS) return 0;
  (void)driver.cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
  (void)driver.cuDeviceGetAttribute(&threads, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, device);
  const uint64_t resident = static_cast<uint64_t>(processors) * static_cast<uint64_t>(threads);
  uint64_t bytes = 0;
  const bool beyond = of_thread > kAtFirst;
  if (!beyond) return 0;
  return __builtin_mul_overflow(of_thread - kAtFirst, resident, &bytes) ? UINT64_MAX : bytes;
}

}  // namespace

// Memory that a context sets aside counts as soon as it may be used: drivers tell neither when they take
// it nor how much it is.
CUresult charge_limit(Worker& worker, CUlimit limit, uint64_t value, const std::function<CUresult()>& call) {
  uint32_t device = 0;
  if (CUresult got = worker.current_device(&device); got != CUDA_SUCCESS) return got;
  uint64_t bytes = 0;
  if (limit == CU_LIMIT_MALLOC_HEAP_SIZE || limit == CU_LIMIT_PRINTF_FIFO_SIZE) bytes = value;
  if (limit == CU_LIMIT_STACK_SIZE) bytes = stack_bytes(worker.driver(), device, value);
  SessionState& session = worker.session();
  const uint64_t owner = worker.context_owner();
  const AllocationKey key{AllocationKind::kContext, owner, static_cast<uint32_t>(limit)};
  const auto before = session.ledger.find(key);
  const uint64_t held = before ? before->bytes : 0;
  auto reservation = session.pools.reserve(device, bytes - std::min(bytes, held));
  if (!reservation) return CUDA_ERROR_OUT_OF_MEMORY;
  if (CUresult called = call(); called != CUDA_SUCCESS) return called;
  (void)reservation->settle(key, bytes, owner);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::CtxSetLimitRequest& request, wire::CtxSetLimitReply&) {
  const auto limit = static_cast<CUlimit>(request.limit);
  return charge_limit(worker, limit, request.value,
                      [&] { return worker.driver().cuCtxSetLimit(limit, request.value); });
}

CUresult handle(Worker& worker, const wire::ContextCreateRequest& request, wire::ContextCreateReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  CUcontext context = nullptr;
  CUresult created = CUDA_SUCCESS;
  if (request.affinity.empty()) {
    created = worker.driver().cuCtxCreate_v2(&context, request.flags, device);
  } else {
    auto affinity = request.affinity;
    created = worker.driver().cuCtxCreate_v3(&context, affinity.data(), static_cast<int>(affinity.size()),
                                             request.flags, device);
  }
  if (created != CUDA_SUCCESS) return created;
  // The driver pushed it on this thread's stack; what is current comes with every command instead.
  CUcontext popped = nullptr;
  worker.driver().cuCtxPopCurrent_v2(&popped);
  worker.session().contexts_changed();
  if (Status named = worker.name_object(HandleKind::kContext, request.context, context); !named) {
    return worker.violation(named.error().message);
  }
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::ContextDestroyRequest& request, wire::ContextDestroyReply&) {
  const auto context = worker.native_as<CUcontext>(HandleKind::kContext, request.context);
  if (!context) return CUDA_ERROR_INVALID_CONTEXT;
  worker.session().compute.drop_context(*context);
  const CUresult destroyed = worker.driver().cuCtxDestroy_v2(*context);
  // For the client it is gone, whatever the driver says.
  worker.forget_object(HandleKind::kContext, request.context);
  if (destroyed == CUDA_SUCCESS) worker.session().ledger.release_owned(Worker::owner_of(request.context));
  return destroyed;
}

CUresult handle(Worker& worker, const wire::ContextSynchronizeRequest& request,
                Work<wire::ContextSynchronizeReply>& work) {
  const auto context = worker.native_as<CUcontext>(HandleKind::kContext, request.context);
  if (!context) return CUDA_ERROR_INVALID_CONTEXT;
  // Not every driver has the form that names a context.
  work = [&driver = worker.driver(), context = *context](wire::ContextSynchronizeReply&) {
    if (CUresult pushed = driver.cuCtxPushCurrent_v2(context); pushed != CUDA_SUCCESS) return pushed;
    const CUresult waited = driver.cuCtxSynchronize();
    CUcontext popped = nullptr;
    driver.cuCtxPopCurrent_v2(&popped);
    return waited;
  };
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::ContextFromGreenRequest& request, wire::ContextFromGreenReply&) {
  const auto green = worker.native_as<CUgreenCtx>(HandleKind::kGreenContext, request.green);
  if (!green) return CUDA_ERROR_INVALID_CONTEXT;
  CUcontext context = nullptr;
  if (CUresult got = worker.driver().cuCtxFromGreenCtx(&context, *green); got != CUDA_SUCCESS) return got;
  // What is made in it belongs to the primary context.
  if (CUresult pushed = worker.driver().cuCtxPushCurrent_v2(context); pushed != CUDA_SUCCESS) return pushed;
  CUdevice device = 0;
  const CUresult asked = worker.driver().cuCtxGetDevice(&device);
  CUcontext popped = nullptr;
  worker.driver().cuCtxPopCurrent_v2(&popped);
  worker.session().contexts_changed();
  if (asked != CUDA_SUCCESS) return asked;
  const ObjectOwners owners{primary_context_handle(static_cast<uint32_t>(device)), HandleKind::kGreenContext,
                            request.green};
  const Status named =
      worker.name_object(HandleKind::kContext, request.context, reinterpret_cast<uintptr_t>(context), owners);
  return named ? CUDA_SUCCESS : worker.violation(named.error().message);
}

// The session holds one reference however many the client has, so that this only makes sure that
// the context exists.
CUresult handle(Worker& worker, const wire::PrimaryContextRetainRequest& request,
                wire::PrimaryContextRetainReply&) {
  if (request.device < 0) return CUDA_ERROR_INVALID_DEVICE;
  CUcontext context = nullptr;
  return worker.session().primary_context(static_cast<uint32_t>(request.device), &context);
}

CUresult handle(Worker& worker, const wire::PrimaryContextReleaseRequest& request,
                wire::PrimaryContextReleaseReply&) {
  if (request.device < 0) return CUDA_ERROR_INVALID_DEVICE;
  const auto device = static_cast<uint32_t>(request.device);
  const CUresult released = worker.session().release_primary_context(device);
  worker.session().objects.erase_content_of(primary_context_handle(device));
  if (released == CUDA_SUCCESS) forget_primary_memory(worker, device);
  return released;
}

CUresult handle(Worker& worker, const wire::PrimaryContextResetRequest& request,
                wire::PrimaryContextResetReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  worker.session().leave_primary_context(static_cast<uint32_t>(request.device));
  const CUresult reset = worker.driver().cuDevicePrimaryCtxReset_v2(device);
  worker.session().contexts_changed();
  worker.session().objects.erase_content_of(primary_context_handle(static_cast<uint32_t>(request.device)));
  if (reset == CUDA_SUCCESS) forget_primary_memory(worker, static_cast<uint32_t>(request.device));
  return reset;
}

CUresult handle(Worker& worker, const wire::PrimaryContextSetFlagsRequest& request,
                wire::PrimaryContextSetFlagsReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  return worker.driver().cuDevicePrimaryCtxSetFlags_v2(device, request.flags);
}

CUresult handle(Worker& worker, const wire::PrimaryContextGetStateRequest& request,
                wire::PrimaryContextGetStateReply& reply) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  unsigned flags = 0;
  int active = 0;
  const CUresult got = worker.driver().cuDevicePrimaryCtxGetState(device, &flags, &active);
  reply.flags = flags;
  reply.active = active != 0;
  return got;
}

}  // namespace outboard::server
