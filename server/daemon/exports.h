// Memory that sessions let others have: a directory of the drivers' descriptors. A key is what opens an
// export; who has it may use it, as with a descriptor (docs/adr/0008).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "protocol/base/result.h"
#include "server/daemon/unique_fd.h"
#include "server/worker/export_exchange.h"

namespace outboard::server {

class Exports {
 public:
  static constexpr size_t kMaxOfSession = 1024;
  static constexpr size_t kMax = 16384;

  // `descriptor` may be none, for what the key itself opens. A session may publish again what it has
  // published under that key.
  Status publish(uint64_t session, const std::string& key, const ExportRecord& record, UniqueFd descriptor);
  // Nobody can open it any more; what was opened stays. Only the session that published it can do so.
  void withdraw(uint64_t session, const std::string& key);
  // The session is over, and with it everything that it published.
  void forget(uint64_t session);

  struct Export {
    uint64_t session = 0;
    ExportRecord record;
    UniqueFd descriptor;
  };
  // Null if nothing has that key now.
  const Export* find(const std::string& key) const;
  size_t count() const { return exports_.size(); }

 private:
  std::map<std::string, Export> exports_;
  std::map<uint64_t, size_t> of_session_;
};

}  // namespace outboard::server
