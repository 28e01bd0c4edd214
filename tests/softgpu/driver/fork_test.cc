#include <sys/wait.h>
#include <unistd.h>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

using ForkTest = DriverTest;

TEST_F(ForkTest, AChildIsNotInitialised) {
  const CUdeviceptr address = numbers(4);
  const pid_t pid = fork();
  if (pid == 0) {
    CUcontext context = nullptr;
    const bool refused = cuInit(0) == CUDA_ERROR_NOT_INITIALIZED &&
                         cuCtxSynchronize() == CUDA_ERROR_NOT_INITIALIZED &&
                         cuCtxGetCurrent(&context) == CUDA_ERROR_NOT_INITIALIZED &&
                         cuMemFree_v2(address) == CUDA_ERROR_NOT_INITIALIZED;
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read(address, 1)[0], 1u);  // the parent goes on
}

}  // namespace
}  // namespace outboard::softgpu
