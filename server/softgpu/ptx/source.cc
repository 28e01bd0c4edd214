#include "server/softgpu/ptx/source.h"

#include <utility>

namespace outboard::softgpu::ptx {

std::string Diagnostics::place(Position at) const {
  std::string text = "ptx";
  if (text_number_ > 1) text += "#" + std::to_string(text_number_);
  if (at.line != 0) text += " " + std::to_string(at.line) + ":" + std::to_string(at.column);
  return text;
}

void Diagnostics::error(Position at, std::string message, ErrorKind kind) {
  if (full()) return;
  std::string line = place(at) + ": error: " + std::move(message);
  if (error_count_ == 0) first_ = Error{kind, line};
  errors_ += line;
  errors_ += '\n';
  if (++error_count_ == max_errors_) {
    errors_ += "ptx: error: giving up after " + std::to_string(max_errors_) + " errors\n";
  }
}

void Diagnostics::note(Position at, std::string message) {
  notes_ += place(at) + ": note: " + std::move(message) + '\n';
}

}  // namespace outboard::softgpu::ptx
