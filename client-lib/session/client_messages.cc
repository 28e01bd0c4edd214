// The parts of Client that send messages of their own accord.
#include "client-lib/session/client.h"
#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::client {

using wire::Handle;
using wire::HandleKind;

// CU_STREAM_PER_THREAD: an ordinary blocking stream for each thread and context, made when it is
// first used.
CUresult Client::per_thread_stream(Handle* handle) {
  ThreadState& state = thread();
  const Handle current = state.current();
  if (current.is_null()) return CUDA_ERROR_INVALID_CONTEXT;
  for (auto& [context, stream] : state.default_streams) {
    if (context != current.index || !handles_.alive(HandleKind::kStream, stream)) continue;
    *handle = stream;
    return CUDA_SUCCESS;
  }
  wire::StreamCreateRequest request;
  if (const CUresult result = create_handle(HandleKind::kStream, &request.phStream); result != CUDA_SUCCESS) {
    return result;
  }
  if (const CUresult result = post(request); result != CUDA_SUCCESS) {
    forget_handle(HandleKind::kStream, request.phStream);
    return result;
  }
  // A stream that died with its context leaves its place to the new one.
  std::erase_if(state.default_streams, [&](const auto& entry) { return entry.first == current.index; });
  state.default_streams.emplace_back(current.index, request.phStream);
  *handle = request.phStream;
  return CUDA_SUCCESS;
}

// On the thread that ends; nobody waits for anything.
void Client::thread_ends(ThreadState& state) {
  if (!life_.ready() || session_->broken() != CUDA_SUCCESS) return;
  for (const auto& [context, stream] : state.default_streams) {
    if (!handles_.destroy(HandleKind::kStream, stream)) continue;
    wire::StreamDestroyV2Request request;
    request.hStream = stream;
    (void)session_->post(CommandScope{state.current(), state.capture_mode}, request);
  }
}

void Client::host_function_done(uint64_t number) {
  (void)session_->post(scope(), wire::HostFunctionDoneRequest{number});
}

CUresult Client::check_captures() {
  if (!captures_.any()) return CUDA_SUCCESS;
  const auto mode = static_cast<CUstreamCaptureMode>(thread().capture_mode);
  const auto spoilt = captures_.forbidding(mode);
  for (const auto& [stream, context] : spoilt) {
    // Waiting for a stream that captures is what no capture allows.
    Reply ignored;
    wire::StreamSynchronizeRequest request;
    request.hStream = stream;
    (void)session_->call(CommandScope{context, 0}, request, ignored);
  }
  if (spoilt.empty()) return CUDA_SUCCESS;
  captures_.doubt();
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

// These calls come on behalf of any thread, and take no part in its captures.
Mirrors::Device Client::mirrored_device() {
  const auto scope_of = [](Handle context) { return CommandScope{context, CU_STREAM_CAPTURE_MODE_RELAXED}; };
  Mirrors::Device device;
  device.write = [this, scope_of](Handle context, uint64_t address, std::span<const std::byte> from) {
    return session_->post(scope_of(context), wire::MirrorWriteRequest{address}, from);
  };
  device.read = [this, scope_of](Handle context, uint64_t address, std::span<std::byte> into) {
    Reply raw;
    const CUresult result =
        session_->call(scope_of(context), wire::MirrorReadRequest{address, into.size()}, raw, {{}, into});
    return result == CUDA_SUCCESS && raw.bulk_bytes != into.size() ? CUDA_ERROR_UNKNOWN : result;
  };
  return device;
}

}  // namespace outboard::client
