#include "client-lib/session/mirrors.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"

namespace outboard::client {

Mirrors::Mirrors(Device device, Logger log)
    : device_(std::move(device)),
      log_(std::move(log)),
      page_bytes_(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))),
      faults_([this](uint64_t address, bool write) { return resolve(address, write); },
              [this] {
                std::lock_guard lock(mutex_);
                // A failure ends the session, which the program's next call says.
                (void)refresh();
                refresh_ = std::min(refresh_ * 2, kLastRefresh);
              },
              [this] { return refresh_after(); }) {}

Mirrors::~Mirrors() {
  while (!ranges_.empty()) (void)remove(ranges_.begin()->first);
}

Mirrors::Mirror* Mirrors::find(uint64_t address) const {
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return nullptr;
  Mirror* mirror = std::prev(it)->second.get();
  return address - mirror->base < mirror->part.bytes ? mirror : nullptr;
}

bool Mirrors::covers(uint64_t address) const {
  if (!any()) return false;
  std::lock_guard lock(mutex_);
  return find(address) != nullptr;
}

void Mirrors::insert(uint64_t base, MirrorFile::Part part, wire::Handle context, PageState first) {
  ranges_.emplace(base, std::unique_ptr<Mirror>(new Mirror{.base = base,
                                                           .part = part,
                                                           .context = context,
                                                           .pages = {part.bytes / page_bytes_, first},
                                                           .stream = {},
                                                           .twins = {}}));
  total_bytes_ += part.bytes;
  count_locked();
}

