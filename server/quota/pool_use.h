// Which memory is of which stream-ordered pool, so that the account can follow what pools hold.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace outboard::server {

// Pools are the driver's. Belongs to one thread at a time.
class PoolUse {
 public:
  struct Pool {
    uint32_t device = 0;
    uint64_t outstanding_bytes = 0;  // asked for, and not given to a free
    std::vector<std::string> keys;   // by which others could import it
  };

  void add(uint64_t pool, uint32_t device) { pools_.try_emplace(pool, Pool{device, 0, {}}); }
  // Null for a pool that was not added.
  Pool* find(uint64_t pool) {
    const auto it = pools_.find(pool);
    return it == pools_.end() ? nullptr : &it->second;
  }
  const std::map<uint64_t, Pool>& pools() const { return pools_; }

  // Of a pool that was added.
  void taken(uint64_t pool, uint64_t address, uint64_t bytes) {
    allocations_.insert_or_assign(address, Allocation{pool, bytes});
    pools_[pool].outstanding_bytes += bytes;
  }
  // The pool, if the memory was of one.
  std::optional<uint64_t> freed(uint64_t address) {
    const auto it = allocations_.find(address);
    if (it == allocations_.end()) return std::nullopt;
    const Allocation allocation = it->second;
    allocations_.erase(it);
    pools_[allocation.pool].outstanding_bytes -= allocation.bytes;
    return allocation.pool;
  }

  struct Left {
    uint64_t address = 0;
    uint64_t bytes = 0;
  };
  // The pool is gone; what it had given out lives on without it.
  std::vector<Left> remove(uint64_t pool) {
    std::vector<Left> left;
    std::erase_if(allocations_, [&](const auto& entry) {
      if (entry.second.pool == pool) left.push_back({entry.first, entry.second.bytes});
      return entry.second.pool == pool;
    });
    pools_.erase(pool);
    return left;
  }

 private:
  struct Allocation {
    uint64_t pool = 0;
    uint64_t bytes = 0;
  };
  std::map<uint64_t, Pool> pools_;
  std::unordered_map<uint64_t, Allocation> allocations_;
};

}  // namespace outboard::server
