// How long physical memory (cuMemCreate) lives: while a handle, a mapping or a descriptor of it exists. The
// account pays until then, whichever goes last.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace outboard::server {

// Handles are the driver's. Any thread.
class PhysicalUse {
 public:
  // Memory that is gone: the account's name for it, and the keys by which others could open it.
  struct Gone {
    uint64_t paid_as = 0;
    std::vector<std::string> keys;
    bool operator==(const Gone&) const = default;
  };

  // The driver mapped memory of this handle.
  void map(uint64_t address, uint64_t bytes, uint64_t handle);
  // The driver gave out one more reference to what is mapped there.
  void retain(uint64_t address, uint64_t handle);

  struct Released {
    bool handle_gone = false;  // that was its last reference
    // The memory lives on without its handle, whose number the driver may use again: what the account
    // calls it from now on, and did so far.
    std::optional<uint64_t> renamed_to;
    uint64_t renamed_from = 0;
    std::optional<Gone> gone;
  };
  Released release(uint64_t handle);
  // Memory that is gone with the mappings in this range.
  std::vector<Gone> unmap(uint64_t address, uint64_t bytes);

  // Others can open the memory by this key. `holds`: until close(), which somebody will say.
  void share(uint64_t handle, const std::string& key, bool holds);
  // No descriptor of the application has the key any more.
  std::optional<Gone> close(const std::string& key);
  // Whether the key opens memory that this session has, and pays for, already.
  bool knows(const std::string& key);
  // The driver opened what the key stands for.
  void import(uint64_t handle, const std::string& key);

  // The account's name for the memory.
  uint64_t paid_as(uint64_t handle);

 private:
  struct Memory {
    uint64_t paid_as = 0;
    uint64_t references = 0;  // of all its handles
    uint64_t mappings = 0;
    uint64_t descriptors = 0;
    std::vector<std::string> keys;
    bool gone() const { return references == 0 && mappings == 0 && descriptors == 0; }
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
  Handle& find_locked(uint64_t handle);
  Gone end_locked(const Memory& memory);
  void remember_key_locked(const std::shared_ptr<Memory>& memory, const std::string& key, bool holds);

  std::mutex mutex_;
  std::unordered_map<uint64_t, Handle> handles_;
  std::map<uint64_t, Mapping> mappings_;  // by address
  struct Key {
    std::shared_ptr<Memory> memory;
    bool holds = false;
  };
  std::map<std::string, Key> keys_;
  uint64_t next_name_ = uint64_t{1} << 63;  // no handle of a driver
};

}  // namespace outboard::server
