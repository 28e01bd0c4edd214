// Tickets that executable graphs got of their own, when a node of theirs was changed.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/worker/host_callbacks.h"

namespace outboard::server {

// Belongs to whoever processes commands: one thread at a time.
class GraphExecTickets {
 public:
  // The host node of the executable graph now has this ticket; the one that it had before is retired
  // when nothing can reach it.
  void set(CUgraphExec exec, CUgraphNode host, HostCallbacks::Ticket* ticket) {
    auto& mine = tickets_[{exec, host}];
    if (mine != nullptr) mine->callbacks->retire_later(mine);
    mine = ticket;
  }
  // Null if the node still has the one of its graph.
  HostCallbacks::Ticket* find(CUgraphExec exec, CUgraphNode host) const {
    const auto it = tickets_.find({exec, host});
    return it == tickets_.end() ? nullptr : it->second;
  }
  // The executable graph is destroyed, or all its nodes were changed at once.
  void drop(CUgraphExec exec) {
    for (auto it = tickets_.lower_bound({exec, nullptr}); it != tickets_.end() && it->first.first == exec;) {
      it->second->callbacks->retire_later(it->second);
      it = tickets_.erase(it);
    }
  }

 private:
  std::map<std::pair<CUgraphExec, CUgraphNode>, HostCallbacks::Ticket*> tickets_;
};

}  // namespace outboard::server
