// Copies of rectangles and boxes as all calls and graph nodes see them, whatever structure they came in.
#pragma once

#include "client-lib/session/client.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {

struct Side {
  CUmemorytype type = CU_MEMORYTYPE_HOST;
  const void* host = nullptr;
  CUdeviceptr device = 0;
  CUarray array = nullptr;
  uint64_t pitch = 0;
  uint64_t height = 0;  // rows per slice of linear memory
  uint64_t x = 0;       // bytes
  uint64_t y = 0;
  uint64_t z = 0;
  uint32_t level = 0;
};

struct Box {
  uint64_t width = 0;  // bytes
  uint64_t height = 1;
  uint64_t depth = 1;
  uint64_t bytes() const { return width * height * depth; }
};

struct Copy {
  Side to;
  Side from;
  Box box;
  // The contexts that the sides belong to, if both are named.
  wire::Handle to_context{};
  wire::Handle from_context{};
};

Copy copy_of(const CUDA_MEMCPY2D& structure);
Copy copy_of(const CUDA_MEMCPY3D& structure);
Copy copy_of(const CUDA_MEMCPY3D_PEER& structure);  // without the contexts

// Turns "unified" into host or device, fills in what zero stands for, and checks what can be checked.
CUresult settle_side(Client& client, Side& side, const Box& box);

// Where (x, y, z) of the box lies in a settled host side.
std::byte* host_row(const Side& side, uint64_t x, uint64_t y, uint64_t z);

// A settled side that is not the host's, as it travels. `known` as in check_device_range.
CUresult device_end(Client& client, const Side& side, const Box& box, wire::CopyEnd* end, bool* known);

// Before the device uses a settled side that is not the host's; see prepare_range.
CUresult prepare_side(Client& client, const Side& side, const Box& box, bool device_writes,
                      wire::Handle stream);

CUresult copy_box(Client& client, Copy copy, CUstream stream, bool asynchronous);

}  // namespace outboard::client::calls
