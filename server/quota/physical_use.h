// How long physical memory (cuMemCreate) lives: while a handle or a mapping of it exists. The account
// pays until then, whichever goes last.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace outboard::server {

// Handles are the driver's. Belongs to whoever processes commands: one thread at a time.
class PhysicalUse {
 public:
  // The driver mapped memory of this handle.
  void map(uint64_t address, uint64_t bytes, uint64_t handle);
  // The driver gave out one more reference to what is mapped there.
  void retain(uint64_t address, uint64_t handle);

  struct Released {
    bool handle_gone = false;          // that was its last reference
    std::optional<uint64_t> paid_for;  // the memory is gone: what cuMemCreate called it
  };
  Released release(uint64_t handle);
  // Memory that is gone with the mappings in this range, as cuMemCreate called it.
  std::vector<uint64_t> unmap(uint64_t address, uint64_t bytes);

 private:
  struct Memory {
    uint64_t created_as = 0;
    uint64_t references = 0;  // of all its handles
    uint64_t mappings = 0;
    bool gone() const { return references == 0 && mappings == 0; }
  };
  struct Handle {
    std::shared_ptr<Memory> memory;
    uint64_t references = 0;
  };
  struct Mapping {
    uint64_t bytes = 0;
    std::shared_ptr<Memory> memory;
  };

  // A handle that is new here is cuMemCreate's, with one reference.
  Handle& find(uint64_t handle);

  std::unordered_map<uint64_t, Handle> handles_;
  std::map<uint64_t, Mapping> mappings_;  // by address
};

}  // namespace outboard::server
