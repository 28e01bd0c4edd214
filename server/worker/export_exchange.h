// What a session's worker and the daemon say to one another about memory that other sessions may have
// (docs/adr/0008), and the worker's side of it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/base/result.h"
#include "server/daemon/unique_fd.h"

namespace outboard::server {

enum class ExportKind : uint32_t { kMemory = 1, kPool = 2 };

// What is known of an export besides the driver's descriptor.
struct ExportRecord {
  uint32_t kind = 0;    // ExportKind
  uint64_t bytes = 0;   // of memory
  uint32_t device = 0;  // of memory; the server's ordinal
  bool operator==(const ExportRecord&) const = default;
};

enum class ExportStep : uint32_t { kPublish = 1, kWithdraw = 2, kFind = 3 };

// Worker to daemon. `key` names the export: 32 random bytes, or a fabric handle of the driver, whose
// 64 bytes name it themselves. kPublish brings the driver's descriptor along, if there is one.
struct ExportRequest {
  uint64_t number = 0;
  uint32_t step = 0;  // ExportStep
  std::string key;
  ExportRecord record;
  bool has_descriptor = false;
  bool operator==(const ExportRequest&) const = default;
};

// Daemon to worker, for kPublish and kFind, which brings the descriptor along.
struct ExportAnswer {
  uint64_t number = 0;
  std::string error;  // empty: done, or found
  ExportRecord record;
  bool has_descriptor = false;
  bool operator==(const ExportAnswer&) const = default;
};

inline constexpr size_t kExportKeyBytes = 32;
inline constexpr size_t kFabricKeyBytes = 64;

// Any thread; a question blocks its thread until the daemon has answered.
class ExportExchange {
 public:
  // Sends a request; the descriptor stays the caller's and may be -1.
  using Send = std::function<Status(const ExportRequest&, int descriptor)>;
  explicit ExportExchange(Send send) : send_(std::move(send)) {}

  struct Found {
    ExportRecord record;
    UniqueFd descriptor;
  };
  // `descriptor`: -1 for none.
  Status publish(const std::string& key, const ExportRecord& record, int descriptor);
  Result<Found> find(const std::string& key);
  void withdraw(const std::string& key);

  // What the daemon said. Answers that nobody waits for any more are dropped.
  void take_answer(ExportAnswer answer, UniqueFd descriptor);
  // The daemon is gone: everybody who waits is told.
  void close();

 private:
  struct Pending {
    bool answered = false;
    ExportAnswer answer;
    UniqueFd descriptor;
  };
  Result<Found> ask(ExportRequest request, int descriptor);

  const Send send_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_number_ = 1;
  bool closed_ = false;
  std::map<uint64_t, Pending> pending_;
};

}  // namespace outboard::server
