// Links in progress. The driver writes a link's logs into buffers that were given when the link was
// created, so these live as long as it does.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "server/worker/jit_options.h"

namespace outboard::server {

// Belongs to whoever processes commands: one thread at a time.
class LinkStates {
 public:
  void add(uint64_t native, std::unique_ptr<JitOptions> options) { links_[native] = std::move(options); }
  JitOptions* find(uint64_t native) {
    const auto it = links_.find(native);
    return it == links_.end() ? nullptr : it->second.get();
  }
  void remove(uint64_t native) { links_.erase(native); }

 private:
  std::unordered_map<uint64_t, std::unique_ptr<JitOptions>> links_;
};

}  // namespace outboard::server
