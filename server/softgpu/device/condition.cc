#include "server/softgpu/device/condition.h"

#include <algorithm>
#include <shared_mutex>
#include <utility>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"

namespace outboard::softgpu {

Condition::~Condition() { (void)device_.free(address_); }

unsigned Condition::value() const {
  return __atomic_load_n(reinterpret_cast<const uint32_t*>(address_), __ATOMIC_ACQUIRE);
}

void Condition::begin_launch() const {
  if ((flags_ & CU_GRAPH_COND_ASSIGN_DEFAULT) == 0) return;
  const std::shared_lock lock(device_.table().pages());
  __atomic_store_n(reinterpret_cast<uint32_t*>(address_), default_value_, __ATOMIC_RELEASE);
}

bool Condition::take() { return !std::exchange(taken_, true); }

CUresult ConditionSet::create(Context& context, unsigned default_value, unsigned flags, uint64_t* handle) {
  if ((flags & ~static_cast<unsigned>(CU_GRAPH_COND_ASSIGN_DEFAULT)) != 0) return CUDA_ERROR_INVALID_VALUE;
  // Of no context: it goes with the graph.
  MemoryRequest request;
  request.bytes = sizeof(uint32_t);
  request.kind = MemoryKind::kModule;
  uint64_t address = 0;
  const CUresult result = context.device().allocate(request, &address);
  if (result != CUDA_SUCCESS) return result;
  {
    const std::shared_lock lock(context.device().table().pages());
    *reinterpret_cast<uint32_t*>(address) = 0;
  }
  conditions_.emplace(address, std::make_shared<Condition>(context.device(), address, context.handle(),
                                                           default_value, flags));
  *handle = address;
  return CUDA_SUCCESS;
}

std::shared_ptr<Condition> ConditionSet::find(uint64_t handle) const {
  const auto it = conditions_.find(handle);
  return it == conditions_.end() ? nullptr : it->second;
}

bool ConditionSet::all_taken() const {
  return std::all_of(conditions_.begin(), conditions_.end(),
                     [](const auto& it) { return it.second->taken(); });
}

void ConditionSet::begin_launch() const {
  for (const auto& [handle, condition] : conditions_) condition->begin_launch();
}

}  // namespace outboard::softgpu
