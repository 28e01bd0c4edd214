// Descriptors that applications get for what they export: small sealed files that hold the key by which the
// server knows the export. They travel between processes as any descriptor does.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace outboard::client {

using ExportKey = std::array<uint64_t, 4>;

// Any thread.
class ExportTokens {
 public:
  ~ExportTokens();

  // A new descriptor, the application's to close; -1 when the system gives none.
  int issue(const ExportKey& key);
  // The key that a descriptor holds, whoever issued it; nothing if it is something else.
  static std::optional<ExportKey> read(int descriptor);
  // Keys of which no process has a descriptor any more. Each is told once.
  std::vector<ExportKey> take_closed();

 private:
  std::mutex mutex_;
  // Descriptors of our own for the same files: the application's carry a lock, wherever they are, so
  // that ours can tell when all of them are closed.
  std::vector<std::pair<int, ExportKey>> watched_;
};

}  // namespace outboard::client
