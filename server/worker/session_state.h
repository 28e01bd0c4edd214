// What all threads of one session share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "protocol/base/log.h"
#include "server/device/driver_api_gen.h"
#include "server/metrics/session_counters.h"
#include "server/quota/memory_ledger.h"
#include "server/quota/physical_use.h"
#include "server/worker/bulk_buffer.h"
#include "server/worker/compute_gate.h"
#include "server/worker/content_store.h"
#include "server/worker/driver_notices.h"
#include "server/worker/export_exchange.h"
#include "server/worker/graph_execs.h"
#include "server/worker/host_callbacks.h"
#include "server/worker/link_states.h"
#include "server/worker/object_table.h"
#include "server/worker/pool_memory.h"
#include "server/worker/uploads.h"

namespace outboard::server {

// Threads: members look after themselves; the plain values never change after construction.
class SessionState {
 public:
  // `memory_limit_bytes`: what the lease grants on every device; MemoryLedger::kUnlimited for none.
  // `announce_callback`, `callback_retired`: see HostCallbacks.
  SessionState(const DriverApi& driver, uint32_t devices, uint64_t memory_limit_bytes, Logger log,
               HostCallbacks::Tell announce_callback, HostCallbacks::Tell callback_retired);

  const DriverApi& driver;
  const uint32_t devices;
  const Logger log;
  ObjectTable objects;
  MemoryLedger ledger;
  PoolMemory pools{driver, ledger};
  SessionCounters counters;
  BulkPool bulk_pool;
  HostCallbacks callbacks;
  ComputeGate compute;
  DriverNotices notices{driver};
  // Only for whoever processes commands: the dispatch thread, or the backlog in its place.
  Uploads uploads;
  std::optional<ContentStore> content;  // none: nothing is kept
  LinkStates links;
  GraphExecTickets exec_tickets;
  PhysicalUse physical;
  std::unique_ptr<ExportExchange> exports;  // none: nobody to exchange with

  // Threads remember which context they made current; after a context died (and perhaps came back
  // under the same handle) they must not rely on it.
  uint64_t context_epoch() const { return context_epoch_.load(std::memory_order_acquire); }
  void contexts_changed() { context_epoch_.fetch_add(1, std::memory_order_acq_rel); }

  // Memory that was freed, or will be when its stream gets there.
  void forget_memory(CUdeviceptr address) {
    pools.freed(address);
    ledger.release({AllocationKind::kDeviceMemory, address});
  }
  // An upload that a command refers to; empty if there is none. What was offered is kept.
  std::vector<std::byte> take_upload(uint32_t upload);
  // The same for one whose data came with the command itself.
  void keep_upload(uint32_t upload, std::span<const std::byte> data);

  // The primary context of a device. The session retains it once, when it is first needed, however
  // often the client does; the client keeps its own count.
  CUresult primary_context(uint32_t device, CUcontext* context);
  bool is_primary_context(uint32_t device, uint64_t native);
  // Before it is reset or released: nothing of ours remains in it.
  void leave_primary_context(uint32_t device);
  // A stream that waits for no other and that nobody else uses, of the current context, whose handle is
  // given: moves what host and device both use beside whatever the program's streams do. Any thread.
  CUresult mirror_stream(wire::Handle context, CUstream* stream);
  // The client's last reference is gone, so the session's goes as well.
  CUresult release_primary_context(uint32_t device);

 private:
  void keep(const std::optional<ContentHash>& offered, std::span<const std::byte> data);

  std::mutex primary_mutex_;
  std::vector<CUcontext> primary_;  // null: not retained
  std::atomic<uint64_t> context_epoch_{0};
  std::mutex mirror_mutex_;
  std::map<uint64_t, CUstream> mirror_streams_;  // by context; guarded by mirror_mutex_
  uint64_t mirror_epoch_ = 0;
};

}  // namespace outboard::server