CUresult Mirrors::add(uint64_t base, uint64_t bytes, wire::Handle context, PageState first) {
  std::lock_guard lock(mutex_);
  if (base % page_bytes_ != 0 || bytes % page_bytes_ != 0) return CUDA_ERROR_ALREADY_MAPPED;
  faults_.install();
  auto part = file_.allocate(bytes);
  if (!part) {
    log_.error(part.error().message);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (!file_.map(*part, base, first == PageState::kDevice ? PROT_NONE : PROT_READ | PROT_WRITE, false)) {
    file_.release(*part);
    return CUDA_ERROR_ALREADY_MAPPED;
  }
  insert(base, *part, context, first);
  return CUDA_SUCCESS;
}

CUresult Mirrors::adopt(uint64_t base, uint64_t bytes, wire::Handle context) {
  std::lock_guard lock(mutex_);
  faults_.install();
  auto part = file_.allocate(bytes);
  if (!part) {
    log_.error(part.error().message);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  void* theirs = reinterpret_cast<void*>(base);
  // Who writes now waits in the fault handler for our lock, and then writes to the mirror.
  if (mprotect(theirs, bytes, PROT_READ) != 0) {
    file_.release(*part);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  std::memcpy(part->ours, theirs, bytes);
  if (!file_.map(*part, base, PROT_READ | PROT_WRITE, true)) {
    mprotect(theirs, bytes, PROT_READ | PROT_WRITE);
    file_.release(*part);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  insert(base, *part, context, PageState::kHost);
  return CUDA_SUCCESS;
}

bool Mirrors::remove(uint64_t base) {
  std::lock_guard lock(mutex_);
  const auto it = ranges_.find(base);
  if (it == ranges_.end()) return false;
  munmap(reinterpret_cast<void*>(base), it->second->part.bytes);
  file_.release(it->second->part);
  total_bytes_ -= it->second->part.bytes;
  ranges_.erase(it);
  count_locked();
  return true;
}

void Mirrors::move(wire::Handle from_context, wire::Handle to_context) {
  std::lock_guard lock(mutex_);
  for (auto& [base, mirror] : ranges_) {
    if (mirror->context == from_context) mirror->context = to_context;
  }
  followed_.move(from_context, to_context);
}

void Mirrors::follow(uint64_t base, uint64_t bytes, uint64_t device_address, wire::Handle context) {
  std::lock_guard lock(mutex_);
  followed_.add(base, bytes, device_address, context);
  count_locked();
}

uint64_t Mirrors::unfollow(uint64_t base) {
  std::lock_guard lock(mutex_);
  const uint64_t device_address = followed_.remove(base).value_or(0);
  count_locked();
  return device_address;
}

uint64_t Mirrors::newer_at(uint64_t address) const {
  if (!any()) return 0;
  std::lock_guard lock(mutex_);
  return followed_.newer_at(address).value_or(0);
}

bool Mirrors::attach(uint64_t address, unsigned flags, wire::Handle stream) {
  std::lock_guard lock(mutex_);
  Mirror* mirror = find(address);
  if (mirror == nullptr) return false;
  mirror->attached = flags;
  mirror->stream = stream;
  return true;
}

bool Mirrors::usable_from(const Mirror& mirror, wire::Handle stream) const {
  if (mirror.attached == CU_MEM_ATTACH_GLOBAL) return true;
  return mirror.attached == CU_MEM_ATTACH_SINGLE && mirror.stream == stream;
}

bool Mirrors::protect(const Mirror& mirror, size_t first, size_t last, int protection) const {
  return mprotect(reinterpret_cast<void*>(mirror.base + first * page_bytes_), (last - first) * page_bytes_,
                  protection) == 0;
}

CUresult Mirrors::hand_over(wire::Handle stream) {
  std::lock_guard lock(mutex_);
  if (!ranges_.empty()) faults_.install();
  work_.submitted(stream);
  fetch_due_ = true;
  refresh_ = kFirstRefresh;
  for (auto& [base, mirror] : ranges_) {
    if (!usable_from(*mirror, stream)) continue;
    if (const CUresult given = give(*mirror, 0, mirror->pages.size(), true); given != CUDA_SUCCESS)
      return given;
  }
  return followed_.give();
}

CUresult Mirrors::hand_over(uint64_t address, uint64_t bytes, bool device_writes, wire::Handle stream) {
  if (!any() || bytes == 0) return CUDA_SUCCESS;
  std::lock_guard lock(mutex_);
  Mirror* mirror = find(address);
  if (mirror == nullptr) return followed_.give_at(address);
  work_.submitted(stream);
  fetch_due_ |= device_writes;
  const uint64_t begin = address - mirror->base;
  const uint64_t end = std::min(begin + bytes, mirror->part.bytes);
  return give(*mirror, begin / page_bytes_, (end + page_bytes_ - 1) / page_bytes_, device_writes);
}

// The device may use these pages, and write them if it says so: what the host has written is sent, and
// host code is kept from what may change.
CUresult Mirrors::give(Mirror& mirror, size_t first, size_t last, bool device_writes) {
  if (mirror.pages.count(PageState::kDevice) == mirror.pages.size()) return CUDA_SUCCESS;
  if (device_writes && !protect(mirror, first, last, PROT_NONE)) return CUDA_ERROR_OUT_OF_MEMORY;
  for (size_t page = first; page < last;) {
    const size_t end = mirror.pages.run_end(page, last);
    if (mirror.pages.at(page) == PageState::kHost) {
      if (!device_writes && !protect(mirror, page, end, PROT_READ)) return CUDA_ERROR_OUT_OF_MEMORY;
      if (const CUresult sent = send(mirror, page, end); sent != CUDA_SUCCESS) return sent;
      mirror.pages.set(page, end, PageState::kBoth);
    }
    page = end;
  }
  if (device_writes) {
    mirror.pages.set(first, last, PageState::kDevice);
    mirror.pages.set_early(first, last, false);
  }
  return CUDA_SUCCESS;
}

CUresult Mirrors::send(Mirror& mirror, size_t first, size_t last) {
  size_t page = first;
  while (page < last) {
    if (const auto twin = mirror.twins.find(page); twin != mirror.twins.end()) {
      if (const CUresult sent = send_changes(mirror, page, twin->second.get()); sent != CUDA_SUCCESS)
        return sent;
      mirror.twins.erase(twin);
      ++page;
      continue;
    }
    size_t end = page + 1;
    while (end < last && !mirror.twins.contains(end)) ++end;
    const CUresult sent = send_stretch(mirror, page * page_bytes_, end * page_bytes_);
    if (sent != CUDA_SUCCESS) return sent;
    page = end;
  }
  return CUDA_SUCCESS;
}

// Memory that nobody ever touched has no content to send.
CUresult Mirrors::send_stretch(Mirror& mirror, uint64_t first, uint64_t last) {
  while (first < last) {
    const MirrorFile::Stretch stretch = file_.touched(mirror.part, first, last);
    if (stretch.begin == stretch.end) return CUDA_SUCCESS;
    for (uint64_t at = stretch.begin; at < stretch.end; at += limits::kBulkChunkBytes) {
      const uint64_t bytes = std::min<uint64_t>(limits::kBulkChunkBytes, stretch.end - at);
      const CUresult sent = device_.write(mirror.context, mirror.base + at, {mirror.part.ours + at, bytes});
      if (sent != CUDA_SUCCESS) return sent;
    }
    first = stretch.end;
  }
  return CUDA_SUCCESS;
}

// Only what differs: the rest of the page may be newer on the device.
CUresult Mirrors::send_changes(Mirror& mirror, size_t page, const std::byte* twin) {
  const uint64_t start = page * page_bytes_;
  const std::byte* now = mirror.part.ours + start;
  for (uint64_t at = 0; at < page_bytes_;) {
    if (now[at] == twin[at]) {
      ++at;
      continue;
    }
    uint64_t end = at + 1;
    while (end < page_bytes_ && now[end] != twin[end]) ++end;
    const CUresult sent = device_.write(mirror.context, mirror.base + start + at, {now + at, end - at});
    if (sent != CUDA_SUCCESS) return sent;
    at = end;
  }
  return CUDA_SUCCESS;
}

CUresult Mirrors::fetch_bytes(Mirror& mirror, size_t first, size_t last) {
  for (uint64_t at = first * page_bytes_; at < last * page_bytes_; at += limits::kBulkChunkBytes) {
    const uint64_t bytes = std::min<uint64_t>(limits::kBulkChunkBytes, last * page_bytes_ - at);
    const CUresult got = device_.read(mirror.context, mirror.base + at, {mirror.part.ours + at, bytes});
    if (got != CUDA_SUCCESS) return got;
  }
  return CUDA_SUCCESS;
}

// Pages of the device become readable. Content comes in by our mapping: no thread of the program sees it
// half arrived.
CUresult Mirrors::fetch(Mirror& mirror, size_t first, size_t last) {
  if (const CUresult got = fetch_bytes(mirror, first, last); got != CUDA_SUCCESS) return got;
  if (!protect(mirror, first, last, PROT_READ)) return open_whole(mirror);
  mirror.pages.set(first, last, PageState::kBoth);
  mirror.pages.set_early(first, last, work_.busy());
  return CUDA_SUCCESS;
}

CUresult Mirrors::open_for_writing(Mirror& mirror, size_t page) {
  mirror.write_window = page == mirror.next_write ? std::min(mirror.write_window * 2, kLastWindow) : 1;
  // While the device may write too, every page that is opened costs a copy of it.
  const size_t window = work_.busy() ? std::min(mirror.write_window, kFirstWindow) : mirror.write_window;
  const size_t end = mirror.pages.run_end(page, std::min(page + window, mirror.pages.size()));
  mirror.next_write = end;
  for (size_t i = page; i < end && work_.busy(); ++i) {
    auto twin = std::make_unique_for_overwrite<std::byte[]>(page_bytes_);
    std::memcpy(twin.get(), mirror.part.ours + i * page_bytes_, page_bytes_);
    mirror.twins.insert_or_assign(i, std::move(twin));
  }
  if (!protect(mirror, page, end, PROT_READ | PROT_WRITE)) return open_whole(mirror);
  mirror.pages.set(page, end, PageState::kHost);
  mirror.pages.set_early(page, end, work_.busy());
  return CUDA_SUCCESS;
}

// The system has no more room for ranges of different protection (vm.max_map_count): the whole mirror is
// fetched and counts as written. Its pages are one range then.
CUresult Mirrors::open_whole(Mirror& mirror) {
  for (size_t page = 0; page < mirror.pages.size();) {
    const size_t end = mirror.pages.run_end(page, mirror.pages.size());
    if (mirror.pages.at(page) == PageState::kDevice) {
      if (const CUresult got = fetch_bytes(mirror, page, end); got != CUDA_SUCCESS) return got;
    }
    page = end;
  }
  if (!protect(mirror, 0, mirror.pages.size(), PROT_READ | PROT_WRITE)) return CUDA_ERROR_OUT_OF_MEMORY;
  mirror.pages.set(0, mirror.pages.size(), PageState::kHost);
  mirror.pages.set_early(0, mirror.pages.size(), work_.busy());
  return CUDA_SUCCESS;
}

CUresult Mirrors::fetch_around(Mirror& mirror, size_t page) {
  const bool in_order = page == mirror.next_read;
  mirror.read_window = in_order ? std::min(mirror.read_window * 2, kLastWindow) : kFirstWindow;
  // From a round number on, so that few ranges of different protection come about.
  size_t first = page;
  const size_t round = in_order ? page : page / kFirstWindow * kFirstWindow;
  while (first > round && mirror.pages.at(first - 1) == PageState::kDevice) --first;
  const size_t end = mirror.pages.run_end(page, std::min(page + mirror.read_window, mirror.pages.size()));
  mirror.next_read = end;
  for (size_t i = first; i < end; ++i) mirror.pages.set_recalled(i);
  return fetch(mirror, first, end);
}

bool Mirrors::resolve(uint64_t address, bool write) {
  std::lock_guard lock(mutex_);
  Mirror* mirror = find(address);
  if (mirror == nullptr) return false;
  const size_t page = (address - mirror->base) / page_bytes_;
  CUresult result = CUDA_SUCCESS;
  if (mirror->pages.at(page) == PageState::kDevice) result = fetch_around(*mirror, page);
  if (result == CUDA_SUCCESS && write && mirror->pages.at(page) == PageState::kBoth)
    result = open_for_writing(*mirror, page);
  if (result == CUDA_SUCCESS) return true;
  log_.error(text("Memory at ", hex_number(address),
                  " that host and device use cannot be fetched from the server (error ",
                  static_cast<int>(result), "): the program gets SIGSEGV rather than old content."));
  return false;
}

// What host code opened while the device was at work is fetched anew when it is touched again.
CUresult Mirrors::refresh() {
  for (auto& [base, mirror] : ranges_) {
    for (size_t page = 0; mirror->pages.count_early() != 0 && page < mirror->pages.size(); ++page) {
      if (!mirror->pages.early(page)) continue;
      size_t end = page;
      while (end < mirror->pages.size() && mirror->pages.early(end)) ++end;
      if (const CUresult given = give(*mirror, page, end, true); given != CUDA_SUCCESS) return given;
      fetch_due_ = true;
      page = end;
    }
  }
  return CUDA_SUCCESS;
}

// A failure ends the session, which the program's next call says.
void Mirrors::meet() {
  if (!any()) return;
  std::lock_guard lock(mutex_);
  if (refresh() != CUDA_SUCCESS || followed_.empty()) return;
  if (followed_.give() == CUDA_SUCCESS) (void)followed_.take(false);
}

std::chrono::milliseconds Mirrors::refresh_after() {
  std::lock_guard lock(mutex_);
  for (const auto& [base, mirror] : ranges_) {
    if (mirror->pages.count_early() != 0) return refresh_;
  }
  return std::chrono::milliseconds(0);
}

void Mirrors::after_wait() {
  if (followed_.take(!work_.busy()) != CUDA_SUCCESS) return;
  if (refresh() != CUDA_SUCCESS || work_.busy() || !fetch_due_) return;
  fetch_due_ = false;
  const bool all = total_bytes_ <= kEagerBytes;
  for (auto& [base, mirror] : ranges_) {
    if (mirror->pages.count(PageState::kDevice) == 0) continue;
    const size_t pages = mirror->pages.size();
    for (size_t page = 0; page < pages; ++page) {
      const auto wanted = [&](size_t i) {
        return mirror->pages.at(i) == PageState::kDevice && (all || mirror->pages.recalled(i));
      };
      if (!wanted(page)) continue;
      size_t end = page;
      while (end < pages && wanted(end)) ++end;
      if (fetch(*mirror, page, end) != CUDA_SUCCESS) return;
      page = end;
    }
  }
}

uint64_t Mirrors::mark() const {
  std::lock_guard lock(mutex_);
  return work_.mark();
}

void Mirrors::event_recorded(wire::Handle event, wire::Handle stream) {
  std::lock_guard lock(mutex_);
  work_.recorded(event, stream);
}

void Mirrors::stream_waited(wire::Handle stream, uint64_t mark) {
  std::lock_guard lock(mutex_);
  work_.stream_done(stream, mark);
  after_wait();
}

void Mirrors::event_waited(wire::Handle event) {
  std::lock_guard lock(mutex_);
  work_.event_done(event);
  after_wait();
}

void Mirrors::all_waited(uint64_t mark) {
  std::lock_guard lock(mutex_);
  work_.all_done(mark);
  after_wait();
}

}  // namespace outboard::client
