// Stream operations on single values in memory.
#include "server/softgpu/driver/graph_nodes.h"

using namespace outboard::softgpu;

namespace {

constexpr unsigned kWaitFlags = CU_STREAM_WAIT_VALUE_EQ | CU_STREAM_WAIT_VALUE_AND | CU_STREAM_WAIT_VALUE_NOR;

CUresult add_value(Platform& platform, const ValueOperation& operation, BatchOperation* batch) {
  if (operation.address % operation.bytes != 0) return CUDA_ERROR_INVALID_VALUE;
  if (!platform.memory().covers(operation.address, operation.bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (operation.wait && (operation.flags & ~kWaitFlags) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  batch->values.push_back(operation);
  return CUDA_SUCCESS;
}

CUresult submit_value(CUstream handle, const ValueOperation& operation) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    BatchOperation batch;
    const CUresult result = add_value(context.platform(), operation, &batch);
    if (result != CUDA_SUCCESS) return result;
    CUstreamBatchMemOpParams given{};
    const bool wide = operation.bytes == 8;
    if (operation.wait) {
      given.waitValue.operation = wide ? CU_STREAM_MEM_OP_WAIT_VALUE_64 : CU_STREAM_MEM_OP_WAIT_VALUE_32;
      given.waitValue.address = operation.address;
      given.waitValue.value64 = operation.value;
      given.waitValue.flags = operation.flags;
    } else {
      given.writeValue.operation = wide ? CU_STREAM_MEM_OP_WRITE_VALUE_64 : CU_STREAM_MEM_OP_WRITE_VALUE_32;
      given.writeValue.address = operation.address;
      given.writeValue.value64 = operation.value;
      given.writeValue.flags = operation.flags;
    }
    batch.as_given.push_back(given);
    return context.submit(stream, std::move(batch));
  });
}

CUresult add_one(Platform& platform, const CUstreamBatchMemOpParams& op, BatchOperation* batch) {
  switch (op.operation) {
    case CU_STREAM_MEM_OP_WAIT_VALUE_32:
      return add_value(platform, {op.waitValue.address, op.waitValue.value, 4, true, op.waitValue.flags},
                       batch);
    case CU_STREAM_MEM_OP_WAIT_VALUE_64:
      return add_value(platform, {op.waitValue.address, op.waitValue.value64, 8, true, op.waitValue.flags},
                       batch);
    case CU_STREAM_MEM_OP_WRITE_VALUE_32:
      return add_value(platform, {op.writeValue.address, op.writeValue.value, 4, false, op.writeValue.flags},
                       batch);
    case CU_STREAM_MEM_OP_WRITE_VALUE_64:
      return add_value(platform,
                       {op.writeValue.address, op.writeValue.value64, 8, false, op.writeValue.flags}, batch);
    case CU_STREAM_MEM_OP_BARRIER: return CUDA_SUCCESS;  // work of a stream is in order anyway
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

}  // namespace

namespace outboard::softgpu {

CUresult make_batch(Platform& platform, unsigned count, const CUstreamBatchMemOpParams* operations,
                    unsigned flags, Operation* operation) {
  if ((operations == nullptr && count != 0) || count > 256 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  BatchOperation batch;
  for (unsigned i = 0; i < count; ++i) {
    if (const CUresult result = add_one(platform, operations[i], &batch); result != CUDA_SUCCESS)
      return result;
    batch.as_given.push_back(operations[i]);
  }
  batch.flags = flags;
  *operation = std::move(batch);
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu

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

CUresult cuStreamBatchMemOp_v2(CUstream handle, unsigned int count, CUstreamBatchMemOpParams* operations,
                               unsigned int flags) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    Operation batch;
    const CUresult result = make_batch(context.platform(), count, operations, flags, &batch);
    return result == CUDA_SUCCESS ? context.submit(stream, std::move(batch)) : result;
  });
}
CUresult cuStreamBatchMemOp(CUstream stream, unsigned int count, CUstreamBatchMemOpParams* operations,
                            unsigned int flags) {
  return cuStreamBatchMemOp_v2(stream, count, operations, flags);
}

}  // extern "C"
