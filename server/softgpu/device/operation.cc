#include "server/softgpu/device/operation.h"

#include <immintrin.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <shared_mutex>
#include <type_traits>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/environment.h"
#include "server/softgpu/device/green_context.h"
#include "server/softgpu/device/host_call.h"
#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {
namespace {

template <typename T>
void fill_row(uint64_t address, uint32_t value, uint64_t count) {
  auto* row = reinterpret_cast<T*>(address);
  for (uint64_t i = 0; i < count; ++i) row[i] = static_cast<T>(value);
}

CUresult run(const KernelOperation& launch, Context& context, GreenContext* green, std::string& message) {
  exec::LaunchRequest request;
  request.module = &launch.function->loaded();
  request.kernel = &launch.function->kernel();
  request.grid = launch.grid;
  request.block = launch.block;
  request.dynamic_shared_bytes = launch.dynamic_shared_bytes;
  request.params = launch.params;
  request.cooperative = launch.cooperative;
  request.time_limit_ns = context.platform().config().launch_timeout_s * uint64_t{1'000'000'000};
  SharedState& state = context.device().state();
  exec::Device& environment = green == nullptr ? context.environment() : green->environment();
  state.begin_busy(monotonic_ns());
  const exec::LaunchResult result = exec::run(request, environment);
  state.end_busy(monotonic_ns());
  if (!result.ok()) message = result.message;
  return static_cast<CUresult>(result.code);
}

// Blocks this stream's worker; the value may come from the host or from another stream.
CUresult wait_for_value(const ValueOperation& operation) {
  const auto reached = [&] {
    uint64_t now = 0;
    uint64_t wanted = operation.value;
    if (operation.bytes == 4) {
      now =
          reinterpret_cast<const std::atomic<uint32_t>*>(operation.address)->load(std::memory_order_acquire);
      wanted = static_cast<uint32_t>(wanted);
    } else {
      now =
          reinterpret_cast<const std::atomic<uint64_t>*>(operation.address)->load(std::memory_order_acquire);
    }
    switch (operation.flags & 3) {
      case CU_STREAM_WAIT_VALUE_EQ: return now == wanted;
      case CU_STREAM_WAIT_VALUE_AND: return (now & wanted) != 0;
      case CU_STREAM_WAIT_VALUE_NOR:
        return operation.bytes == 4 ? static_cast<uint32_t>(~(now | wanted)) != 0 : ~(now | wanted) != 0;
      default:  // GEQ, cyclic
        return operation.bytes == 4 ? static_cast<int32_t>(static_cast<uint32_t>(now - wanted)) >= 0
                                    : static_cast<int64_t>(now - wanted) >= 0;
    }
  };
  while (!reached()) sched_yield();
  return CUDA_SUCCESS;
}

void write_value(const ValueOperation& operation) {
  if (operation.bytes == 4) {
    reinterpret_cast<std::atomic<uint32_t>*>(operation.address)
        ->store(static_cast<uint32_t>(operation.value));
  } else {
    reinterpret_cast<std::atomic<uint64_t>*>(operation.address)->store(operation.value);
  }
}

CUresult run(const BatchOperation& batch, Context& context, GreenContext*, std::string&) {
  for (const ValueOperation& operation : batch.values) {
    if (!operation.wait) {
      // Not while waiting: memory could not be mapped meanwhile.
      std::shared_lock lock(context.platform().memory().pages());
      write_value(operation);
    } else if (const CUresult result = wait_for_value(operation); result != CUDA_SUCCESS) {
      return result;
    }
  }
  return CUDA_SUCCESS;
}

CUresult run(const CopyOperation& operation, Context&, GreenContext*, std::string&) {
  copy_rows(operation);
  return CUDA_SUCCESS;
}

CUresult run(const MemsetOperation& operation, Context&, GreenContext*, std::string&) {
  fill_rows(operation);
  return CUDA_SUCCESS;
}

CUresult run(const HostOperation& operation, Context& context, GreenContext*, std::string&) {
  context.environment().flush_prints();
  const HostCall call;
  operation.function(operation.user_data);
  return CUDA_SUCCESS;
}

CUresult run(const FreeOperation& operation, Context& context, GreenContext*, std::string&) {
  const auto found = context.platform().memory().find_exact(operation.address);
  // Freed twice: the call that queued this said so. A graph's memory is freed with the graph.
  if (!found || found->graph_owned) return CUDA_SUCCESS;
  if (const auto pool = context.platform().handles().find<MemoryPool>(found->pool)) {
    (void)pool->free(operation.address);
  } else if (found->kind == MemoryKind::kImported) {
    (void)context.platform().imported_memory().close(operation.address);
  } else {
    (void)context.platform().device(found->device)->free(operation.address);
  }
  return CUDA_SUCCESS;
}

template <typename T>
CUresult run(const T&, Context&, GreenContext*, std::string&) {
  return CUDA_SUCCESS;
}

}  // namespace

void copy_rows(const CopyOperation& copy) {
  for (uint64_t z = 0; z < copy.depth; ++z) {
    uint64_t from = copy.from.address + z * copy.from.slice_pitch;
    uint64_t to = copy.to.address + z * copy.to.slice_pitch;
    for (uint64_t y = 0; y < copy.height; ++y) {
      std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), copy.width_bytes);
      from += copy.from.row_pitch;
      to += copy.to.row_pitch;
    }
  }
}

void fill_rows(const MemsetOperation& fill) {
  uint64_t row = fill.address;
  for (uint64_t y = 0; y < fill.height; ++y, row += fill.row_pitch) {
    switch (fill.element_bytes) {
      case 1:
        std::memset(reinterpret_cast<void*>(row), static_cast<int>(fill.value & 0xff), fill.width);
        break;
      case 2: fill_row<uint16_t>(row, fill.value, fill.width); break;
      default: fill_row<uint32_t>(row, fill.value, fill.width); break;
    }
  }
}

CUresult execute(const Operation& operation, Context& context, GreenContext* green, std::string& message) {
  const bool touches_memory = std::holds_alternative<KernelOperation>(operation) ||
                              std::holds_alternative<CopyOperation>(operation) ||
                              std::holds_alternative<MemsetOperation>(operation);
  std::shared_lock lock(context.platform().memory().pages(), std::defer_lock);
  if (touches_memory) lock.lock();
  return std::visit([&](const auto& op) { return run(op, context, green, message); }, operation);
}

}  // namespace outboard::softgpu
