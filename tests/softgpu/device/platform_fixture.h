// A platform with one small device, private to the test.
#pragma once

#include <gtest/gtest.h>

#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

class PlatformTest : public testing::Test {
 protected:
  explicit PlatformTest(uint32_t devices = 1) {
    DeviceConfig config;
    config.devices = devices;
    config.memory_bytes = uint64_t{64} << 20;
    config.cores = 2;
    config.host_identity = "test";
    config.visible.clear();
    for (uint32_t i = 0; i < devices; ++i) config.visible.push_back(i);
    auto made = Platform::create(config);
    EXPECT_TRUE(made) << made.error().message;
    platform_ = std::move(*made);
    EXPECT_EQ(platform_->retain_primary(0, &context_), CUDA_SUCCESS);
  }

  uint64_t allocate(uint64_t bytes) {
    MemoryRequest request;
    request.bytes = bytes;
    request.context = context_->handle();
    uint64_t address = 0;
    EXPECT_EQ(context_->device().allocate(request, &address), CUDA_SUCCESS);
    return address;
  }

  std::unique_ptr<Platform> platform_;
  std::shared_ptr<Context> context_;
};

}  // namespace outboard::softgpu
