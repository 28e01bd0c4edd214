#include "tests/server/fake_driver.h"

#include <algorithm>

namespace outboard::server::testing {
namespace {

constexpr size_t kDeviceBytes = 1 << 30;

}  // namespace

FakeDriver::FakeDriver() {
  current_ = this;
  install();
  install_memory();
  install_accounted_memory();
  install_pools();
  install_shareable_memory();
}

void FakeDriver::fail_next(const std::string& symbol, CUresult result) {
  std::lock_guard lock(mutex_);
  failures_[symbol] = result;
}

void FakeDriver::close_gate() {
  std::lock_guard lock(mutex_);
  gate_open_ = false;
}

void FakeDriver::open_gate() {
  std::lock_guard lock(mutex_);
  gate_open_ = true;
  gate_changed_.notify_all();
}

void FakeDriver::wait_at_gate() {
  std::unique_lock lock(mutex_);
  gate_changed_.wait(lock, [this] { return gate_open_; });
}

CUresult FakeDriver::note(const std::string& symbol) {
  std::lock_guard lock(mutex_);
  calls_.push_back(symbol);
  const auto failure = failures_.find(symbol);
  if (failure == failures_.end()) return CUDA_SUCCESS;
  const CUresult result = failure->second;
  failures_.erase(failure);
  return result;
}

std::vector<std::string> FakeDriver::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

size_t FakeDriver::count(const std::string& call) const {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::count(calls_.begin(), calls_.end(), call));
}

std::vector<std::byte> FakeDriver::last_parameters() const {
  std::lock_guard lock(mutex_);
  return parameters_;
}

CUcontext FakeDriver::context_of_last_alloc() const {
  std::lock_guard lock(mutex_);
  return alloc_context_;
}

void FakeDriver::run_host_function() { host_function_(host_data_); }

void FakeDriver::install() {
  api_.cuDeviceGetCount = [](int* count) { return *count = 1, CUDA_SUCCESS; };
  api_.cuDeviceGet = [](CUdevice* device, int ordinal) { return *device = ordinal, CUDA_SUCCESS; };
  api_.cuDriverGetVersion = [](int* version) { return *version = 13000, CUDA_SUCCESS; };
  api_.cuDeviceGetName = [](char* name, int size, CUdevice) {
    std::strncpy(name, "Fake device", static_cast<size_t>(size));
    return CUDA_SUCCESS;
  };
  api_.cuDeviceTotalMem_v2 = [](size_t* bytes, CUdevice) { return *bytes = kDeviceBytes, CUDA_SUCCESS; };
  api_.cuDeviceGetAttribute = [](int* value, CUdevice_attribute attribute, CUdevice) {
    switch (attribute) {
      case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return *value = 32, CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return *value = 2, CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return *value = 1024, CUDA_SUCCESS;
      default: return CUDA_ERROR_INVALID_VALUE;
    }
  };
  api_.cuDevicePrimaryCtxRetain = [](CUcontext* context, CUdevice) {
    *context = reinterpret_cast<CUcontext>(0x111);
    return self().note("cuDevicePrimaryCtxRetain");
  };
  api_.cuDevicePrimaryCtxRelease_v2 = [](CUdevice) { return self().note("cuDevicePrimaryCtxRelease"); };
  api_.cuCtxSetCurrent = [](CUcontext context) {
    thread_context_ = context;
    return self().note("cuCtxSetCurrent");
  };
  api_.cuCtxGetDevice = [](CUdevice* device) { return *device = 0, CUDA_SUCCESS; };
  api_.cuCtxGetLimit = [](size_t* value, CUlimit) { return *value = 8 << 20, CUDA_SUCCESS; };
  api_.cuCtxSetLimit = [](CUlimit, size_t) { return self().note("cuCtxSetLimit"); };
  api_.cuDevicePrimaryCtxReset_v2 = [](CUdevice) { return self().note("cuDevicePrimaryCtxReset"); };
  api_.cuModuleUnload = [](CUmodule) { return self().note("cuModuleUnload"); };
  api_.cuStreamCreate = [](CUstream* stream, unsigned) {
    *stream = reinterpret_cast<CUstream>(self().next_handle_++);
    return self().note("cuStreamCreate");
  };
  api_.cuStreamDestroy_v2 = [](CUstream) { return self().note("cuStreamDestroy"); };
  api_.cuStreamSynchronize = [](CUstream stream) {
    if (stream != nullptr && self().others_pass_) return self().note("cuStreamSynchronize");
    const CUresult result = self().note("cuStreamSynchronize");
    self().wait_at_gate();
    return result;
  };
  api_.cuLaunchHostFunc = [](CUstream, CUhostFn function, void* data) {
    self().host_function_ = function;
    self().host_data_ = data;
    return self().note("cuLaunchHostFunc");
  };
  api_.cuModuleLoadDataEx = [](CUmodule* module, const void*, unsigned count, CUjit_option* options,
                               void** values) {
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] != CU_JIT_ERROR_LOG_BUFFER) continue;
      std::strcpy(static_cast<char*>(values[i]), "line 3: what is this?");
    }
    *module = reinterpret_cast<CUmodule>(self().next_handle_++);
    return self().note("cuModuleLoadDataEx");
  };
  api_.cuModuleGetFunction = [](CUfunction* function, CUmodule, const char* name) {
    *function = reinterpret_cast<CUfunction>(self().next_handle_++);
    return self().note(std::string("cuModuleGetFunction ") + name);
  };
  api_.cuModuleUnload = [](CUmodule) { return self().note("cuModuleUnload"); };
  api_.cuDevicePrimaryCtxReset_v2 = [](CUdevice) { return self().note("cuDevicePrimaryCtxReset"); };
  api_.cuLaunchKernel = [](CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                           CUstream, void**, void** extra) {
    std::lock_guard lock(self().mutex_);
    const auto* data = static_cast<const std::byte*>(extra[1]);
    self().parameters_.assign(data, data + *static_cast<size_t*>(extra[3]));
    self().calls_.push_back("cuLaunchKernel");
    return CUDA_SUCCESS;
  };
}

void FakeDriver::install_memory() {
  api_.cuMemAlloc_v2 = [](CUdeviceptr* address, size_t bytes) {
    const CUresult result = self().note("cuMemAlloc");
    if (result != CUDA_SUCCESS) return result;
    std::lock_guard lock(self().mutex_);
    self().alloc_context_ = thread_context_;
    *address = self().next_address_;
    self().next_address_ += bytes;
    return CUDA_SUCCESS;
  };
  api_.cuMemFree_v2 = [](CUdeviceptr) { return self().note("cuMemFree"); };
  api_.cuMemGetInfo_v2 = [](size_t* free_bytes, size_t* total_bytes) {
    *free_bytes = *total_bytes = kDeviceBytes;
    return CUDA_SUCCESS;
  };
  api_.cuMemcpyHtoDAsync_v2 = [](CUdeviceptr, const void*, size_t bytes, CUstream) {
    const CUresult result = self().note("cuMemcpyHtoDAsync " + std::to_string(bytes));
    if (self().copies_block_) self().wait_at_gate();
    return result;
  };
  api_.cuMemcpyDtoHAsync_v2 = [](void* destination, CUdeviceptr, size_t bytes, CUstream) {
    std::memset(destination, 0x5a, bytes);
    return self().note("cuMemcpyDtoHAsync");
  };
}

}  // namespace outboard::server::testing
