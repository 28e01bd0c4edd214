// What the programs about graphs share.
#pragma once

#include "driver.h"

inline CUcontext g_context = nullptr;
inline CUstream g_stream = nullptr;

inline void run(CUgraphExec exec) {
  MUST(DRIVER(cuGraphLaunch)(exec, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
}

inline CUgraphExec instantiate(CUgraph graph) {
  CUgraphExec exec = nullptr;
  MUST(DRIVER(cuGraphInstantiateWithFlags)(&exec, graph, 0));
  return exec;
}

inline CUgraph make_graph() {
  CUgraph graph = nullptr;
  MUST(DRIVER(cuGraphCreate)(&graph, 0));
  return graph;
}

inline CUDA_MEMCPY3D line(CUmemorytype to_type, uint64_t to, CUmemorytype from_type, uint64_t from,
                          size_t bytes) {
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = from_type;
  copy.dstMemoryType = to_type;
  copy.srcHost = reinterpret_cast<void*>(from_type == CU_MEMORYTYPE_HOST ? from : 0);
  copy.srcDevice = from_type == CU_MEMORYTYPE_HOST ? 0 : from;
  copy.dstHost = reinterpret_cast<void*>(to_type == CU_MEMORYTYPE_HOST ? to : 0);
  copy.dstDevice = to_type == CU_MEMORYTYPE_HOST ? 0 : to;
  copy.WidthInBytes = bytes;
  copy.Height = copy.Depth = 1;
  return copy;
}

template <typename T>
CUDA_MEMCPY3D to_device(CUdeviceptr to, const std::vector<T>& from) {
  return line(CU_MEMORYTYPE_DEVICE, to, CU_MEMORYTYPE_HOST, reinterpret_cast<uint64_t>(from.data()),
              from.size() * sizeof(T));
}

template <typename T>
CUDA_MEMCPY3D from_device(const std::vector<T>& to, CUdeviceptr from) {
  return line(CU_MEMORYTYPE_HOST, reinterpret_cast<uint64_t>(to.data()), CU_MEMORYTYPE_DEVICE, from,
              to.size() * sizeof(T));
}

inline CUDA_KERNEL_NODE_PARAMS kernel_node(CUfunction function, unsigned grid, unsigned block,
                                           void** parameters) {
  CUDA_KERNEL_NODE_PARAMS node{};
  node.func = function;
  node.gridDimX = grid;
  node.blockDimX = block;
  node.gridDimY = node.gridDimZ = node.blockDimY = node.blockDimZ = 1;
  node.kernelParams = parameters;
  return node;
}

inline CUgraphNodeType type_of(CUgraphNode node) {
  CUgraphNodeType type{};
  MUST(DRIVER(cuGraphNodeGetType)(node, &type));
  return type;
}

inline void count_up(void* data) { ++*static_cast<int*>(data); }

// Device 0, the kernels of ptx/, and a stream.
inline CUmodule begin_program(int argc, char** argv) {
  const std::string ptx = read_text(argc > 1 ? argv[1] : OUTBOARD_TEST_PTX);
  open_device();
  MUST(DRIVER(cuCtxGetCurrent)(&g_context));
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  MUST(DRIVER(cuStreamCreate)(&g_stream, CU_STREAM_NON_BLOCKING));
  return module;
}

inline void end_program(CUmodule module) {
  MUST(DRIVER(cuStreamDestroy_v2)(g_stream));
  MUST(DRIVER(cuModuleUnload)(module));
}
