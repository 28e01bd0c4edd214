// What clients have sent before, so that they need not send it again: the images of modules, named by
// their hash, in files of one folder for each tenant. Every worker of the tenant uses the folder at
// the same time; files appear whole (they are renamed into place) and the oldest go when there is too
// much. What is read is checked against its name, so a damaged disk costs an upload and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/content_hash.h"
#include "protocol/base/result.h"

namespace outboard::server {

// One thread at a time; other processes may use the folder meanwhile.
class ContentStore {
 public:
  // Makes the folder (mode 0700) if it is not there. `most_bytes` limits all its files together.
  static Result<ContentStore> open(const std::string& folder, uint64_t most_bytes);

  // The content of this name and size, which counts as used now.
  std::optional<std::vector<std::byte>> find(const ContentHash& hash, uint64_t size_bytes);
  // Keeps it, unless it is larger than half of what is allowed. Errors (a full disk) are the log's.
  Status keep(const ContentHash& hash, ByteSpan content);

 private:
  ContentStore(std::string folder, uint64_t most_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}
  std::string path(const ContentHash& hash) const;
  void make_room(uint64_t bytes);

  std::string folder_;
  uint64_t most_bytes_ = 0;
};

}  // namespace outboard::server
