#include "client-lib/state/process_life.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace outboard::client {
namespace {

// pthread_atfork takes no argument. Only lives without a wiped page enter themselves here, which is
// at most the process's one client outside of tests.
std::atomic<ProcessLife*> atfork_life{nullptr};

void after_fork_in_child() {
  if (ProcessLife* life = atfork_life.load()) life->forget_in_child();
}

}  // namespace

ProcessLife::ProcessLife() {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED && madvise(page, page_bytes, MADV_WIPEONFORK) == 0) {
    cell_ = new (page) std::atomic<uint32_t>(0);
    return;
  }
  if (page != MAP_FAILED) munmap(page, page_bytes);
  cell_ = &fallback_;
  if (atfork_life.exchange(this) == nullptr) pthread_atfork(nullptr, nullptr, after_fork_in_child);
}

ProcessLife::~ProcessLife() {
  if (cell_ != &fallback_) {
    munmap(static_cast<void*>(cell_), static_cast<size_t>(sysconf(_SC_PAGESIZE)));
    return;
  }
  ProcessLife* self = this;
  atfork_life.compare_exchange_strong(self, nullptr);
}

LifePhase ProcessLife::phase() const {
  const auto phase = static_cast<LifePhase>(cell_->load(std::memory_order_acquire));
  if (phase != LifePhase::kFresh) return phase;
  const pid_t owner = ready_pid_.load(std::memory_order_acquire);
  return owner != 0 && owner != getpid() ? LifePhase::kForked : LifePhase::kFresh;
}

void ProcessLife::set_ready() {
  ready_pid_.store(getpid(), std::memory_order_release);
  cell_->store(static_cast<uint32_t>(LifePhase::kReady), std::memory_order_release);
}

void ProcessLife::set_ending() {
  cell_->store(static_cast<uint32_t>(LifePhase::kEnding), std::memory_order_release);
}

void ProcessLife::forget_in_child() { cell_->store(0, std::memory_order_release); }

}  // namespace outboard::client
