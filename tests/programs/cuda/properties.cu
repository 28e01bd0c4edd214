// Prints what a program may ask about device, memory and functions, in a form that can be compared
// between a direct and a remote run.
#include "program.h"

__global__ void small_kernel(int* data) { data[threadIdx.x] = 1; }

__global__ __launch_bounds__(128, 2) void bounded_kernel(float* data) {
  __shared__ float shared[512];
  shared[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = shared[127 - threadIdx.x];
}

__global__ void local_kernel(int* data, int index) {
  int local[64];
  for (int i = 0; i < 64; ++i) local[i] = data[i];
  local[index] = 7;
  for (int i = 0; i < 64; ++i) data[i] = local[(i + index) % 64];
}

__global__ void dynamic_kernel(int* data) {
  extern __shared__ int dynamic[];
  dynamic[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = dynamic[blockDim.x - 1 - threadIdx.x];
}

void print_properties(int device) {
  cudaDeviceProp p{};
  MUST(cudaGetDeviceProperties(&p, device));
  std::printf("name %s\ncompute capability %d.%d\nuuid ", p.name, p.major, p.minor);
  for (char byte : p.uuid.bytes) std::printf("%02x", static_cast<unsigned char>(byte));
  std::printf("\ntotalGlobalMem %zu\nsharedMemPerBlock %zu\nregsPerBlock %d\nwarpSize %d\nmemPitch %zu\n",
              p.totalGlobalMem, p.sharedMemPerBlock, p.regsPerBlock, p.warpSize, p.memPitch);
  std::printf("maxThreadsPerBlock %d\nmaxThreadsDim %d %d %d\nmaxGridSize %d %d %d\n", p.maxThreadsPerBlock,
              p.maxThreadsDim[0], p.maxThreadsDim[1], p.maxThreadsDim[2], p.maxGridSize[0], p.maxGridSize[1],
              p.maxGridSize[2]);
  std::printf("totalConstMem %zu\ntextureAlignment %zu\nmultiProcessorCount %d\nintegrated %d\n",
              p.totalConstMem, p.textureAlignment, p.multiProcessorCount, p.integrated);
  std::printf("canMapHostMemory %d\nconcurrentKernels %d\nECCEnabled %d\npci %d:%d:%d\n", p.canMapHostMemory,
              p.concurrentKernels, p.ECCEnabled, p.pciDomainID, p.pciBusID, p.pciDeviceID);
  std::printf("asyncEngineCount %d\nunifiedAddressing %d\nmemoryBusWidth %d\nl2CacheSize %d\n",
              p.asyncEngineCount, p.unifiedAddressing, p.memoryBusWidth, p.l2CacheSize);
  std::printf("maxThreadsPerMultiProcessor %d\nsharedMemPerMultiprocessor %zu\nregsPerMultiprocessor %d\n",
              p.maxThreadsPerMultiProcessor, p.sharedMemPerMultiprocessor, p.regsPerMultiprocessor);
  std::printf("managedMemory %d\nconcurrentManagedAccess %d\npageableMemoryAccess %d\ncooperativeLaunch %d\n",
              p.managedMemory, p.concurrentManagedAccess, p.pageableMemoryAccess, p.cooperativeLaunch);
  std::printf("sharedMemPerBlockOptin %zu\nmaxBlocksPerMultiProcessor %d\nreservedSharedMemPerBlock %zu\n",
              p.sharedMemPerBlockOptin, p.maxBlocksPerMultiProcessor, p.reservedSharedMemPerBlock);
  std::printf("memoryPoolsSupported %d\nclusterLaunch %d\nunifiedFunctionPointers %d\n",
              p.memoryPoolsSupported, p.clusterLaunch, p.unifiedFunctionPointers);
}

void print_every_attribute(int device) {
  for (int id = 1; id < static_cast<int>(cudaDevAttrMax); ++id) {
    // A device on another machine needs another pointer for host memory that it did not allocate.
    if (id == cudaDevAttrCanUseHostPointerForRegisteredMem) continue;
    int value = 0;
    const cudaError_t result = cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(id), device);
    std::printf("attribute %d: %s %d\n", id, cudaGetErrorName(result), value);
  }
  cudaGetLastError();
}

template <typename Function>
void print_function(const char* name, Function* function, int block, size_t dynamic_bytes) {
  cudaFuncAttributes a{};
  MUST(cudaFuncGetAttributes(&a, function));
  std::printf("%s: shared %zu constant %zu local %zu threads %d registers %d ptx %d binary %d dynamic %d\n",
              name, a.sharedSizeBytes, a.constSizeBytes, a.localSizeBytes, a.maxThreadsPerBlock, a.numRegs,
              a.ptxVersion, a.binaryVersion, a.maxDynamicSharedSizeBytes);
  int blocks = 0, minimum_grid = 0, best_block = 0;
  MUST(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, block, dynamic_bytes));
  MUST(cudaOccupancyMaxPotentialBlockSize(&minimum_grid, &best_block, function, dynamic_bytes));
  size_t available = 0;
  MUST(cudaOccupancyAvailableDynamicSMemPerBlock(&available, function, 1, block));
  std::printf("%s: %d blocks of %d; best block %d, grid %d; dynamic shared memory %zu\n", name, blocks, block,
              best_block, minimum_grid, available);
  EXPECT(blocks > 0 && best_block > 0);
}

int main() {
  int count = 0, driver = 0, runtime = 0;
  MUST(cudaGetDeviceCount(&count));
  MUST(cudaDriverGetVersion(&driver));
  MUST(cudaRuntimeGetVersion(&runtime));
  std::printf("%d devices, driver %d, runtime %d\n", count, driver, runtime);
  for (int device = 0; device < count; ++device) {
    print_properties(device);
    print_every_attribute(device);
  }
  size_t free_bytes = 0, total_bytes = 0;
  MUST(cudaMemGetInfo(&free_bytes, &total_bytes));
  std::printf("memory total %zu\n", total_bytes);  // what is free depends on the device's other users
  EXPECT(free_bytes > 0 && free_bytes <= total_bytes);

  print_function("small_kernel", small_kernel, 256, 0);
  print_function("bounded_kernel", bounded_kernel, 128, 0);
  print_function("local_kernel", local_kernel, 64, 0);
  print_function("dynamic_kernel", dynamic_kernel, 256, 8192);
  MUST(cudaFuncSetAttribute(dynamic_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000));
  print_function("dynamic_kernel, 60000 allowed", dynamic_kernel, 256, 60000);

  char bus[32] = "";
  MUST(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
  int by_bus = -1;
  MUST(cudaDeviceGetByPCIBusId(&by_bus, bus));
  std::printf("bus id %s is device %d\n", bus, by_bus);
  for (cudaLimit limit : {cudaLimitStackSize, cudaLimitPrintfFifoSize, cudaLimitMallocHeapSize}) {
    size_t value = 0;
    const cudaError_t result = cudaDeviceGetLimit(&value, limit);
    std::printf("limit %d: %s %zu\n", static_cast<int>(limit), cudaGetErrorName(result), value);
  }
  return verdict("properties");
}
