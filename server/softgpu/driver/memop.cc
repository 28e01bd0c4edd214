// Stream operations on single values in memory.
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

constexpr unsigned kWaitFlags = CU_STREAM_WAIT_VALUE_EQ | CU_STREAM_WAIT_VALUE_AND | CU_STREAM_WAIT_VALUE_NOR;

CUresult submit_value(CUstream handle, const ValueOperation& operation) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (operation.address % operation.bytes != 0) return CUDA_ERROR_INVALID_VALUE;
    if (!context.platform().memory().covers(operation.address, operation.bytes))
      return CUDA_ERROR_INVALID_VALUE;
    if (operation.wait && (operation.flags & ~kWaitFlags) != 0) return CUDA_ERROR_NOT_SUPPORTED;
    return context.submit(stream, operation);
  });
}

CUresult submit_one(CUstream stream, const CUstreamBatchMemOpParams& op) {
  switch (op.operation) {
    case CU_STREAM_MEM_OP_WAIT_VALUE_32:
      return submit_value(stream, {op.waitValue.address, op.waitValue.value, 4, true, op.waitValue.flags});
    case CU_STREAM_MEM_OP_WAIT_VALUE_64:
      return submit_value(stream, {op.waitValue.address, op.waitValue.value64, 8, true, op.waitValue.flags});
    case CU_STREAM_MEM_OP_WRITE_VALUE_32:
      return submit_value(stream,
                          {op.writeValue.address, op.writeValue.value, 4, false, op.writeValue.flags});
    case CU_STREAM_MEM_OP_WRITE_VALUE_64:
      return submit_value(stream,
                          {op.writeValue.address, op.writeValue.value64, 8, false, op.writeValue.flags});
    case CU_STREAM_MEM_OP_BARRIER: return CUDA_SUCCESS;  // work of a stream is in order anyway
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

}  // namespace

extern "C" {

CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
  return submit_value(stream, {address, value, 4, true, flags});
}
CUresult cuStreamWaitValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
  return submit_value(stream, {address, value, 8, true, flags});
}
CUresult cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
  return submit_value(stream, {address, value, 4, false, flags});
}
CUresult cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
  return submit_value(stream, {address, value, 8, false, flags});
}
CUresult cuStreamWaitValue32(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
  return cuStreamWaitValue32_v2(stream, address, value, flags);
}
CUresult cuStreamWaitValue64(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
  return cuStreamWaitValue64_v2(stream, address, value, flags);
}
CUresult cuStreamWriteValue32(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
  return cuStreamWriteValue32_v2(stream, address, value, flags);
}
CUresult cuStreamWriteValue64(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
  return cuStreamWriteValue64_v2(stream, address, value, flags);
}

CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned int count, CUstreamBatchMemOpParams* operations,
                               unsigned int flags) {
  if ((operations == nullptr && count != 0) || count > 256 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i) {
    if (const CUresult result = submit_one(stream, operations[i]); result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}
CUresult cuStreamBatchMemOp(CUstream stream, unsigned int count, CUstreamBatchMemOpParams* operations,
                            unsigned int flags) {
  return cuStreamBatchMemOp_v2(stream, count, operations, flags);
}

}  // extern "C"
