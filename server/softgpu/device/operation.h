// What can be queued in a stream or become a node of a graph, as data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/exec/launch.h"

namespace outboard::softgpu {

class Condition;
class Context;
class Event;
class Function;
class Graph;
class GreenContext;

struct EmptyOperation {};

struct KernelOperation {
  std::shared_ptr<Function> function;
  uint64_t handle = 0;  // CUfunction or CUkernel, as the application gave it
  exec::Dim3 grid;
  exec::Dim3 block;
  uint32_t dynamic_shared_bytes = 0;
  bool cooperative = false;
  std::vector<std::byte> params;  // packed
};

// One side of a copy: bytes of row y of slice z start at address + z * slice_pitch + y * row_pitch.
struct CopySide {
  uint64_t address = 0;
  uint64_t row_pitch = 0;
  uint64_t slice_pitch = 0;
};

struct CopyOperation {
  CopySide from;
  CopySide to;
  uint64_t width_bytes = 0;
  uint64_t height = 1;
  uint64_t depth = 1;
  // A copy of pageable host memory taken when the copy was queued; `from` then points into it.
  std::shared_ptr<const std::vector<std::byte>> snapshot;
  CUDA_MEMCPY3D as_given = {};  // for graph nodes' parameters
};

struct MemsetOperation {
  uint64_t address = 0;
  uint64_t row_pitch = 0;
  uint32_t value = 0;
  uint32_t element_bytes = 1;  // 1, 2 or 4
  uint64_t width = 0;          // elements
  uint64_t height = 1;
};

struct HostOperation {
  CUhostFn function = nullptr;
  void* user_data = nullptr;
};

struct EventRecordOperation {
  std::shared_ptr<Event> event;
};

struct EventWaitOperation {
  std::shared_ptr<Event> event;
};

// Memory nodes of a graph. The memory exists from the making of the node, so that its address is
// known, until graph and executable graphs are gone; executing the node is nothing.
struct AllocateOperation {
  CUDA_MEM_ALLOC_NODE_PARAMS params = {};
  std::shared_ptr<void> memory;  // frees it
};

struct FreeOperation {
  uint64_t address = 0;
};

// cuStreamWaitValue, cuStreamWriteValue, and one of a batch of them.
struct ValueOperation {
  uint64_t address = 0;
  uint64_t value = 0;
  uint32_t bytes = 4;  // 4 or 8
  bool wait = false;
  unsigned flags = 0;
};

struct BatchOperation {
  std::vector<ValueOperation> values;
  std::vector<CUstreamBatchMemOpParams> as_given;  // for graph nodes' parameters
  unsigned flags = 0;
};

struct ChildGraphOperation {
  std::shared_ptr<Graph> graph;
};

// Runs bodies of its own as the value of a condition says.
struct ConditionalOperation {
  std::shared_ptr<Condition> condition;
  CUgraphConditionalNodeType type = CU_GRAPH_COND_TYPE_IF;
  std::vector<std::shared_ptr<Graph>> bodies;
  std::shared_ptr<std::vector<CUgraph>> handles;  // of the bodies, as the application was told them
};

using Operation = std::variant<EmptyOperation, KernelOperation, CopyOperation, MemsetOperation, HostOperation,
                               EventRecordOperation, EventWaitOperation, AllocateOperation, FreeOperation,
                               BatchOperation, ChildGraphOperation, ConditionalOperation>;

// Executes one operation on the calling thread. Event, child graph and conditional operations are
// handled where streams are known (Context::submit, GraphExec) and do nothing here. Errors become the
// context's. Kernels run on the green context's part of the device, if there is one.
CUresult execute(const Operation& operation, Context& context, GreenContext* green, std::string& message);

// Copies and fills that touch no device state; addresses must be valid.
void copy_rows(const CopyOperation& copy);
void fill_rows(const MemsetOperation& fill);

}  // namespace outboard::softgpu
