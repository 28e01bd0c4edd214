// The conditions of a graph: values that device code sets and conditional nodes go by.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

class Context;
class Device;
class GraphExec;

// The value is a word of device memory and the handle is its address, so that cudaGraphSetConditional
// of device code needs to know nothing but the handle.
class Condition {
 public:
  Condition(Device& device, uint64_t address, uint64_t context, unsigned default_value, unsigned flags)
      : device_(device), address_(address), context_(context), default_value_(default_value), flags_(flags) {}
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  uint64_t context() const { return context_; }
  unsigned value() const;
  void begin_launch() const;  // gives it its default, if it has one
  // One node goes by it. False if one does already.
  bool take();
  bool taken() const { return taken_; }

 private:
  Device& device_;
  const uint64_t address_;
  const uint64_t context_;
  const unsigned default_value_;
  const unsigned flags_;
  bool taken_ = false;
};

// Of a graph and the bodies inside it.
class ConditionSet {
 public:
  CUresult create(Context& context, unsigned default_value, unsigned flags, uint64_t* handle);
  std::shared_ptr<Condition> find(uint64_t handle) const;
  bool empty() const { return conditions_.empty(); }
  bool all_taken() const;
  void begin_launch() const;

  // CUDA allows one executable graph at a time; launches of one that was destroyed may still be queued.
  std::weak_ptr<GraphExec> exec;
  std::mutex launch_mutex;

 private:
  std::map<uint64_t, std::shared_ptr<Condition>> conditions_;
};

}  // namespace outboard::softgpu
