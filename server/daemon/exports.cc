#include "server/daemon/exports.h"

#include <utility>

#include "protocol/base/bytes.h"

namespace outboard::server {

Status Exports::publish(uint64_t session, const std::string& key, const ExportRecord& record,
                        UniqueFd descriptor) {
  if (key.size() != kExportKeyBytes && key.size() != kFabricKeyBytes) {
    return fail(ErrorKind::kProtocolViolation,
                text("An export has a key of ", key.size(), " bytes; keys have 32 or 64."));
  }
  const auto known = exports_.find(key);
  if (known != exports_.end()) {
    if (known->second.session == session) return {};
    return fail(ErrorKind::kInvalidArgument, "Another session has published an export with this key.");
  }
  size_t& own = of_session_[session];
  if (own >= kMaxOfSession) {
    return fail(ErrorKind::kOverloaded, text("The session has published ", own,
                                             " exports that somebody may still open, which is its limit."));
  }
  if (exports_.size() >= kMax) {
    return fail(ErrorKind::kOverloaded,
                text("The server has ", exports_.size(), " exports, which is its limit."));
  }
  ++own;
  exports_.emplace(key, Export{session, record, std::move(descriptor)});
  return {};
}

void Exports::withdraw(uint64_t session, const std::string& key) {
  const auto it = exports_.find(key);
  if (it == exports_.end() || it->second.session != session) return;
  exports_.erase(it);
  --of_session_[session];
}

void Exports::forget(uint64_t session) {
  if (of_session_.erase(session) == 0) return;
  std::erase_if(exports_, [session](const auto& entry) { return entry.second.session == session; });
}

const Exports::Export* Exports::find(const std::string& key) const {
  const auto it = exports_.find(key);
  return it == exports_.end() ? nullptr : &it->second;
}

}  // namespace outboard::server
