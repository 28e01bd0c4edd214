#include "server/softgpu/device/log_buffer.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace outboard::softgpu {
namespace {

constexpr std::string_view kMissing = "(older messages are missing)\n";

std::string line_of(CUlogLevel level, std::string_view sentence) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  localtime_r(&now.tv_sec, &parts);
  char head[64];
  std::snprintf(head, sizeof head, "[%02d:%02d:%02d.%03ld][%d][CUDA][%c] ", parts.tm_hour, parts.tm_min,
                parts.tm_sec, now.tv_nsec / 1'000'000, getpid(), level == CU_LOG_LEVEL_ERROR ? 'E' : 'W');
  std::string line = head;
  line.append(sentence.substr(0, LogBuffer::kMaxBytes / 4));
  // Messages are lines.
  std::replace(line.begin(), line.end(), '\n', ' ');
  line.push_back('\n');
  return line;
}

}  // namespace

LogBuffer& LogBuffer::instance() {
  static auto* const buffer = new LogBuffer;
  return *buffer;
}

void LogBuffer::add(CUlogLevel level, std::string_view sentence) {
  std::string line = line_of(level, sentence);
  std::map<uint64_t, Listener> listeners;
  {
    std::lock_guard lock(mutex_);
    bytes_ += line.size();
    lines_.push_back(line);
    while (bytes_ > kMaxBytes) {
      bytes_ -= lines_.front().size();
      lines_.pop_front();
      ++first_;
    }
    listeners = listeners_;
  }
  // Without the line's end: it is one message.
  for (const auto& [id, listener] : listeners) {
    std::string message = line.substr(0, line.size() - 1);
    listener.function(listener.data, level, message.data(), message.size());
  }
}

uint32_t LogBuffer::end() const {
  std::lock_guard lock(mutex_);
  return first_ + static_cast<uint32_t>(lines_.size());
}

std::optional<std::string> LogBuffer::read(std::optional<uint32_t> begin, size_t room) const {
  std::lock_guard lock(mutex_);
  // An iterator of messages that are gone begins with what is left; numbers may wrap around.
  const auto skipped = static_cast<int32_t>(begin.value_or(first_) - first_);
  const size_t from = std::min<size_t>(skipped > 0 ? static_cast<size_t>(skipped) : 0, lines_.size());
  size_t at = lines_.size();
  size_t bytes = 0;
  while (at > from && bytes + lines_[at - 1].size() <= room) bytes += lines_[--at].size();
  bool missing = at > from || skipped < 0 || (!begin && first_ != 0);
  while (missing && at < lines_.size() && bytes + kMissing.size() > room) bytes -= lines_[at++].size();
  if (at == lines_.size() && from < lines_.size()) return std::nullopt;
  std::string text(missing ? kMissing : std::string_view());
  for (; at < lines_.size(); ++at) text += lines_[at];
  return text;
}

uint64_t LogBuffer::add_listener(CUlogsCallback function, void* data) {
  std::lock_guard lock(mutex_);
  const uint64_t listener = next_listener_++;
  listeners_.emplace(listener, Listener{function, data});
  return listener;
}

bool LogBuffer::remove_listener(uint64_t listener) {
  std::lock_guard lock(mutex_);
  return listeners_.erase(listener) != 0;
}

}  // namespace outboard::softgpu
