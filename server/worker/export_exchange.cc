#include "server/worker/export_exchange.h"

#include <chrono>
#include <utility>

namespace outboard::server {
namespace {

constexpr std::chrono::seconds kAnswerTime{10};

}  // namespace

Result<ExportExchange::Found> ExportExchange::ask(ExportRequest request, int descriptor) {
  std::unique_lock lock(mutex_);
  if (closed_) return fail(ErrorKind::kDisconnected, "The daemon, which knows all exports, is gone.");
  request.number = next_number_++;
  request.has_descriptor = descriptor >= 0;
  Pending& pending = pending_[request.number];
  // Under the lock, so that the answer cannot come before somebody waits.
  Status sent = send_(request, descriptor);
  const bool answered = sent && changed_.wait_for(lock, kAnswerTime, [&] { return pending.answered; });
  Pending taken = std::move(pending);
  pending_.erase(request.number);
  if (!sent) return fail(sent);
  if (!answered) return fail(ErrorKind::kOverloaded, "The daemon did not answer within 10 s.");
  if (!taken.answer.error.empty()) return fail(ErrorKind::kNotFound, taken.answer.error);
  return Found{taken.answer.record, std::move(taken.descriptor)};
}

Status ExportExchange::publish(const std::string& key, const ExportRecord& record, int descriptor) {
  ExportRequest request;
  request.step = static_cast<uint32_t>(ExportStep::kPublish);
  request.key = key;
  request.record = record;
  auto done = ask(std::move(request), descriptor);
  if (!done) return fail(done);
  return {};
}

Result<ExportExchange::Found> ExportExchange::find(const std::string& key) {
  ExportRequest request;
  request.step = static_cast<uint32_t>(ExportStep::kFind);
  request.key = key;
  return ask(std::move(request), -1);
}

void ExportExchange::withdraw(const std::string& key) {
  ExportRequest request;
  request.step = static_cast<uint32_t>(ExportStep::kWithdraw);
  request.key = key;
  // If the daemon cannot be told, it learns it when the session ends.
  [[maybe_unused]] const Status sent = send_(request, -1);
}

void ExportExchange::take_answer(ExportAnswer answer, UniqueFd descriptor) {
  std::lock_guard lock(mutex_);
  const auto it = pending_.find(answer.number);
  if (it == pending_.end() || it->second.answered) return;
  it->second = {true, std::move(answer), std::move(descriptor)};
  changed_.notify_all();
}

void ExportExchange::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& [number, pending] : pending_) {
    if (!pending.answered) pending = {true, {number, "The daemon is gone.", {}, false}, {}};
  }
  changed_.notify_all();
}

}  // namespace outboard::server
