// Callbacks for what a driver has to say of a device.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_device_gen.h"

namespace outboard::client::calls {

CUresult cuDeviceRegisterAsyncNotification(Client& client, CUdevice device, CUasyncCallback callbackFunc,
                                           void* userData, CUasyncCallbackHandle* callback) {
  if (callbackFunc == nullptr || callback == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::DeviceRegisterNotificationRequest request;
  if (const CUresult result = client.server_device(device, &request.device); result != CUDA_SUCCESS)
    return result;
  const auto kind = wire::HandleKind::kAsyncCallback;
  if (const CUresult result = client.create_handle(kind, &request.callback); result != CUDA_SUCCESS)
    return result;
  // Before the driver can say anything.
  client.notifications().add_device_listener(request.callback, callbackFunc, userData);
  wire::DeviceRegisterNotificationReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) {
    client.notifications().remove_device_listener(request.callback);
    client.forget_handle(kind, request.callback);
    return result;
  }
  *callback = to_application<CUasyncCallbackHandle>(request.callback);
  return CUDA_SUCCESS;
}

CUresult cuDeviceUnregisterAsyncNotification(Client& client, CUdevice device,
                                             CUasyncCallbackHandle callback) {
  wire::DeviceUnregisterNotificationRequest request;
  if (const CUresult result = client.server_device(device, &request.device); result != CUDA_SUCCESS)
    return result;
  if (const CUresult result = find(client, callback, &request.callback); result != CUDA_SUCCESS)
    return result;
  wire::DeviceUnregisterNotificationReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) return result;
  client.notifications().remove_device_listener(request.callback);
  client.forget_handle(wire::HandleKind::kAsyncCallback, request.callback);
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
