// A program that does what it is told on standard input, one command a line, one answer a line; for
// tests that need several programs at certain points of their life at the same time.
//
//   alloc BYTES   allocates and keeps device memory         -> ok | the error's name
//   free          what cuMemGetInfo says                    -> free N total N
//   check         runs a kernel and compares                -> right | wrong | the error's name
//   spin ROUNDS   launches a long kernel and does not wait  -> ok | the error's name
//   sync          waits for the device                      -> ok | the error's name
//   crash         launches a kernel that ends the context   -> the error's name
//   quit          leaves in order                           -> bye
#include <iostream>

#include "driver.h"

namespace {

std::string answer(CUresult result) { return result == CUDA_SUCCESS ? "ok" : error_name_of(result); }

class Program {
 public:
  explicit Program(const char* ptx_path) {
    open_device();
    MUST(DRIVER(cuModuleLoadData)(&module_, read_text(ptx_path).c_str()));
  }

  std::string run(const std::string& command, uint64_t number) {
    if (command == "alloc") {
      CUdeviceptr address = 0;
      const CUresult result = DRIVER(cuMemAlloc_v2)(&address, number);
      return result == CUDA_SUCCESS ? answer(DRIVER(cuMemsetD8_v2)(address, 1, number)) : answer(result);
    }
    if (command == "free") {
      size_t free_bytes = 0, total_bytes = 0;
      const CUresult result = DRIVER(cuMemGetInfo_v2)(&free_bytes, &total_bytes);
      if (result != CUDA_SUCCESS) return answer(result);
      return "free " + std::to_string(free_bytes) + " total " + std::to_string(total_bytes);
    }
    if (command == "check") return check();
    if (command == "spin") {
      CUdeviceptr output = 0;
      const CUresult result = DRIVER(cuMemAlloc_v2)(&output, 8);
      return result == CUDA_SUCCESS ? answer(start("spin", {&output, &number}, 1)) : answer(result);
    }
    if (command == "sync") return answer(DRIVER(cuCtxSynchronize)());
    if (command == "crash") {
      const CUresult result = start("crash", {}, 1);
      return answer(result != CUDA_SUCCESS ? result : DRIVER(cuCtxSynchronize)());
    }
    return "unknown command " + command;
  }

 private:
  CUresult start(const char* name, std::vector<void*> arguments, unsigned block) {
    CUfunction function = nullptr;
    const CUresult found = DRIVER(cuModuleGetFunction)(&function, module_, name);
    if (found != CUDA_SUCCESS) return found;
    return DRIVER(cuLaunchKernel)(function, 1, 1, 1, block, 1, 1, 0, nullptr, arguments.data(), nullptr);
  }

  std::string check() {
    unsigned count = 64;
    std::vector<float> data(count, 3.0f);
    CUdeviceptr device = 0;
    CUresult result = DRIVER(cuMemAlloc_v2)(&device, count * sizeof(float));
    if (result == CUDA_SUCCESS) result = DRIVER(cuMemcpyHtoD_v2)(device, data.data(), count * sizeof(float));
    if (result == CUDA_SUCCESS) result = start("scale", {&device, &count}, 64);
    if (result == CUDA_SUCCESS) result = DRIVER(cuMemcpyDtoH_v2)(data.data(), device, count * sizeof(float));
    if (result == CUDA_SUCCESS) result = DRIVER(cuMemFree_v2)(device);
    if (result != CUDA_SUCCESS) return answer(result);
    for (unsigned i = 0; i < count; ++i) {
      if (data[i] != 3.0f * static_cast<float>(1 << i % 4)) return "wrong";
    }
    return "right";
  }

  CUmodule module_ = nullptr;
};

}  // namespace

int main() {
  Program program(OUTBOARD_TEST_PTX);
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    uint64_t number = 0;
    words >> command >> number;
    if (command == "quit") break;
    std::cout << program.run(command, number) << std::endl;
  }
  std::cout << "bye" << std::endl;
  return 0;
}
