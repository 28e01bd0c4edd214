// The older and rarer ways to launch: by parts, cooperatively on several devices, questions about
// clusters, captures as CUDA 10.0 had them.
#include <cstring>

#include "driver.h"

namespace {

constexpr unsigned kCount = 300;

struct Vectors {
  CUdeviceptr a = upload(std::vector<float>(kCount, 1.25f));
  CUdeviceptr b = upload(std::vector<float>(kCount, 2.5f));
  CUdeviceptr c = upload(std::vector<float>(kCount, 0.0f));

  bool summed() const { return download<float>(c, kCount) == std::vector<float>(kCount, 3.75f); }
  void clear() const { MUST(DRIVER(cuMemsetD32_v2)(c, 0, kCount)); }
  void release() const {
    for (CUdeviceptr address : {a, b, c}) MUST(DRIVER(cuMemFree_v2)(address));
  }
};

void set_parameters(CUfunction function, Vectors& vectors) {
  MUST(DRIVER(cuParamSetv)(function, 0, &vectors.a, sizeof vectors.a));
  MUST(DRIVER(cuParamSetv)(function, 8, &vectors.b, sizeof vectors.b));
  MUST(DRIVER(cuParamSetv)(function, 16, &vectors.c, sizeof vectors.c));
  MUST(DRIVER(cuParamSeti)(function, 24, kCount));
  MUST(DRIVER(cuParamSetSize)(function, 28));
}

void check_parts(CUmodule module) {
  const CUfunction function = function_of(module, "vector_add");
  Vectors vectors;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchGrid)(function, 2, 1));  // no block shape yet
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuFuncSetBlockShape)(function, 0, 1, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuFuncSetBlockShape)(function, 32, -1, 1));
  MUST(DRIVER(cuFuncSetBlockShape)(function, 50, 2, 1));
  MUST(DRIVER(cuFuncSetSharedSize)(function, 64));
  set_parameters(function, vectors);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchGrid)(function, 0, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchGrid)(function, 1, -1));
  // The kernel counts threads along x only: 50 of each block.
  MUST(DRIVER(cuLaunchGrid)(function, 6, 1));
  EXPECT(vectors.summed());

  vectors.clear();
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, 0));
  MUST(DRIVER(cuLaunchGridAsync)(function, 6, 1, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(vectors.summed());
  MUST(DRIVER(cuStreamDestroy_v2)(stream));

  // One block of one launch; the parts of another function are its own.
  vectors.clear();
  const CUfunction scale = function_of(module, "scale");
  MUST(DRIVER(cuFuncSetBlockShape)(scale, 4, 1, 1));
  MUST(DRIVER(cuParamSetv)(scale, 0, &vectors.a, sizeof vectors.a));
  MUST(DRIVER(cuParamSeti)(scale, 8, 4));
  MUST(DRIVER(cuParamSetSize)(scale, 12));
  MUST(DRIVER(cuLaunch)(scale));
  EXPECT(download<float>(vectors.a, 5) == (std::vector<float>{1.25f, 2.5f, 5.0f, 10.0f, 1.25f}));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuParamSetv)(scale, -4, &vectors.a, 8));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuParamSetv)(scale, 0, nullptr, 8));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuParamSetSize)(scale, 1u << 20));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuFuncSetBlockShape)(nullptr, 1, 1, 1));
  vectors.release();
  std::printf("launch by parts done\n");
}

constexpr const char* kMorePtx = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .global .texref unused;
// out[0] = value, as bits
.visible .entry store(.param .f32 value, .param .u64 out)
{
  .reg .f32 %f0; .reg .b64 %a0;
  ld.param.f32 %f0, [value];
  ld.param.u64 %a0, [out];
  st.global.f32 [%a0], %f0;
  ret;
}
)";

