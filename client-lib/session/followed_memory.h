// Host memory of the program's own (cuMemHostRegister) that the device uses: it stays where it is, without
// protection of ours, and has a copy on the device at another address. Before device work what differs
// from the last common content is sent; after a wait what the device has changed is merged in, byte by
// byte, so that both sides may write different bytes at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

// Threads: one at a time.
class FollowedMemory {
 public:
  // See Mirrors::Device.
  struct Device {
    std::function<CUresult(wire::Handle context, uint64_t address, std::span<const std::byte> from)> write;
    std::function<CUresult(wire::Handle context, uint64_t address, std::span<std::byte> into)> read;
  };

  explicit FollowedMemory(const Device& device) : device_(device) {}

  bool empty() const { return ranges_.empty(); }
  size_t count() const { return ranges_.size(); }
  void add(uint64_t base, uint64_t bytes, uint64_t device_address, wire::Handle context);
  // Its address on the device; nothing if none starts there.
  std::optional<uint64_t> remove(uint64_t base);
  void move(wire::Handle from_context, wire::Handle to_context);

  // Sends what host code has written: of all ranges, or of the one with this address on the device. From
  // then on the device may change them.
  CUresult give();
  CUresult give_at(uint64_t device_address);
  // Fetches what the device may have changed since. `over`: it will change nothing more.
  CUresult take(bool over);
  // The device has newer content than this host address, perhaps: where. Nothing if it has not.
  std::optional<uint64_t> newer_at(uint64_t address) const;

 private:
  struct Range {
    uint64_t bytes = 0;
    uint64_t device_address = 0;
    wire::Handle context;
    std::vector<std::byte> common;  // what both sides had when they last met
    bool given = false;
    bool known = false;  // the device has all of it
  };

  CUresult give(uint64_t base, Range& range);
  CUresult send(uint64_t base, Range& range, uint64_t begin, uint64_t end);
  CUresult send_changes(uint64_t base, Range& range, uint64_t begin, uint64_t end);
  CUresult take(uint64_t base, Range& range);

  const Device& device_;
  std::map<uint64_t, Range> ranges_;  // by host address
};

}  // namespace outboard::client
