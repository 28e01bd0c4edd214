#include "server/softgpu/device/interprocess.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <vector>

#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {

struct SharedEvent::State {
  std::atomic<uint32_t> recorded;
  std::atomic<uint32_t> completed;  // a futex
  std::atomic<int32_t> recorder;    // the process that recorded last
  uint32_t unused[13];              // a cache line each
};

namespace {

constexpr uint64_t kStateBytes = 64;
constexpr uint64_t kEventFileBytes = SharedFile::kMaxEntries * kStateBytes;
constexpr long kLookForDeadNs = 50'000'000;

bool process_is_gone(int pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return true;
  // One that nobody has waited for yet is gone as well.
  const int fd = open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[512];
  const ssize_t length = read(fd, buffer, sizeof buffer);
  close(fd);
  if (length <= 0) return false;
  const std::string text(buffer, static_cast<size_t>(length));
  const size_t state = text.rfind(')') + 2;  // the name may hold anything
  return state < text.size() && (text[state] == 'Z' || text[state] == 'X');
}

}  // namespace

uint32_t SharedEvent::begin_recording() {
  state_->recorder.store(getpid());
  return state_->recorded.fetch_add(1) + 1;
}

void SharedEvent::complete(uint32_t number) {
  uint32_t now = state_->completed.load();
  while (static_cast<int32_t>(number - now) > 0 && !state_->completed.compare_exchange_weak(now, number)) {
  }
  syscall(SYS_futex, &state_->completed, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

uint32_t SharedEvent::recorded() const { return state_->recorded.load(); }

bool SharedEvent::reached(uint32_t number) const {
  return static_cast<int32_t>(state_->completed.load() - number) >= 0 ||
         process_is_gone(state_->recorder.load());
}

void SharedEvent::wait(uint32_t number) const {
  while (!reached(number)) {
    const uint32_t now = state_->completed.load();
    if (static_cast<int32_t>(now - number) >= 0) return;
    const timespec timeout{0, kLookForDeadNs};
    syscall(SYS_futex, &state_->completed, FUTEX_WAIT, now, &timeout, nullptr, 0);
  }
}

CUresult SharedEvent::open(const SharedName& name, std::shared_ptr<SharedEvent>* event) {
  SharedFile::Part part;
  if (const CUresult result = part.open(name); result != CUDA_SUCCESS) return result;
  if (part.bytes() != kStateBytes) return CUDA_ERROR_INVALID_HANDLE;  // memory's name
  void* at = part.map(0);
  if (at == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::shared_ptr<void> page(at, [bytes = part.mapped_bytes()](void* p) { munmap(p, bytes); });
  auto* state = reinterpret_cast<State*>(static_cast<std::byte*>(at) + part.offset_in_page());
  *event = std::make_shared<SharedEvent>(std::shared_ptr<State>(page, state), name);
  return CUDA_SUCCESS;
}

struct SharedEvents::File {
  std::unique_ptr<SharedFile> file;
  std::byte* states = nullptr;
  std::mutex mutex;
  uint64_t next = 0;
  std::vector<uint64_t> free;  // states that were given back

  ~File() {
    if (states != nullptr) munmap(states, kEventFileBytes);
  }
};

std::shared_ptr<SharedEvent> SharedEvents::create() {
  static_assert(sizeof(SharedEvent::State) == kStateBytes);
  std::lock_guard lock(mutex_);
  if (file_ == nullptr) {
    auto file = std::make_shared<File>();
    file->file = SharedFile::create(kEventFileBytes);
    if (file->file == nullptr) return nullptr;
    void* at =
        mmap(nullptr, kEventFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->file->descriptor(), 0);
    if (at == MAP_FAILED) return nullptr;
    file->states = static_cast<std::byte*>(at);
    file_ = std::move(file);
  }
  uint64_t begin = 0;
  {
    std::lock_guard file_lock(file_->mutex);
    if (file_->free.empty() && file_->next == kEventFileBytes) return nullptr;
    if (file_->free.empty()) {
      begin = file_->next;
      file_->next += kStateBytes;
    } else {
      begin = file_->free.back();
      file_->free.pop_back();
    }
  }
  auto* state = reinterpret_cast<SharedEvent::State*>(file_->states + begin);
  state->recorded.store(0);
  state->completed.store(0);
  SharedName name;
  if (!file_->file->publish(begin, kStateBytes, &name)) return nullptr;
  std::shared_ptr<SharedEvent::State> owned(state, [file = file_, name, begin](SharedEvent::State*) {
    file->file->withdraw(name);
    std::lock_guard file_lock(file->mutex);
    file->free.push_back(begin);
  });
  return std::make_shared<SharedEvent>(std::move(owned), name);
}

ImportedMemory::ImportedMemory(AllocationTable& table) : table_(table), next_hint_(kImportBase) {}

CUresult ImportedMemory::open(const SharedName& name, uint64_t context, const Device& device, uint64_t pool,
                              uint64_t* address) {
  const uint64_t owner = pool != 0 ? pool : context;
  std::lock_guard lock(mutex_);
  for (auto& [known, mapping] : mappings_) {
    if (mapping.name != name || mapping.owner != owner) continue;
    ++mapping.references;
    *address = known;
    return CUDA_SUCCESS;
  }
  SharedFile::Part part;
  if (const CUresult result = part.open(name); result != CUDA_SUCCESS) return result;
  void* at = part.map(next_hint_);
  if (at == nullptr) return CUDA_ERROR_MAP_FAILED;
  Allocation entry;
  entry.begin = reinterpret_cast<uint64_t>(at) + part.offset_in_page();
  entry.bytes = entry.valid_bytes = part.bytes();
  entry.kind = MemoryKind::kImported;
  entry.device = device.ordinal();
  entry.context = context;
  entry.pool = pool;
  if (!table_.insert(entry)) {
    munmap(at, part.mapped_bytes());
    return CUDA_ERROR_MAP_FAILED;
  }
  // A hole behind each, so that no index runs from one into the next.
  if (reinterpret_cast<uint64_t>(at) == next_hint_)
    next_hint_ += (part.mapped_bytes() + 2 * kGranuleBytes - 1) / kGranuleBytes * kGranuleBytes;
  mappings_.emplace(entry.begin, Mapping{name, owner, 1, at, part.mapped_bytes()});
  *address = entry.begin;
  return CUDA_SUCCESS;
}

CUresult ImportedMemory::close(uint64_t address) {
  std::lock_guard lock(mutex_);
  const auto it = mappings_.find(address);
  if (it == mappings_.end()) return CUDA_ERROR_INVALID_VALUE;
  if (--it->second.references != 0) return CUDA_SUCCESS;
  (void)table_.remove(address);
  munmap(it->second.at, it->second.bytes);
  mappings_.erase(it);
  return CUDA_SUCCESS;
}

void ImportedMemory::close_all(uint64_t context) {
  std::lock_guard lock(mutex_);
  for (auto it = mappings_.begin(); it != mappings_.end();) {
    if (it->second.owner != context) {
      ++it;
      continue;
    }
    (void)table_.remove(it->first);
    munmap(it->second.at, it->second.bytes);
    it = mappings_.erase(it);
  }
}

}  // namespace outboard::softgpu
