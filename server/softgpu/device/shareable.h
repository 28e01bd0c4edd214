// Memory and pools that travel to other processes as descriptors: a file in memory whose last page says
// what it is. The file can neither shrink nor grow, so that nobody who has it can pull pages from under
// the others; it lives as long as somebody has it open or mapped.
#pragma once

#include <cstdint>
#include <optional>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/shared_file.h"

namespace outboard::softgpu {

enum class ShareableKind : uint32_t { kMemory = 1, kPool = 2 };

struct ShareableRecord {
  uint64_t magic = 0;
  ShareableKind kind = ShareableKind::kMemory;
  uint32_t device = 0;  // physical
  uint64_t bytes = 0;   // before this record
  uint64_t secret[2] = {};
  CUmemAllocationProp properties = {};  // of memory
};

// A new file of `record.bytes`, a multiple of the page size. Fills in the record's magic and
// secret. -1 when the system gives no such file.
int create_shareable(ShareableRecord* record);
// What the file says; nothing if it is none of these.
std::optional<ShareableRecord> read_shareable(int file);

// Names a file to the user's other processes (CUmemFabricHandle); worth nothing once `file` is closed.
SharedName name_shareable(const ShareableRecord& record, int file);
// A descriptor of the caller's own; -1 if nothing has that name now.
int open_shareable(const SharedName& name);

}  // namespace outboard::softgpu
