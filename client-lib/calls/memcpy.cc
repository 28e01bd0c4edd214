// Linear copies between host and device.
#include "client-lib/calls/memcpy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/graph_nodes.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/calls/offered_copies.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::client::calls {
namespace {

// Chunks that one thread asks for before it waits for the first: keeps the link busy while the
// device copies, and bounds what the server stages.
constexpr size_t kChunksInFlight = 4;

CUresult order_of(Client& client, CUstream stream, bool asynchronous, CopyOrder* order) {
  order->asynchronous = asynchronous;
  return find(client, stream, &order->stream);
}

// A request that may be sent without waiting is sent so if the client could check it, and with a
// reply otherwise, so that the server's verdict reaches the caller at once.
template <typename Request>
CUresult send(Client& client, const Request& request, std::span<const std::byte> bulk, bool checked) {
  if (checked) return client.post(request, bulk);
  typename Request::Reply reply;
  Reply raw;
  return client.call(request, reply, raw, CallOptions{bulk, {}});
}

// Both sides in this process: done here, in the order that the stream asks for.
CUresult copy_on_host(Client& client, uint64_t to, uint64_t from, uint64_t bytes, const CopyOrder& order) {
  if (const auto captured = copy_in_capture(client, line_on_host(to, from, bytes), order)) return *captured;
  if (const CUresult result = wait_for_stream(client, order.stream); result != CUDA_SUCCESS) return result;
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}

// The addresses say which way to go.
CUresult copy_any(Client& client, uint64_t to, uint64_t from, uint64_t bytes, const CopyOrder& order) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (to == 0 || from == 0) return CUDA_ERROR_INVALID_VALUE;
  const bool to_device = is_device(client, to);
  const bool from_device = is_device(client, from);
  if (to_device && from_device) return copy_on_device(client, to, from, bytes, order);
  if (to_device) return copy_to_device(client, to, reinterpret_cast<const void*>(from), bytes, order);
  if (from_device) return copy_from_device(client, reinterpret_cast<void*>(to), from, bytes, order);
  return copy_on_host(client, to, from, bytes, order);
}

}  // namespace

bool is_device(Client& client, uint64_t address) {
  return client.device_memory().find(address).has_value() || client.mirrors().covers(address);
}

