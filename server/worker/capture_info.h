// What the driver says of a stream that captures.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/device/driver_api_gen.h"

namespace outboard::server {

struct CaptureInfo {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode* dependencies = nullptr;  // the driver's, until the capture changes
  const CUgraphEdgeData* edges = nullptr;     // may be null: all are plain
  size_t count = 0;
};

CUresult ask_capture(const DriverApi& driver, CUstream stream, CaptureInfo* capture);

}  // namespace outboard::server
