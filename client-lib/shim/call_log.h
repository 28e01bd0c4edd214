// Which exported functions a program has called, for the project's own coverage report. When
// OUTBOARD_CALL_LOG names a folder, each process writes the names, each once, to a file in it that has
// the program's name.
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <string>

namespace outboard::client {

class CallLog {
 public:
  // Null unless the variable is set; made once per process and never destroyed.
  static CallLog* instance();

  // `symbol` is a string literal. Any thread.
  void note(const char* symbol);

 private:
  explicit CallLog(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  std::mutex mutex_;
  std::set<const char*> noted_;
};

}  // namespace outboard::client
