// Who has the current content of each page of a range that host and device both use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace outboard::client {

enum class PageState : uint8_t {
  kDevice,  // the device: host code must not touch the page
  kBoth,    // the same on both sides: host code may read
  kHost,    // the host: the device's copy is old
};

class PageStates {
 public:
  PageStates(size_t pages, PageState state) : pages_(pages, static_cast<uint8_t>(state)) {
    counts_[static_cast<size_t>(state)] = pages;
  }

  size_t size() const { return pages_.size(); }
  PageState at(size_t page) const { return static_cast<PageState>(pages_[page] & kStateMask); }
  size_t count(PageState state) const { return counts_[static_cast<size_t>(state)]; }
  void set(size_t first, size_t last, PageState state) {
    for (size_t page = first; page < last; ++page) {
      --counts_[pages_[page] & kStateMask];
      pages_[page] = static_cast<uint8_t>((pages_[page] & ~kStateMask) | static_cast<uint8_t>(state));
    }
    counts_[static_cast<size_t>(state)] += last - first;
  }
  // Where the run of pages that are in the state of `first` ends, `limit` at the latest.
  size_t run_end(size_t first, size_t limit) const {
    size_t end = first;
    while (end < limit && at(end) == at(first)) ++end;
    return end;
  }

  // Host code asked for this page after the device had it: likely to ask again.
  bool recalled(size_t page) const { return (pages_[page] & kRecalled) != 0; }
  void set_recalled(size_t page) { pages_[page] |= kRecalled; }

  // Opened to host code while the device may have been at work on it.
  bool early(size_t page) const { return (pages_[page] & kEarly) != 0; }
  void set_early(size_t first, size_t last, bool early) {
    for (size_t page = first; page < last; ++page) {
      if (this->early(page) == early) continue;
      pages_[page] ^= kEarly;
      early_ += early ? 1 : -1;
    }
  }
  size_t count_early() const { return static_cast<size_t>(early_); }

 private:
  static constexpr uint8_t kStateMask = 3;
  static constexpr uint8_t kRecalled = 4;
  static constexpr uint8_t kEarly = 8;

  std::vector<uint8_t> pages_;
  std::array<size_t, 4> counts_{};
  ptrdiff_t early_ = 0;
};

}  // namespace outboard::client
