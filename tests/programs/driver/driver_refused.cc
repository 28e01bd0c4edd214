// Calls that neither the software device nor a remote one can serve: each is there, says that it is not
// supported, and touches nothing.
#include <fcntl.h>
#include <unistd.h>

#include "driver.h"

namespace {

template <typename... Arguments>
CUresult call_with_nothing(CUresult (*function)(Arguments...)) {
  return function(Arguments{}...);
}

struct Refused {
  const char* name;
  CUresult (*call)();
};

#define REFUSED(name) {#name, [] { return call_with_nothing(&DRIVER(name)); }}

constexpr Refused kRefused[] = {
    // Objects of graphics systems.
    REFUSED(cuEGLStreamConsumerAcquireFrame),
    REFUSED(cuEGLStreamConsumerConnect),
    REFUSED(cuEGLStreamConsumerConnectWithFlags),
    REFUSED(cuEGLStreamConsumerDisconnect),
    REFUSED(cuEGLStreamConsumerReleaseFrame),
    REFUSED(cuEGLStreamProducerConnect),
    REFUSED(cuEGLStreamProducerDisconnect),
    REFUSED(cuEGLStreamProducerPresentFrame),
    REFUSED(cuEGLStreamProducerReturnFrame),
    REFUSED(cuEventCreateFromEGLSync),
    REFUSED(cuGLCtxCreate),
    REFUSED(cuGLCtxCreate_v2),
    REFUSED(cuGLGetDevices),
    REFUSED(cuGLGetDevices_v2),
    REFUSED(cuGLInit),
    REFUSED(cuGLMapBufferObject),
    REFUSED(cuGLMapBufferObjectAsync),
    REFUSED(cuGLMapBufferObjectAsync_v2),
    REFUSED(cuGLMapBufferObject_v2),
    REFUSED(cuGLRegisterBufferObject),
    REFUSED(cuGLSetBufferObjectMapFlags),
    REFUSED(cuGLUnmapBufferObject),
    REFUSED(cuGLUnmapBufferObjectAsync),
    REFUSED(cuGLUnregisterBufferObject),
    REFUSED(cuGraphicsEGLRegisterImage),
    REFUSED(cuGraphicsGLRegisterBuffer),
    REFUSED(cuGraphicsGLRegisterImage),
    REFUSED(cuGraphicsMapResources),
    REFUSED(cuGraphicsResourceGetMappedEglFrame),
    REFUSED(cuGraphicsResourceGetMappedMipmappedArray),
    REFUSED(cuGraphicsResourceGetMappedPointer),
    REFUSED(cuGraphicsResourceGetMappedPointer_v2),
    REFUSED(cuGraphicsResourceSetMapFlags),
    REFUSED(cuGraphicsResourceSetMapFlags_v2),
    REFUSED(cuGraphicsSubResourceGetMappedArray),
    REFUSED(cuGraphicsUnmapResources),
    REFUSED(cuGraphicsUnregisterResource),
    REFUSED(cuGraphicsVDPAURegisterOutputSurface),
    REFUSED(cuGraphicsVDPAURegisterVideoSurface),
    REFUSED(cuVDPAUCtxCreate),
    REFUSED(cuVDPAUCtxCreate_v2),
    REFUSED(cuVDPAUGetDevice),
    // Memory and semaphores of other interfaces, by file descriptors or NvSci objects.
    REFUSED(cuDestroyExternalMemory),
    REFUSED(cuDestroyExternalSemaphore),
    REFUSED(cuExternalMemoryGetMappedBuffer),
    REFUSED(cuExternalMemoryGetMappedMipmappedArray),
    REFUSED(cuImportExternalMemory),
    REFUSED(cuImportExternalSemaphore),
    REFUSED(cuSignalExternalSemaphoresAsync),
    REFUSED(cuWaitExternalSemaphoresAsync),
    REFUSED(cuGraphAddExternalSemaphoresSignalNode),
    REFUSED(cuGraphAddExternalSemaphoresWaitNode),
    REFUSED(cuGraphExecExternalSemaphoresSignalNodeSetParams),
    REFUSED(cuGraphExecExternalSemaphoresWaitNodeSetParams),
    REFUSED(cuGraphExternalSemaphoresSignalNodeGetParams),
    REFUSED(cuGraphExternalSemaphoresSignalNodeSetParams),
    REFUSED(cuGraphExternalSemaphoresWaitNodeGetParams),
    REFUSED(cuGraphExternalSemaphoresWaitNodeSetParams),
    REFUSED(cuDeviceGetNvSciSyncAttributes),
    // Processes of this machine hold no device state.
    REFUSED(cuCheckpointProcessCheckpoint),
    REFUSED(cuCheckpointProcessGetRestoreThreadId),
    REFUSED(cuCheckpointProcessGetState),
    REFUSED(cuCheckpointProcessLock),
    REFUSED(cuCheckpointProcessRestore),
    REFUSED(cuCheckpointProcessUnlock),
    // What CUDA itself has taken away, and forms of before CUDA 3.2 with addresses of 32 bits.
    REFUSED(cuProfilerInitialize),
    REFUSED(cuDeviceTotalMem),
    REFUSED(cuMemAlloc),
    REFUSED(cuMemAllocPitch),
    REFUSED(cuMemFree),
    REFUSED(cuMemGetAddressRange),
    REFUSED(cuMemHostGetDevicePointer),
    REFUSED(cuMemcpyAtoD),
    REFUSED(cuMemcpyDtoA),
    REFUSED(cuMemcpyDtoD),
    REFUSED(cuMemcpyDtoDAsync),
    REFUSED(cuMemcpyDtoH),
    REFUSED(cuMemcpyDtoHAsync),
    REFUSED(cuMemcpyHtoD),
    REFUSED(cuMemcpyHtoDAsync),
    REFUSED(cuMemsetD16),
    REFUSED(cuMemsetD2D16),
    REFUSED(cuMemsetD2D32),
    REFUSED(cuMemsetD2D8),
    REFUSED(cuMemsetD32),
    REFUSED(cuMemsetD8),
    REFUSED(cuModuleGetGlobal),
    REFUSED(cuTexRefGetAddress),
    REFUSED(cuTexRefSetAddress),
    REFUSED(cuTexRefSetAddress2D),
};

// Sharing by file descriptors and the like. Drivers may have it; given nothing, they refuse.
constexpr Refused kShares[] = {
    REFUSED(cuMemExportToShareableHandle),
    REFUSED(cuMemImportFromShareableHandle),
    REFUSED(cuMemGetHandleForAddressRange),
    REFUSED(cuMemPoolExportToShareableHandle),
    REFUSED(cuMemPoolImportFromShareableHandle),
    REFUSED(cuMemPoolExportPointer),
    REFUSED(cuMemPoolImportPointer),
};

void check_all() {
  for (const Refused& one : kShares) EXPECT(one.call() != CUDA_SUCCESS);
  for (const Refused& one : kRefused) {
    const CUresult result = one.call();
    std::printf("%s: %s\n", one.name, error_name_of(result));
    EXPECT(result == CUDA_ERROR_NOT_SUPPORTED);
    // Programs that look for it by name find it.
    EXPECT(driver_symbol(one.name) != nullptr);
  }
}

// What a program would really pass, here a file: refused as well, and the file stays the program's.
void check_external_memory() {
  const int file = open("/dev/zero", O_RDWR | O_CLOEXEC);
  EXPECT(file >= 0);
  CUDA_EXTERNAL_MEMORY_HANDLE_DESC memory{};
  memory.type = CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD;
  memory.handle.fd = file;
  memory.size = 1 << 16;
  auto* const untouched = reinterpret_cast<CUexternalMemory>(uintptr_t{0x5a5a});
  CUexternalMemory imported = untouched;
  EXPECT_ERROR(CUDA_ERROR_NOT_SUPPORTED, DRIVER(cuImportExternalMemory)(&imported, &memory));
  EXPECT(imported == untouched);
  CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC semaphore{};
  semaphore.type = CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD;
  semaphore.handle.fd = file;
  CUexternalSemaphore made = nullptr;
  EXPECT_ERROR(CUDA_ERROR_NOT_SUPPORTED, DRIVER(cuImportExternalSemaphore)(&made, &semaphore));
  EXPECT(made == nullptr);
  CUgraph graph = nullptr;
  CUgraphNode node = nullptr;
  size_t nodes = 99;
  MUST(DRIVER(cuGraphCreate)(&graph, 0));
  const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS signal{};
  const CUDA_EXT_SEM_WAIT_NODE_PARAMS wait{};
  EXPECT_ERROR(CUDA_ERROR_NOT_SUPPORTED,
               DRIVER(cuGraphAddExternalSemaphoresSignalNode)(&node, graph, nullptr, 0, &signal));
  EXPECT_ERROR(CUDA_ERROR_NOT_SUPPORTED,
               DRIVER(cuGraphAddExternalSemaphoresWaitNode)(&node, graph, nullptr, 0, &wait));
  MUST(DRIVER(cuGraphGetNodes)(graph, nullptr, &nodes));
  EXPECT(node == nullptr && nodes == 0);
  MUST(DRIVER(cuGraphDestroy)(graph));
  EXPECT(close(file) == 0);
}

}  // namespace

int main() {
  open_device();
  check_all();
  check_external_memory();
  return verdict("driver_refused");
}
