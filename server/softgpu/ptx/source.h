// Positions in PTX text and the list of findings about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace outboard::softgpu::ptx {

// Lines and columns count from 1, columns in bytes.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
};

// Collects findings for the JIT log. The first error decides what compile() returns. One per
// compilation; not thread-safe.
class Diagnostics {
 public:
  explicit Diagnostics(uint32_t max_errors) : max_errors_(max_errors) {}

  // Texts of a link are numbered from 1; the number shows only where there are several.
  void begin_text(uint32_t number) { text_number_ = number; }

  void error(Position at, std::string message, ErrorKind kind = ErrorKind::kInvalidArgument);
  void note(Position at, std::string message);

  bool failed() const { return error_count_ > 0; }
  uint32_t error_count() const { return error_count_; }
  // True once so many errors were found that going on only repeats them.
  bool full() const { return error_count_ >= max_errors_; }

  const Error& first() const { return first_; }
  const std::string& errors() const { return errors_; }
  const std::string& notes() const { return notes_; }

 private:
  std::string place(Position at) const;

  uint32_t max_errors_;
  uint32_t text_number_ = 0;
  uint32_t error_count_ = 0;
  Error first_;
  std::string errors_;
  std::string notes_;
};

}  // namespace outboard::softgpu::ptx
