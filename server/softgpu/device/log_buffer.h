// The driver's log that cuLogs* reads: what note() told people, the newest 25600 bytes of it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

// Any thread.
class LogBuffer {
 public:
  static constexpr size_t kMaxBytes = 25600;  // CUDA's

  // The process's; never destroyed, since exit handlers of other libraries still call the driver.
  static LogBuffer& instance();

  void add(CUlogLevel level, std::string_view sentence);
  // Where the next message will be.
  uint32_t end() const;
  // The messages from `begin` on (all without), with the newest last, cut at the front to fit `room`
  // bytes; a line says so if some are missing. Nothing if not even the newest fits.
  std::optional<std::string> read(std::optional<uint32_t> begin, size_t room) const;

  uint64_t add_listener(CUlogsCallback function, void* data);
  // False if there is none of this number.
  bool remove_listener(uint64_t listener);

 private:
  struct Listener {
    CUlogsCallback function;
    void* data;
  };

  mutable std::mutex mutex_;
  uint32_t first_ = 0;  // number of the oldest message that is left
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  uint64_t next_listener_ = 1;
  std::map<uint64_t, Listener> listeners_;
};

}  // namespace outboard::softgpu
