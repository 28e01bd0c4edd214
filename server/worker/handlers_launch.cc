// Kernel launches and host functions.
#include <vector>

#include "server/worker/capture_info.h"
#include "server/worker/graph_nodes.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/launch_config.h"
#include "server/worker/packed_parameters.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

CUresult launch_extended(const Worker& worker, const wire::LaunchKernelRequest& request, CUfunction function,
                         CUstream stream, void** extra) {
  std::vector<CUlaunchAttribute> attributes;
  if (CUresult made = to_native_attributes(worker, request.attributes, &attributes); made != CUDA_SUCCESS)
    return made;
  // The cooperative entry point takes no packed parameters, the attribute means the same.
  if (request.cooperative) {
    CUlaunchAttribute cooperative{};
    cooperative.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    cooperative.value.cooperative = 1;
    attributes.push_back(cooperative);
  }
  const CUlaunchConfig config = launch_config(request, stream, attributes);
  return worker.driver().cuLaunchKernelEx(&config, function, nullptr, extra);
}

// The same kernel with as many threads.
uint64_t launch_key(const wire::LaunchKernelRequest& request, CUfunction function) {
  const uint64_t blocks = uint64_t{request.grid_x} * request.grid_y * request.grid_z;
  const uint64_t threads = uint64_t{request.block_x} * request.block_y * request.block_z;
  return reinterpret_cast<uintptr_t>(function) ^ (blocks * 0x9E3779B97F4A7C15u) ^ (threads << 48);
}

}  // namespace

CUresult handle(Worker& worker, const wire::LaunchKernelRequest& request, wire::LaunchKernelReply&) {
  const auto function = worker.native_as<CUfunction>(HandleKind::kFunction, request.function);
  if (!function) return CUDA_ERROR_INVALID_HANDLE;
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  PackedParameters parameters(request.parameters);
  return worker.launch(stream, launch_key(request, *function), [&] {
    if (request.cooperative || !request.attributes.empty())
      return launch_extended(worker, request, *function, stream, parameters.extra());
    return worker.driver().cuLaunchKernel(*function, request.grid_x, request.grid_y, request.grid_z,
                                          request.block_x, request.block_y, request.block_z,
                                          request.shared_bytes, stream, nullptr, parameters.extra());
  });
}

CUresult handle(Worker& worker, const wire::OccupancyClustersRequest& request,
                wire::OccupancyClustersReply& reply) {
  const auto function = worker.native_as<CUfunction>(HandleKind::kFunction, request.function);
  if (!function) return CUDA_ERROR_INVALID_HANDLE;
  std::vector<CUlaunchAttribute> attributes;
  if (CUresult made = to_native_attributes(worker, request.attributes, &attributes); made != CUDA_SUCCESS)
    return made;
  const CUlaunchConfig config = launch_config(request, nullptr, attributes);
  int value = 0;
  const CUresult got = request.potential
                           ? worker.driver().cuOccupancyMaxPotentialClusterSize(&value, *function, &config)
                           : worker.driver().cuOccupancyMaxActiveClusters(&value, *function, &config);
  reply.value = value;
  return got;
}

CUresult handle(Worker& worker, const wire::LaunchHostFunctionRequest& request,
                wire::LaunchHostFunctionReply&) {
  CUstream stream = nullptr;
  if (CUresult found = worker.native_stream(request.stream, &stream); found != CUDA_SUCCESS) return found;
  // What is recorded in a graph runs as often as the graph does.
  CaptureInfo capture;
  (void)ask_capture(worker.driver(), stream, &capture);
  HostCallbacks& callbacks = worker.session().callbacks;
  auto* ticket = callbacks.issue(request.callback, capture.status != CU_STREAM_CAPTURE_STATUS_NONE);
  if (ticket == nullptr)
    return worker.violation("A host function has a number that is in use, or there are too many.");
  const CUresult launched = worker.driver().cuLaunchHostFunc(stream, &HostCallbacks::run, ticket);
  if (launched != CUDA_SUCCESS) {
    callbacks.withdraw(ticket);
  } else if (capture.graph != nullptr) {
    (void)at_end_of(worker.driver(), capture.graph, [ticket, &callbacks] { callbacks.retire(ticket); });
  }
  return launched;
}

CUresult handle(Worker& worker, const wire::HostFunctionDoneRequest& request, wire::HostFunctionDoneReply&) {
  if (worker.session().callbacks.done(request.callback)) return CUDA_SUCCESS;
  return worker.violation("The client is done with a host function that is not running.");
}

}  // namespace outboard::server
