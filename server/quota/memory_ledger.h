// The one account of a session's device memory: reserve, call the driver, commit or roll back.
//
// Pure bookkeeping: it never calls a driver and knows no clock. Every path of the worker that makes
// the driver allocate passes through it, so a limit holds whatever API the client chose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::server {

// What a committed allocation is known by later, when it is freed.
enum class AllocationKind : uint8_t {
  kDeviceMemory,  // id = device address
  kArray,         // id = the driver's array handle
  kMipmappedArray,
  kPhysical,     // id = the driver's VMM allocation handle
  kGraphMemory,  // id = device address of a graph's memory node
  kModule,       // id = the driver's module or library handle: its variables
  kPool,         // id = the driver's pool: what it holds, used or not
  kContext,      // id = owner and limit: memory that a context sets aside
};

struct AllocationKey {
  AllocationKind kind = AllocationKind::kDeviceMemory;
  uint64_t id = 0;
  uint32_t part = 0;  // of what has several: the device of a library, the limit of a context
  friend bool operator==(const AllocationKey&, const AllocationKey&) = default;
};

// One device's account, all values in bytes.
struct MemoryAccount {
  uint64_t limit_bytes = 0;  // what the lease grants
  uint64_t committed_bytes = 0;
  uint64_t reserved_bytes = 0;  // promised to calls that are still running
  uint64_t peak_bytes = 0;      // the most that was ever committed
  uint64_t free_bytes() const {
    const uint64_t used = committed_bytes + reserved_bytes;
    return used < limit_bytes ? limit_bytes - used : 0;
  }
};

// Threads: every function may be called from any thread.
class MemoryLedger {
 public:
  static constexpr uint64_t kUnlimited = UINT64_MAX;

  // One account per device ordinal. kUnlimited where the lease sets no limit.
  explicit MemoryLedger(std::vector<uint64_t> limits_bytes);

  // Bytes promised to one running call. Gives them back when destroyed without commit().
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept { *this = std::move(other); }
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation() { roll_back(); }

    // The call succeeded: the bytes now belong to `key`. A key that is already present is replaced
    // (its bytes are given back first): the driver can only have reused the id after freeing it.
    // `owner`: what takes it along when it ends, see release_owned(); 0 for nothing.
    void commit(AllocationKey key, uint64_t owner = 0);
    // The same for what grows and shrinks: `key` has so many bytes now, however many were promised. False
    // if that is more than the lease grants; it is so all the same.
    [[nodiscard]] bool settle(AllocationKey key, uint64_t bytes, uint64_t owner = 0);
    // The call failed, or turned out to need nothing.
    void roll_back();
    uint64_t bytes() const { return bytes_; }

   private:
    friend class MemoryLedger;
    MemoryLedger* ledger_ = nullptr;
    uint32_t device_ = 0;
    uint64_t bytes_ = 0;
  };

  // kQuotaExceeded when the account has less than `bytes` left; kInvalidArgument for a device
  // ordinal that the session does not have.
  Result<Reservation> reserve(uint32_t device, uint64_t bytes);

  // Gives the allocation's bytes back; nothing if the key is unknown. Returns the bytes.
  std::optional<uint64_t> release(AllocationKey key);

  // `key` was measured to have so many bytes; none: it is gone. False if the account is overdrawn.
  bool measure(AllocationKey key, uint32_t device, uint64_t bytes);
  // Everything that was committed with this owner is gone with it.
  void release_owned(uint64_t owner);
  // What was paid for by one name is from now on by another, which must be new.
  void rename(AllocationKey from, AllocationKey to);
  struct Entry {
    uint32_t device = 0;
    uint64_t bytes = 0;
    uint64_t owner = 0;
  };
  std::optional<Entry> find(AllocationKey key) const;

  bool limited(uint32_t device) const;
  MemoryAccount account(uint32_t device) const;
  size_t allocations() const;

  // Changes a running session's terms. Below what is in use it refuses new allocations only.
  void set_limit(uint32_t device, uint64_t limit_bytes);

 private:
  struct KeyHash {
    size_t operator()(const AllocationKey& key) const noexcept {
      return (key.id * 0x9E3779B97F4A7C15ull) ^ (uint64_t{static_cast<uint8_t>(key.kind)} << 56) ^ key.part;
    }
  };
  void commit_locked(AllocationKey key, const Entry& entry);
  bool overdrawn_locked(uint32_t device) const;
  uint64_t release_locked(std::unordered_map<AllocationKey, Entry, KeyHash>::iterator it);

  mutable std::mutex mutex_;
  std::vector<MemoryAccount> accounts_;
  std::unordered_map<AllocationKey, Entry, KeyHash> entries_;
};

}  // namespace outboard::server
