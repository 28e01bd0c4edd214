// What is sent ahead of the command that needs it, or known from another time: images too large for one
// frame while they arrive, and the data of copies that were offered by their hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/base/content_hash.h"

namespace outboard::server {

// Belongs to whoever processes commands: one thread at a time.
class Uploads {
 public:
  static constexpr uint64_t kMaxBytes = 2ull << 30;  // the largest libraries' images are below 100 MiB
  static constexpr size_t kMaxOpen = 64;             // as many threads may load code at once

  // A finished upload, and the name under which it was offered, if it was and is not stored yet.
  struct Taken {
    std::vector<std::byte> data;
    std::optional<ContentHash> offered;
  };

  // Announces an upload that will be worth keeping. Not empty: what the client did wrong.
  std::string offer(uint32_t upload, uint64_t total_bytes, const ContentHash& hash) {
    if (std::string wrong = begin(upload, total_bytes, 0); !wrong.empty()) return wrong;
    open_.at(upload).offered = hash;
    return {};
  }
  // The same for an upload that need not be sent.
  std::string complete(uint32_t upload, std::vector<std::byte> data) {
    if (std::string wrong = begin(upload, data.size(), 0); !wrong.empty()) return wrong;
    open_.at(upload).data = std::move(data);
    return {};
  }

  // Adds a chunk. Not empty: what the client did wrong, as a sentence.
  std::string add(uint32_t upload, uint64_t total_bytes, uint64_t offset_bytes,
                  std::span<const std::byte> chunk) {
    if (open_.count(upload) == 0) {
      if (std::string wrong = begin(upload, total_bytes, offset_bytes); !wrong.empty()) return wrong;
    }
    Upload& target = open_.at(upload);
    if (total_bytes != target.total_bytes || offset_bytes != target.data.size() ||
        chunk.size() > target.total_bytes - target.data.size()) {
      return "A chunk of an upload does not follow the one before, or exceeds the announced length.";
    }
    // Memory grows with what has come, not with what was announced.
    target.data.insert(target.data.end(), chunk.begin(), chunk.end());
    return {};
  }

  // Takes a finished upload; without data if there is none of that number, or if it is incomplete.
  Taken take(uint32_t upload) {
    const auto it = open_.find(upload);
    if (it == open_.end()) return {};
    Upload taken = std::move(it->second);
    open_.erase(it);
    announced_bytes_ -= taken.total_bytes;
    if (taken.data.size() != taken.total_bytes) return {{}, taken.offered};
    return {std::move(taken.data), taken.offered};
  }

 private:
  struct Upload {
    uint64_t total_bytes = 0;
    std::vector<std::byte> data;
    std::optional<ContentHash> offered;
  };
  std::string begin(uint32_t upload, uint64_t total_bytes, uint64_t offset_bytes) {
    if (upload == 0 || open_.count(upload) != 0 || total_bytes > kMaxBytes || offset_bytes != 0) {
      return "An upload must have a number of its own, begin at its start, and be at most 2 GiB long.";
    }
    if (open_.size() >= kMaxOpen || total_bytes > 2 * kMaxBytes - announced_bytes_) {
      return "At most 64 uploads of 4 GiB together may be open at a time.";
    }
    open_[upload].total_bytes = total_bytes;
    announced_bytes_ += total_bytes;
    return {};
  }

  std::unordered_map<uint32_t, Upload> open_;
  uint64_t announced_bytes_ = 0;
};

}  // namespace outboard::server
