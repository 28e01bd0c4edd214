#include "server/daemon/session_record.h"

#include <cstdio>

#include "protocol/base/bytes.h"

namespace outboard::server {

namespace {

std::string known_uploads(const SessionTotals& totals) {
  if (totals.known_uploads == 0) return {};
  return text(human_bytes(totals.known_upload_bytes), " known from before, ");
}

// Of a session that was alone, nothing is measured.
std::string compute_time(const ComputeUsage& usage) {
  if (usage.used_ns == 0 && usage.waiting_ns == 0) return {};
  const auto ms = [](uint64_t ns) { return text(ns / 1'000'000, " ms"); };
  return text(ms(usage.used_ns), " of measured device time, ", ms(usage.waiting_ns), " of waiting for it (",
              ms(usage.throttled_ns), " by its own limit), ");
}

}  // namespace

bool ended_in_order(const SessionRecord& session, const WorkerExit& exit) {
  return session.ended && session.ended->orderly && !exit.by_signal && exit.code == 0;
}

std::string describe_end(const SessionRecord& session, const WorkerExit& exit, SteadyTime now) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f",
                std::chrono::duration<double>(now - session.started).count());
  const SessionTotals& totals = session.ended ? session.ended->totals : session.totals;
  std::string reason =
      session.ended ? printable(session.ended->reason, 1024) : "Its worker " + exit.describe() + ".";
  if (session.ended && (exit.by_signal || exit.code != 0)) reason += " Its worker " + exit.describe() + ".";
  return text("Session ", session.id, " of ", session.client, " ended after ", seconds, " s: ", reason, " ",
              totals.commands, " commands, ", totals.replies, " replies, ", totals.failures, " failures, ",
              totals.launches, " launches, ", human_bytes(totals.bytes_received), " received, ",
              human_bytes(totals.bytes_sent), " sent, ", known_uploads(totals), compute_time(session.compute),
              "at most ", human_bytes(totals.peak_memory_bytes), " of device memory; everything is freed.");
}

}  // namespace outboard::server
