// What a command means for a wait that comes after it; see state/stream_activity.h.
#pragma once

#include "protocol/wire/handle.h"
#include "protocol/wire/opcodes_gen.h"

namespace outboard::client {

enum class CommandSort { kNoWork, kQuiet, kVisible, kAnywhere };

// The stream that orders a request.
template <typename Request>
constexpr bool kHasStream = requires(const Request& request) { request.stream; } ||
                            requires(const Request& request) { request.hStream; };

template <typename Request>
wire::Handle stream_of(const Request& request) {
  if constexpr (requires { request.stream; }) {
    return request.stream;
  } else {
    return request.hStream;
  }
}

// What is not listed and names a stream counts as work that the program can observe: the worst that
// can happen to it is a needless round trip.
constexpr CommandSort sort_of(wire::Opcode opcode, bool has_stream) {
  using wire::Opcode;
  switch (opcode) {
    case Opcode::kMemcpyHtoD:
    case Opcode::kCopyUpload:
    case Opcode::kMemcpyDtoD:
    case Opcode::kMemset:
    case Opcode::kMemAllocAsync:
    case Opcode::kMemFreeAsync:
    case Opcode::kEventRecord:
    case Opcode::kEventRecordWithFlags: return CommandSort::kQuiet;
    case Opcode::kStreamSynchronize:
    case Opcode::kStreamOrder:
    case Opcode::kStreamQuery:
    case Opcode::kStreamDestroyV2:
    case Opcode::kStreamIsCapturing:
    case Opcode::kStreamGetCaptureInfo:
    case Opcode::kStreamGetFlags:
    case Opcode::kStreamGetPriority:
    case Opcode::kStreamGetId:
    case Opcode::kStreamGetAttribute: return CommandSort::kNoWork;
    // They change what a wait for any stream may answer.
    case Opcode::kStreamBeginCaptureV2:
    case Opcode::kStreamBeginCaptureToGraph:
    case Opcode::kStreamEndCapture:
    // Their streams stand inside, or are all of a context's.
    case Opcode::kLaunchCooperativeMultiDevice:
    case Opcode::kCtxWaitEvent:
    case Opcode::kGreenCtxWaitEvent: return CommandSort::kAnywhere;
    default: return has_stream ? CommandSort::kVisible : CommandSort::kNoWork;
  }
}

}  // namespace outboard::client
