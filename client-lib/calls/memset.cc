// Filling device memory: one message for all twelve forms.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/memcpy.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

struct Fill {
  CUdeviceptr to = 0;
  size_t pitch_bytes = 0;
  uint8_t element_bytes = 1;
  uint32_t value = 0;
  size_t width = 0;
  size_t height = 1;
};

CUresult fill(Client& client, const Fill& what, CUstream stream, bool asynchronous) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::MemsetRequest request;
  if (const CUresult result = find(client, stream, &request.stream); result != CUDA_SUCCESS) return result;
  if (what.width == 0 || what.height == 0) return CUDA_SUCCESS;
  if (what.to % what.element_bytes != 0) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t row_bytes = uint64_t{what.width} * what.element_bytes;
  if (row_bytes / what.element_bytes != what.width) return CUDA_ERROR_INVALID_VALUE;
  if (what.height > 1 && (what.pitch_bytes < row_bytes || what.pitch_bytes % what.element_bytes != 0)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const uint64_t span = what.height > 1 ? what.pitch_bytes * (what.height - 1) + row_bytes : row_bytes;
  bool known = false;
  if (const CUresult result = check_device_range(client, what.to, span, &known); result != CUDA_SUCCESS)
    return result;
  request.destination = what.to;
  request.pitch_bytes = what.pitch_bytes;
  request.element_bytes = what.element_bytes;
  request.value = what.value;
  request.width = what.width;
  request.height = what.height;
  request.asynchronous = asynchronous;
  if (const CUresult r = prepare_range(client, what.to, span, true, request.stream); r != CUDA_SUCCESS)
    return r;
  wire::MemsetReply reply;
  const CUresult result = known ? client.post(request) : client.call(request, reply);
  return result == CUDA_SUCCESS ? finish_mirrored(client, what.to, 0, {request.stream, asynchronous})
                                : result;
}

}  // namespace

CUresult cuMemsetD8_v2(Client& client, CUdeviceptr dstDevice, unsigned char uc, size_t N,
                       CUstream default_stream) {
  return fill(client, {dstDevice, 0, 1, uc, N, 1}, default_stream, false);
}
CUresult cuMemsetD16_v2(Client& client, CUdeviceptr dstDevice, unsigned short us, size_t N,
                        CUstream default_stream) {
  return fill(client, {dstDevice, 0, 2, us, N, 1}, default_stream, false);
}
CUresult cuMemsetD32_v2(Client& client, CUdeviceptr dstDevice, unsigned int ui, size_t N,
                        CUstream default_stream) {
  return fill(client, {dstDevice, 0, 4, ui, N, 1}, default_stream, false);
}
CUresult cuMemsetD8Async(Client& client, CUdeviceptr dstDevice, unsigned char uc, size_t N,
                         CUstream hStream) {
  return fill(client, {dstDevice, 0, 1, uc, N, 1}, hStream, true);
}
CUresult cuMemsetD16Async(Client& client, CUdeviceptr dstDevice, unsigned short us, size_t N,
                          CUstream hStream) {
  return fill(client, {dstDevice, 0, 2, us, N, 1}, hStream, true);
}
CUresult cuMemsetD32Async(Client& client, CUdeviceptr dstDevice, unsigned int ui, size_t N,
                          CUstream hStream) {
  return fill(client, {dstDevice, 0, 4, ui, N, 1}, hStream, true);
}

CUresult cuMemsetD2D8_v2(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc,
                         size_t Width, size_t Height, CUstream default_stream) {
  return fill(client, {dstDevice, dstPitch, 1, uc, Width, Height}, default_stream, false);
}
CUresult cuMemsetD2D16_v2(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned short us,
                          size_t Width, size_t Height, CUstream default_stream) {
  return fill(client, {dstDevice, dstPitch, 2, us, Width, Height}, default_stream, false);
}
CUresult cuMemsetD2D32_v2(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui,
                          size_t Width, size_t Height, CUstream default_stream) {
  return fill(client, {dstDevice, dstPitch, 4, ui, Width, Height}, default_stream, false);
}
CUresult cuMemsetD2D8Async(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc,
                           size_t Width, size_t Height, CUstream hStream) {
  return fill(client, {dstDevice, dstPitch, 1, uc, Width, Height}, hStream, true);
}
CUresult cuMemsetD2D16Async(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned short us,
                            size_t Width, size_t Height, CUstream hStream) {
  return fill(client, {dstDevice, dstPitch, 2, us, Width, Height}, hStream, true);
}
CUresult cuMemsetD2D32Async(Client& client, CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui,
                            size_t Width, size_t Height, CUstream hStream) {
  return fill(client, {dstDevice, dstPitch, 4, ui, Width, Height}, hStream, true);
}

}  // namespace outboard::client::calls
