// Primary contexts. Their handles exist from the start and survive a reset: the CUDA runtime makes
// one current before it retains it.
#include "client-lib/calls/primary_context.h"

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_primary_context_gen.h"

namespace outboard::client::calls {
namespace {

CUresult primary_of(Client& client, CUdevice dev, ContextInfo** info) {
  int32_t server = 0;
  if (const CUresult result = client.server_device(dev, &server); result != CUDA_SUCCESS) return result;
  *info = client.primary_context(static_cast<uint32_t>(server));
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuDevicePrimaryCtxRetain(Client& client, CUcontext* pctx, CUdevice dev) {
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = primary_of(client, dev, &info); result != CUDA_SUCCESS) return result;
  if (info->retains.fetch_add(1, std::memory_order_acq_rel) == 0) {
    wire::PrimaryContextRetainReply reply;
    const CUresult result =
        client.call(wire::PrimaryContextRetainRequest{static_cast<int32_t>(info->device)}, reply);
    if (result != CUDA_SUCCESS) {
      info->retains.fetch_sub(1, std::memory_order_acq_rel);
      return result;
    }
  }
  *pctx = to_application<CUcontext>(info->handle);
  return CUDA_SUCCESS;
}

CUresult release_primary(Client& client, ContextInfo& primary) {
  uint32_t retains = primary.retains.load(std::memory_order_acquire);
  do {
    if (retains == 0) return CUDA_ERROR_INVALID_CONTEXT;
  } while (!primary.retains.compare_exchange_weak(retains, retains - 1, std::memory_order_acq_rel));
  if (retains > 1) return CUDA_SUCCESS;
  const CUresult result =
      client.post(wire::PrimaryContextReleaseRequest{static_cast<int32_t>(primary.device)});
  client.drop_objects_of(primary);
  return result;
}

CUresult cuDevicePrimaryCtxRelease_v2(Client& client, CUdevice dev) {
  ContextInfo* info = nullptr;
  if (const CUresult result = primary_of(client, dev, &info); result != CUDA_SUCCESS) return result;
  return release_primary(client, *info);
}

CUresult cuDevicePrimaryCtxReset_v2(Client& client, CUdevice dev) {
  ContextInfo* info = nullptr;
  if (const CUresult result = primary_of(client, dev, &info); result != CUDA_SUCCESS) return result;
  client.session().forget_sticky();
  wire::PrimaryContextResetReply reply;
  const CUresult result =
      client.call(wire::PrimaryContextResetRequest{static_cast<int32_t>(info->device)}, reply);
  client.drop_objects_of(*info);
  return result;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(Client& client, CUdevice dev, unsigned int flags) {
  ContextInfo* info = nullptr;
  if (const CUresult result = primary_of(client, dev, &info); result != CUDA_SUCCESS) return result;
  wire::PrimaryContextSetFlagsReply reply;
  const CUresult result =
      client.call(wire::PrimaryContextSetFlagsRequest{static_cast<int32_t>(info->device), flags}, reply);
  if (result == CUDA_SUCCESS) info->flags = flags;
  return result;
}

CUresult cuDevicePrimaryCtxGetState(Client& client, CUdevice dev, unsigned int* flags, int* active) {
  if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = primary_of(client, dev, &info); result != CUDA_SUCCESS) return result;
  *flags = info->flags;
  *active = info->retains.load(std::memory_order_acquire) != 0 ? 1 : 0;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
