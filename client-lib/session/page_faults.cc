#include "client-lib/session/page_faults.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "client-lib/session/signals.h"

namespace outboard::client {
namespace {

enum SlotState : uint32_t { kFree, kClaimed, kAsked, kResolved, kRefused };

// Signal handlers have no user data. More clients than this in one process are tests gone wrong.
constexpr size_t kMostInstances = 8;
std::array<std::atomic<PageFaults*>, kMostInstances> instances;

// What was installed before us; written before the handler is in place.
struct sigaction previous;
std::mutex install_mutex;

pid_t this_thread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void futex_wait(std::atomic<uint32_t>& word, uint32_t while_value, const timespec* timeout = nullptr) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, while_value, timeout, nullptr,
          0);
}

void futex_wake(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

bool is_write(const void* context) {
#if defined(__x86_64__)
  constexpr greg_t kWriteBit = 2;  // of the page fault's error code
  return (static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & kWriteBit) != 0;
#else
  (void)context;
  return false;  // a page that may be read faults once more when it is written
#endif
}

// The instruction faults again, and the process ends as it would have without us.
void use_default() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGSEGV, &action, nullptr);
}

// If that handler calls ours in turn, the fault is nobody's, and the stack's end ends the process, as it
// should; handlers that jump away make it hard to notice earlier.
void pass_on(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) return use_default();
  previous.sa_handler(signal);
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  bool resolved = false;
  // Our pages are always mapped, only protected.
  if (info->si_code == SEGV_ACCERR) {
    const auto address = reinterpret_cast<uint64_t>(info->si_addr);
    for (auto& entry : instances) {
      PageFaults* faults = entry.load(std::memory_order_acquire);
      resolved = faults != nullptr && faults->wait_for(address, is_write(context));
      if (resolved) break;
    }
  }
  if (!resolved) pass_on(signal, info, context);
  errno = saved;
}

}  // namespace

PageFaults::PageFaults(Resolve resolve, Idle idle, IdleAfter idle_after)
    : resolve_(std::move(resolve)), idle_(std::move(idle)), idle_after_(std::move(idle_after)) {}

PageFaults::~PageFaults() {
  for (auto& entry : instances) {
    PageFaults* self = this;
    entry.compare_exchange_strong(self, nullptr);
  }
  closing_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void PageFaults::install() {
  std::lock_guard lock(install_mutex);
  if (!thread_.joinable()) {
    for (auto& entry : instances) {
      PageFaults* none = nullptr;
      if (entry.compare_exchange_strong(none, this)) break;
    }
    owner_ = getpid();
    const AllSignalsBlocked blocked;
    thread_ = std::thread([this] { serve(); });
  }
  struct sigaction current{};
  sigaction(SIGSEGV, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault) return;
  previous = current;
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  // The program's threads may be short of stack; what waits for a lock shall go on waiting.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, nullptr);
}

void PageFaults::wake() {
  asked_.fetch_add(1, std::memory_order_release);
  futex_wake(asked_);
}

bool PageFaults::wait_for(uint64_t address, bool write) {
  // A forked child has our mappings no longer, and no thread to ask.
  if (owner_.load() != getpid() || service_.load() == this_thread()) return false;
  Slot* slot = nullptr;
  for (size_t i = 0; slot == nullptr; i = (i + 1) % kSlots) {
    uint32_t free = kFree;
    if (slots_[i].state.compare_exchange_strong(free, kClaimed)) slot = &slots_[i];
    if (i + 1 == kSlots && slot == nullptr) sched_yield();
  }
  slot->address = address;
  slot->write = write;
  slot->state.store(kAsked, std::memory_order_release);
  wake();
  uint32_t state = kAsked;
  while ((state = slot->state.load(std::memory_order_acquire)) == kAsked) futex_wait(slot->state, kAsked);
  slot->state.store(kFree, std::memory_order_release);
  return state == kResolved;
}

bool PageFaults::serve_slots() {
  bool served = false;
  for (Slot& slot : slots_) {
    if (slot.state.load(std::memory_order_acquire) != kAsked) continue;
    const bool ours = resolve_(slot.address, slot.write);
    slot.state.store(ours ? kResolved : kRefused, std::memory_order_release);
    futex_wake(slot.state);
    served = true;
  }
  return served;
}

void PageFaults::serve() {
  service_ = this_thread();
  while (!closing_.load()) {
    const uint32_t seen = asked_.load(std::memory_order_acquire);
    if (serve_slots()) continue;
    const std::chrono::milliseconds after = idle_after_();
    timespec timeout{after.count() / 1000, after.count() % 1000 * 1'000'000};
    if (asked_.load(std::memory_order_acquire) == seen)
      futex_wait(asked_, seen, after.count() != 0 ? &timeout : nullptr);
    if (after.count() != 0 && asked_.load(std::memory_order_acquire) == seen) idle_();
  }
}

}  // namespace outboard::client
