// Everything a client will want to know of the functions of an image that was just loaded, asked
// of the driver at once, so that it need not ask one by one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "server/device/driver_api_gen.h"

namespace outboard::server {

// An image with more functions than this gets no attributes: with lazy loading, asking for them
// would load every function.
inline constexpr size_t kMaxFunctionsWithAttributes = 256;
// Functions beyond this are not described at all.
inline constexpr size_t kMaxDescribedFunctions = 16384;

// Parameters and attributes of one function or kernel. `device` is where kernel attributes hold.
wire::FunctionDescription describe_function(const DriverApi& driver, CUfunction function,
                                            bool with_attributes);
wire::FunctionDescription describe_kernel(const DriverApi& driver, CUkernel kernel, CUdevice device,
                                          bool with_attributes);

// All of them; nothing when the driver cannot enumerate (before CUDA 12.4).
std::optional<std::vector<wire::FunctionDescription>> describe_module(const DriverApi& driver,
                                                                      CUmodule module);
std::optional<std::vector<wire::FunctionDescription>> describe_library(const DriverApi& driver,
                                                                       CUlibrary library);

}  // namespace outboard::server