void check_float_parameter_and_references() {
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, kMorePtx));
  const CUfunction store = function_of(module, "store");
  CUtexref reference = nullptr;
  MUST(DRIVER(cuModuleGetTexRef)(&reference, module, "unused"));
  MUST(DRIVER(cuParamSetTexRef)(store, CU_PARAM_TR_DEFAULT, reference));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuParamSetTexRef)(store, 0, reference));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuParamSetTexRef)(store, CU_PARAM_TR_DEFAULT, nullptr));
  CUdeviceptr out = upload(std::vector<float>{0});
  MUST(DRIVER(cuParamSetf)(store, 0, -0.0f));
  MUST(DRIVER(cuParamSetv)(store, 8, &out, sizeof out));
  MUST(DRIVER(cuParamSetSize)(store, 16));
  MUST(DRIVER(cuFuncSetBlockShape)(store, 1, 1, 1));
  MUST(DRIVER(cuLaunch)(store));
  EXPECT(download<uint32_t>(out, 1)[0] == 0x8000'0000);

  const float colour[4] = {0.25f, -1.0f, 3.5f, 0.0f};
  float found[4] = {};
  MUST(DRIVER(cuTexRefSetBorderColor)(reference, const_cast<float*>(colour)));
  MUST(DRIVER(cuTexRefGetBorderColor)(found, reference));
  EXPECT(std::memcmp(colour, found, sizeof colour) == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuTexRefSetBorderColor)(reference, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuTexRefGetBorderColor)(nullptr, reference));
  MUST(DRIVER(cuMemFree_v2)(out));
  MUST(DRIVER(cuModuleUnload)(module));
  std::printf("parameters and references done\n");
}

void check_multi_device(CUmodule module) {
  Vectors vectors;
  unsigned count = kCount;
  void* arguments[] = {&vectors.a, &vectors.b, &vectors.c, &count};
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  CUDA_LAUNCH_PARAMS launch{};
  launch.function = function_of(module, "vector_add");
  launch.gridDimX = launch.gridDimY = launch.gridDimZ = 1;
  launch.blockDimX = kCount;
  launch.blockDimY = launch.blockDimZ = 1;
  launch.hStream = stream;
  launch.kernelParams = arguments;
  MUST(DRIVER(cuLaunchCooperativeKernelMultiDevice)(&launch, 1, 0));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(vectors.summed());
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchCooperativeKernelMultiDevice)(&launch, 0, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchCooperativeKernelMultiDevice)(nullptr, 1, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLaunchCooperativeKernelMultiDevice)(&launch, 1, 0xff));
  launch.function = nullptr;
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuLaunchCooperativeKernelMultiDevice)(&launch, 1, 0));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  vectors.release();
  std::printf("several devices done\n");
}

void check_clusters(CUmodule module) {
  const CUfunction function = function_of(module, "vector_add");
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim = {1, 1, 1};
  CUlaunchConfig config{};
  config.gridDimX = 8;
  config.gridDimY = config.gridDimZ = config.blockDimY = config.blockDimZ = 1;
  config.blockDimX = 128;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = -1, size = -1;
  MUST(DRIVER(cuOccupancyMaxActiveClusters)(&clusters, function, &config));
  MUST(DRIVER(cuOccupancyMaxPotentialClusterSize)(&size, function, &config));
  std::printf("clusters: at most %d blocks each\n", size);
  EXPECT(clusters > 0 && size >= 1);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuOccupancyMaxActiveClusters)(nullptr, function, &config));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuOccupancyMaxActiveClusters)(&clusters, nullptr, &config));
}

void check_first_capture(CUmodule module) {
  Vectors vectors;
  unsigned count = kCount;
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuStreamBeginCapture)(stream));
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  MUST(DRIVER(cuStreamIsCapturing)(stream, &status));
  EXPECT(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
  launch(function_of(module, "vector_add"), 3, 128, {&vectors.a, &vectors.b, &vectors.c, &count}, stream);
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  MUST(DRIVER(cuStreamEndCapture)(stream, &graph));
  MUST(DRIVER(cuGraphInstantiateWithFlags)(&executable, graph, 0));
  EXPECT(!vectors.summed());
  MUST(DRIVER(cuGraphLaunch)(executable, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(vectors.summed());
  MUST(DRIVER(cuGraphExecDestroy)(executable));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  vectors.release();
  std::printf("first capture done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string ptx = read_text(argc > 1 ? argv[1] : OUTBOARD_TEST_PTX);
  open_device();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  check_parts(module);
  check_float_parameter_and_references();
  check_multi_device(module);
  check_clusters(module);
  check_first_capture(module);
  MUST(DRIVER(cuModuleUnload)(module));
  return verdict("driver_launches");
}
