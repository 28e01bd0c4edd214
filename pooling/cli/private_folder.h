// A folder that only this user can enter, for the socket and the files of one run.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::cli {

// Made with mode 0700 and removed, with everything in it, by the destructor. A lock file in it
// tells a folder in use from one that a killed process left behind.
class PrivateFolder {
 public:
  // Below the first of `parents` that can be written and is short enough for a socket's path, or
  // below $XDG_RUNTIME_DIR, $TMPDIR, /tmp when `parents` is empty. Removes left-overs it meets there.
  static Result<PrivateFolder> create(std::vector<std::string> parents = {});
  PrivateFolder(PrivateFolder&& other) noexcept;
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  PrivateFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  int lock_fd_ = -1;
};

}  // namespace outboard::cli
