// Copies between client and device memory, within device memory, and fills.
//
// The client waits for none of these, also where the program called a synchronous form. Within
// device memory and for fills that is what CUDA does itself. A synchronous copy to the device,
// however, is over when the call returns, and a stream that waits for no other stream relies on it:
// here the next command must wait for it. Host data is pageable for the driver, so it is read before
// the call returns and the frame that holds it may be reused.
#include "protocol/base/limits.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

using wire::HandleKind;

namespace {

template <typename Request>
CUresult copy_to_device(Worker& worker, const Request& request, std::span<const std::byte> data) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  if (data.empty()) return CUDA_SUCCESS;
  const CUresult copied =
      worker.driver().cuMemcpyHtoDAsync_v2(request.destination, data.data(), data.size(), stream);
  return copied != CUDA_SUCCESS || request.asynchronous ? copied
                                                        : worker.driver().cuStreamSynchronize(stream);
}

}  // namespace

CUresult handle(Worker& worker, const wire::MemcpyHtoDRequest& request, std::span<const std::byte> bulk,
                wire::MemcpyHtoDReply&) {
  return copy_to_device(worker, request, bulk);
}

CUresult handle(Worker& worker, const wire::CopyUploadRequest& request, std::span<const std::byte> bulk,
                wire::CopyUploadReply&) {
  if (bulk.empty()) {
    const std::vector<std::byte> known = worker.session().take_upload(request.upload);
    if (known.empty()) return worker.violation("A copy names an upload that is not there.");
    return copy_to_device(worker, request, known);
  }
  const CUresult copied = copy_to_device(worker, request, bulk);
  worker.session().keep_upload(request.upload, bulk);
  return copied;
}

// Runs on a helper thread from beginning to end: the driver may block already while a copy to
// pageable memory is issued.
CUresult handle(Worker& worker, const wire::MemcpyDtoHRequest& request,
                BulkWork<wire::MemcpyDtoHReply>& work) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  if (request.size_bytes > limits::kBulkChunkBytes) {
    return worker.violation("A copy from the device asks for more than one chunk of 8 MiB.");
  }
  work = [&session = worker.session(), stream, source = request.source, size_bytes = request.size_bytes](
             wire::MemcpyDtoHReply&, BulkBuffer& bulk) {
    bulk = session.bulk_pool.take(size_bytes);
    if (size_bytes == 0) return CUDA_SUCCESS;
    const CUresult copied =
        session.driver.cuMemcpyDtoHAsync_v2(bulk.bytes().data(), source, size_bytes, stream);
    return copied != CUDA_SUCCESS ? copied : session.driver.cuStreamSynchronize(stream);
  };
  return CUDA_SUCCESS;
}

// The client has answered a wait for the stream itself, because only copies like the above were in it.
CUresult handle(Worker& worker, const wire::StreamOrderRequest& request, wire::StreamOrderReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  return worker.driver().cuStreamSynchronize(stream);
}

CUresult handle(Worker& worker, const wire::MemcpyDtoDRequest& request, wire::MemcpyDtoDReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  return worker.driver().cuMemcpyDtoDAsync_v2(request.destination, request.source, request.size_bytes,
                                              stream);
}

CUresult handle(Worker& worker, const wire::MemcpyPeerRequest& request, wire::MemcpyPeerReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  const auto destination = worker.native_as<CUcontext>(HandleKind::kContext, request.destination_context);
  const auto source = worker.native_as<CUcontext>(HandleKind::kContext, request.source_context);
  if (!destination || !source) return CUDA_ERROR_INVALID_CONTEXT;
  return worker.driver().cuMemcpyPeerAsync(request.destination, *destination, request.source, *source,
                                           request.size_bytes, stream);
}

namespace {

CUresult fill_row(const DriverApi& driver, const wire::MemsetRequest& request, CUstream stream) {
  switch (request.element_bytes) {
    case 1:
      return driver.cuMemsetD8Async(request.destination, static_cast<unsigned char>(request.value),
                                    request.width, stream);
    case 2:
      return driver.cuMemsetD16Async(request.destination, static_cast<unsigned short>(request.value),
                                     request.width, stream);
    case 4: return driver.cuMemsetD32Async(request.destination, request.value, request.width, stream);
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult fill_rows(const DriverApi& driver, const wire::MemsetRequest& request, CUstream stream) {
  switch (request.element_bytes) {
    case 1:
      return driver.cuMemsetD2D8Async(request.destination, request.pitch_bytes,
                                      static_cast<unsigned char>(request.value), request.width,
                                      request.height, stream);
    case 2:
      return driver.cuMemsetD2D16Async(request.destination, request.pitch_bytes,
                                       static_cast<unsigned short>(request.value), request.width,
                                       request.height, stream);
    case 4:
      return driver.cuMemsetD2D32Async(request.destination, request.pitch_bytes, request.value, request.width,
                                       request.height, stream);
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace

CUresult handle(Worker& worker, const wire::MemsetRequest& request, wire::MemsetReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  if (request.width == 0 || request.height == 0) return CUDA_SUCCESS;
  return request.height == 1 ? fill_row(worker.driver(), request, stream)
                             : fill_rows(worker.driver(), request, stream);
}

}  // namespace outboard::server
