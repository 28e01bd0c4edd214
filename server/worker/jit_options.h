// The option arrays of cuModuleLoadDataEx and its relatives, built from what a client asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::server {

// Owns the log buffers and the arrays that the driver reads and writes.
class JitOptions {
 public:
  static constexpr size_t kMaxLogBytes = 256 * 1024;
  // What the server asks for even if the client did not, so that failures can be logged.
  static constexpr size_t kLeastErrorLogBytes = 8 * 1024;

  JitOptions(size_t info_log_bytes, size_t error_log_bytes);

  // Adds an option whose value is a number. False for options whose value is an address (in the
  // client's memory it would mean nothing here, and the driver would follow it) and unknown ones.
  bool add(uint32_t option, uint64_t value);

  unsigned count() const { return static_cast<unsigned>(options_.size()); }
  CUjit_option* options() { return options_.data(); }
  void** values() { return values_.data(); }

  // After the call: what the driver wrote, without the terminating zero.
  std::string info_log() const { return log(info_, info_size_index_); }
  std::string error_log() const { return log(error_, error_size_index_); }
  // After the call: the value of a number option (some are written back); 0 if it was not given.
  uint64_t value(uint32_t option) const;

  // Whether the option's value is a number that may be passed on.
  static bool is_number(uint32_t option);

 private:
  size_t add_log(std::vector<char>& buffer, size_t bytes, CUjit_option pointer, CUjit_option size);
  std::string log(const std::vector<char>& buffer, size_t size_index) const;

  std::vector<CUjit_option> options_;
  std::vector<void*> values_;
  std::vector<char> info_;
  std::vector<char> error_;
  size_t info_size_index_ = 0;
  size_t error_size_index_ = 0;
};

}  // namespace outboard::server
