// CUlaunchConfig from what a client sent.
#pragma once

#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/records_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

inline constexpr size_t kMaxLaunchAttributes = 64;

// Attributes whose values hold handles are translated; those that hold addresses of the client are
// refused with CUDA_ERROR_NOT_SUPPORTED.
CUresult to_native_attributes(const Worker& worker, const std::vector<wire::LaunchAttribute>& from,
                              std::vector<CUlaunchAttribute>* to);

// `attributes` must outlive the result.
template <typename Request>
CUlaunchConfig launch_config(const Request& request, CUstream stream,
                             std::vector<CUlaunchAttribute>& attributes) {
  CUlaunchConfig config{};
  config.gridDimX = request.grid_x;
  config.gridDimY = request.grid_y;
  config.gridDimZ = request.grid_z;
  config.blockDimX = request.block_x;
  config.blockDimY = request.block_y;
  config.blockDimZ = request.block_z;
  config.sharedMemBytes = request.shared_bytes;
  config.hStream = stream;
  config.attrs = attributes.data();
  config.numAttrs = static_cast<unsigned>(attributes.size());
  return config;
}

}  // namespace outboard::server
