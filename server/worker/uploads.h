// Images too large for one frame, while they arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace outboard::server {

// Belongs to whoever processes commands: one thread at a time.
class Uploads {
 public:
  static constexpr uint64_t kMaxBytes = 2ull << 30;  // the largest libraries' images are below 100 MiB
  static constexpr size_t kMaxOpen = 4;

  // Adds a chunk. Not empty: what the client did wrong, as a sentence.
  std::string add(uint32_t upload, uint64_t total_bytes, uint64_t offset_bytes,
                  std::span<const std::byte> chunk) {
    auto it = open_.find(upload);
    if (it == open_.end()) {
      if (upload == 0 || total_bytes > kMaxBytes || offset_bytes != 0) {
        return "An upload must have a number, begin at its start, and be at most 2 GiB long.";
      }
      if (open_.size() >= kMaxOpen) return "At most 4 uploads may be open at a time.";
      it = open_.emplace(upload, Upload{total_bytes, {}}).first;
    }
    Upload& target = it->second;
    if (total_bytes != target.total_bytes || offset_bytes != target.data.size() ||
        chunk.size() > target.total_bytes - target.data.size()) {
      return "A chunk of an upload does not follow the one before, or exceeds the announced length.";
    }
    // Memory grows with what has come, not with what was announced.
    target.data.insert(target.data.end(), chunk.begin(), chunk.end());
    return {};
  }

  // Takes a finished upload; empty if there is none of that number, or if it is incomplete.
  std::vector<std::byte> take(uint32_t upload) {
    const auto it = open_.find(upload);
    if (it == open_.end()) return {};
    Upload taken = std::move(it->second);
    open_.erase(it);
    if (taken.data.size() != taken.total_bytes) return {};
    return std::move(taken.data);
  }

 private:
  struct Upload {
    uint64_t total_bytes;
    std::vector<std::byte> data;
  };
  std::unordered_map<uint32_t, Upload> open_;
};

}  // namespace outboard::server
