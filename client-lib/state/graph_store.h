// What the client keeps of graphs: what their nodes do in this process, and what calls have handed out
// pointers to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::client {

// Behind the number of a host function: what the application gave for the node.
struct GraphCallback {
  CUDA_HOST_NODE_PARAMS host = {};
  CUDA_MEMCPY3D copy = {};  // of a copy with a host side
};

// What the parameters of a node point to: valid until the node changes or is asked again, which is
// what CUDA promises.
struct NodeStorage {
  std::vector<std::byte> parameters;
  std::vector<void*> pointers;
  std::vector<CUmemAccessDesc> access;
  std::vector<CUstreamBatchMemOpParams> operations;
  std::vector<CUgraph> bodies;
};

// Threads: all members from any thread; a node's storage belongs to whoever works on the node.
class GraphStore {
 public:
  void add_callback(uint64_t number, const GraphCallback& callback) {
    std::lock_guard lock(mutex_);
    callbacks_.insert_or_assign(number, callback);
  }
  void remove_callback(uint64_t number) {
    std::lock_guard lock(mutex_);
    callbacks_.erase(number);
  }
  std::optional<GraphCallback> callback(uint64_t number) const {
    std::lock_guard lock(mutex_);
    const auto it = callbacks_.find(number);
    if (it == callbacks_.end()) return std::nullopt;
    return it->second;
  }

  // By the index of the node's handle: what is left of a node that is gone serves the next with its index.
  NodeStorage& storage(uint32_t index) {
    std::lock_guard lock(mutex_);
    auto& storage = storage_[index];
    if (storage == nullptr) storage = std::make_unique<NodeStorage>();
    return *storage;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, GraphCallback> callbacks_;
  std::map<uint32_t, std::unique_ptr<NodeStorage>> storage_;
};

}  // namespace outboard::client