CUresult check_device_range(Client& client, uint64_t address, uint64_t bytes, bool* known) {
  const auto range = client.device_memory().find(address);
  *known = range && range->kind != MemoryKind::kReserved;
  if (!range) return address == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (range->contains(address, bytes)) return CUDA_SUCCESS;
  // Mapped ranges may continue where this one ends.
  if (range->kind == MemoryKind::kReserved) return CUDA_SUCCESS;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult copy_to_device(Client& client, uint64_t to, const void* from, uint64_t bytes,
                        const CopyOrder& order) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (from == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  bool known = false;
  if (const CUresult result = check_device_range(client, to, bytes, &known); result != CUDA_SUCCESS)
    return result;
  // The server has the content already, or gets it in a moment.
  if (client.mirrors().covers(reinterpret_cast<uint64_t>(from)))
    return copy_on_device(client, to, reinterpret_cast<uint64_t>(from), bytes, order);
  if (const uint64_t newer = client.mirrors().newer_at(reinterpret_cast<uint64_t>(from)); newer != 0)
    return copy_on_device(client, to, newer, bytes, order);
  if (const auto captured = copy_in_capture(client, line_to_device(to, from, bytes), order)) return *captured;
  if (const CUresult result = settle_source(client, from, order); result != CUDA_SUCCESS) return result;
  if (const CUresult r = prepare_range(client, to, bytes, true, order.stream); r != CUDA_SUCCESS) return r;
  const auto* source = static_cast<const std::byte*>(from);
  if (known) {
    if (const auto offered = copy_offered(client, to, {source, bytes}, order)) return *offered;
  }
  for (uint64_t offset = 0; offset < bytes; offset += limits::kBulkChunkBytes) {
    const uint64_t chunk = std::min<uint64_t>(limits::kBulkChunkBytes, bytes - offset);
    const wire::MemcpyHtoDRequest request{to + offset, order.stream, order.asynchronous};
    const CUresult result = send(client, request, {source + offset, chunk}, known);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

CUresult copy_from_device(Client& client, void* to, uint64_t from, uint64_t bytes, const CopyOrder& order) {
  if (bytes == 0) return CUDA_SUCCESS;
  if (to == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  bool known = false;
  if (const CUresult result = check_device_range(client, from, bytes, &known); result != CUDA_SUCCESS)
    return result;
  // In stream order on the server: the content comes here when it is touched.
  if (client.mirrors().covers(reinterpret_cast<uint64_t>(to)))
    return copy_on_device(client, reinterpret_cast<uint64_t>(to), from, bytes, order);
  if (const auto captured = copy_in_capture(client, line_from_device(to, from, bytes), order))
    return *captured;

  if (const CUresult r = prepare_range(client, from, bytes, false, order.stream); r != CUDA_SUCCESS) return r;
  const MirrorWait wait(client);
  StreamActivity& activity = client.activity();
  const StreamActivity::Mark mark = activity.mark(order.stream);
  auto* target = static_cast<std::byte*>(to);
  std::array<PendingCall, kChunksInFlight> window;
  const CommandScope scope = client.scope();
  const uint64_t chunks = (bytes + limits::kBulkChunkBytes - 1) / limits::kBulkChunkBytes;
  CUresult first_error = CUDA_SUCCESS;
  uint64_t begun = 0;
  for (uint64_t done = 0; done < chunks && (first_error == CUDA_SUCCESS || done < begun); ++done) {
    while (first_error == CUDA_SUCCESS && begun < chunks && begun - done < kChunksInFlight) {
      const uint64_t offset = begun * limits::kBulkChunkBytes;
      const uint64_t chunk = std::min<uint64_t>(limits::kBulkChunkBytes, bytes - offset);
      PendingCall& pending = window[begun % kChunksInFlight];
      pending.restart();
      const wire::MemcpyDtoHRequest request{from + offset, chunk, order.stream, order.asynchronous};
      if (!client.session().begin(scope, request, pending, {{}, {target + offset, chunk}})) {
        first_error = Session::kLost;
        break;
      }
      ++begun;
    }
    if (done >= begun) break;
    Reply reply;
    const CUresult result = client.session().finish(window[done % kChunksInFlight], reply);
    if (first_error == CUDA_SUCCESS) first_error = result;
  }
  if (first_error != CUDA_SUCCESS) return first_error;
  // The data came in the stream's order, so all that was before it is done.
  activity.settled(order.stream, context->handle, mark);
  wait.stream_done(order.stream);
  return client.session().take_deferred();
}

CUresult copy_on_device(Client& client, uint64_t to, uint64_t from, uint64_t bytes, const CopyOrder& order) {
  if (bytes == 0) return CUDA_SUCCESS;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  bool to_known = false;
  bool from_known = false;
  if (const CUresult r = check_device_range(client, to, bytes, &to_known); r != CUDA_SUCCESS) return r;
  if (const CUresult r = check_device_range(client, from, bytes, &from_known); r != CUDA_SUCCESS) return r;
  if (const CUresult r = prepare_range(client, to, bytes, true, order.stream); r != CUDA_SUCCESS) return r;
  if (const CUresult r = prepare_range(client, from, bytes, false, order.stream); r != CUDA_SUCCESS) return r;
  const wire::MemcpyDtoDRequest request{to, from, bytes, order.stream, order.asynchronous};
  const CUresult result = send(client, request, {}, to_known && from_known);
  return result == CUDA_SUCCESS ? finish_mirrored(client, to, from, order) : result;
}

// Who copies between host and device memory by a synchronous call finds it done, as with plain memory.
CUresult finish_mirrored(Client& client, uint64_t to, uint64_t from, const CopyOrder& order) {
  const bool mirrored = client.mirrors().covers(to) || client.mirrors().covers(from);
  return order.asynchronous || !mirrored ? CUDA_SUCCESS : wait_for_stream(client, order.stream);
}

CUresult settle_source(Client& client, const void* from, const CopyOrder& order) {
  if (!order.asynchronous || !client.host_functions().pending()) return CUDA_SUCCESS;
  if (!client.host_memory().find(reinterpret_cast<uint64_t>(from))) return CUDA_SUCCESS;
  return wait_for_stream(client, order.stream);
}

CUresult what_waits_report(Client& client) {
  const CUresult broken = client.session().broken();
  return broken != CUDA_SUCCESS ? broken : client.session().take_deferred();
}

CUresult wait_for_stream(Client& client, wire::Handle stream) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  const MirrorWait wait(client);
  StreamActivity& activity = client.activity();
  const StreamActivity::Mark mark = activity.mark(stream);
  const StreamActivity::Need need = activity.need(stream, context->handle, mark);
  CUresult result = CUDA_SUCCESS;
  if (need == StreamActivity::Need::kServer) {
    wire::StreamSynchronizeRequest request;
    request.hStream = stream;
    wire::StreamSynchronizeReply reply;
    result = client.call(request, reply);
  } else {
    if (need == StreamActivity::Need::kOrder) result = client.post(wire::StreamOrderRequest{stream});
    if (result == CUDA_SUCCESS) result = what_waits_report(client);
  }
  if (result != CUDA_SUCCESS) return result;
  activity.settled(stream, context->handle, mark);
  wait.stream_done(stream);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD_v2(Client& client, CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount,
                         CUstream default_stream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, default_stream, false, &order); r != CUDA_SUCCESS) return r;
  return copy_to_device(client, dstDevice, srcHost, ByteCount, order);
}

CUresult cuMemcpyHtoDAsync_v2(Client& client, CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount,
                              CUstream hStream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, hStream, true, &order); r != CUDA_SUCCESS) return r;
  return copy_to_device(client, dstDevice, srcHost, ByteCount, order);
}

