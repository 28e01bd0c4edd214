// Memory that host and device both use: what calls do so that the other side sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "client-lib/session/client.h"

namespace outboard::client::calls {

// Pinned memory of cuMemHostAlloc: from now on the device can use it where it lies. Nothing to do if it
// can already. CUDA_ERROR_INVALID_VALUE for any other address.
CUresult map_host_memory(Client& client, uint64_t address);
// Ends it: waits for the device, which may use the memory.
CUresult unmap_host_memory(Client& client, const MemoryRange& range);

// Registered memory of the program: gets a copy on the device, whose address is `device_address`.
CUresult follow_host_memory(Client& client, uint64_t address, CUdeviceptr* device_address);
// Before it is registered no longer.
void unfollow_host_memory(Client& client, const MemoryRange& range);

// A kernel will get these parameters: pinned memory that they point to must be the device's as well.
// Parameters that lie in a mirror themselves are copied: it may be closed when they are sent.
CUresult map_what_parameters_name(Client& client, std::span<const std::byte>* parameters);

// Device work in `stream` will use this range; pinned memory is mapped first. Nothing happens for
// memory that is the device's alone.
CUresult prepare_range(Client& client, uint64_t address, uint64_t bytes, bool device_writes,
                       wire::Handle stream);

// A wait for the device, from before it is sent; the mirrors are told when it succeeded, also if the client
// could answer it by itself.
class MirrorWait {
 public:
  explicit MirrorWait(Client& client)
      : mirrors_(client.mirrors()), mark_(mirrors_.any() ? mirrors_.mark() : 0) {}
  void stream_done(wire::Handle stream) const {
    if (mirrors_.any()) mirrors_.stream_waited(stream, mark_);
  }
  void all_done() const {
    if (mirrors_.any()) mirrors_.all_waited(mark_);
  }

 private:
  Mirrors& mirrors_;
  const uint64_t mark_;
};

// Address space for `bytes` of pinned memory that the server's driver can map at the same place.
void* allocate_pinned(uint64_t bytes);

}  // namespace outboard::client::calls
