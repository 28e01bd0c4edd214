#include "client-lib/state/thread_state.h"

#include <mutex>

#include "client-lib/state/per_thread.h"

namespace outboard::client {

struct ThreadStates::Owner {
  std::mutex mutex;  // against ~ThreadStates while a thread ends
  AtThreadExit at_thread_exit;
};

// All of one thread's states. Usually there is exactly one client, which the cache answers.
struct ThreadEntries {
  struct Entry {
    std::weak_ptr<ThreadStates::Owner> owner;
    const void* key = nullptr;
    std::unique_ptr<ThreadState> state;
  };
  const void* last_key = nullptr;
  ThreadState* last_state = nullptr;
  std::vector<Entry> entries;

  ~ThreadEntries() {
    for (Entry& entry : entries) {
      if (auto owner = entry.owner.lock()) {
        std::lock_guard lock(owner->mutex);
        if (owner->at_thread_exit) owner->at_thread_exit(*entry.state);
      }
    }
  }

  ThreadState& find_or_make(const std::shared_ptr<ThreadStates::Owner>& owner) {
    std::erase_if(entries, [](const Entry& entry) { return entry.owner.expired(); });
    for (Entry& entry : entries) {
      if (entry.key == owner.get()) return remember(entry);
    }
    entries.push_back(Entry{owner, owner.get(), std::make_unique<ThreadState>()});
    return remember(entries.back());
  }

 private:
  ThreadState& remember(Entry& entry) {
    last_key = entry.key;
    last_state = entry.state.get();
    return *entry.state;
  }
};

ThreadStates::ThreadStates(AtThreadExit at_thread_exit) : owner_(std::make_shared<Owner>()) {
  owner_->at_thread_exit = std::move(at_thread_exit);
}

ThreadStates::~ThreadStates() {
  std::lock_guard lock(owner_->mutex);
  owner_->at_thread_exit = nullptr;
}

ThreadState& ThreadStates::mine() {
  ThreadEntries& entries = per_thread<ThreadEntries>();
  if (entries.last_key == owner_.get()) return *entries.last_state;
  return entries.find_or_make(owner_);
}

}  // namespace outboard::client