CUresult cuMemcpyDtoH_v2(Client& client, void* dstHost, CUdeviceptr srcDevice, size_t ByteCount,
                         CUstream default_stream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, default_stream, false, &order); r != CUDA_SUCCESS) return r;
  return copy_from_device(client, dstHost, srcDevice, ByteCount, order);
}

CUresult cuMemcpyDtoHAsync_v2(Client& client, void* dstHost, CUdeviceptr srcDevice, size_t ByteCount,
                              CUstream hStream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, hStream, true, &order); r != CUDA_SUCCESS) return r;
  return copy_from_device(client, dstHost, srcDevice, ByteCount, order);
}

CUresult cuMemcpyDtoD_v2(Client& client, CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount,
                         CUstream default_stream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, default_stream, false, &order); r != CUDA_SUCCESS) return r;
  return copy_on_device(client, dstDevice, srcDevice, ByteCount, order);
}

CUresult cuMemcpyDtoDAsync_v2(Client& client, CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount,
                              CUstream hStream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, hStream, true, &order); r != CUDA_SUCCESS) return r;
  return copy_on_device(client, dstDevice, srcDevice, ByteCount, order);
}

CUresult cuMemcpy(Client& client, CUdeviceptr dst, CUdeviceptr src, size_t ByteCount,
                  CUstream default_stream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, default_stream, false, &order); r != CUDA_SUCCESS) return r;
  return copy_any(client, dst, src, ByteCount, order);
}

CUresult cuMemcpyAsync(Client& client, CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream) {
  CopyOrder order;
  if (const CUresult r = order_of(client, hStream, true, &order); r != CUDA_SUCCESS) return r;
  return copy_any(client, dst, src, ByteCount, order);
}

namespace {

CUresult copy_between_contexts(Client& client, CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                               CUcontext from_context, size_t bytes, CUstream stream, bool asynchronous) {
  if (bytes == 0) return CUDA_SUCCESS;
  wire::MemcpyPeerRequest request;
  request.destination = to;
  request.source = from;
  request.size_bytes = bytes;
  request.asynchronous = asynchronous;
  if (const CUresult r = find(client, to_context, &request.destination_context); r != CUDA_SUCCESS) return r;
  if (const CUresult r = find(client, from_context, &request.source_context); r != CUDA_SUCCESS) return r;
  if (const CUresult r = find(client, stream, &request.stream); r != CUDA_SUCCESS) return r;
  bool to_known = false;
  bool from_known = false;
  if (const CUresult r = check_device_range(client, to, bytes, &to_known); r != CUDA_SUCCESS) return r;
  if (const CUresult r = check_device_range(client, from, bytes, &from_known); r != CUDA_SUCCESS) return r;
  if (const CUresult r = prepare_range(client, to, bytes, true, request.stream); r != CUDA_SUCCESS) return r;
  if (const CUresult r = prepare_range(client, from, bytes, false, request.stream); r != CUDA_SUCCESS)
    return r;
  const CUresult result = send(client, request, {}, to_known && from_known);
  return result == CUDA_SUCCESS ? finish_mirrored(client, to, from, {request.stream, asynchronous}) : result;
}

}  // namespace

CUresult cuMemcpyPeer(Client& client, CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
                      CUcontext srcContext, size_t ByteCount, CUstream default_stream) {
  return copy_between_contexts(client, dstDevice, dstContext, srcDevice, srcContext, ByteCount,
                               default_stream, false);
}

CUresult cuMemcpyPeerAsync(Client& client, CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
                           CUcontext srcContext, size_t ByteCount, CUstream hStream) {
  return copy_between_contexts(client, dstDevice, dstContext, srcDevice, srcContext, ByteCount, hStream,
                               true);
}

}  // namespace outboard::client::calls
