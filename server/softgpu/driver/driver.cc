#include "server/softgpu/driver/driver.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>

#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/table_host.h"

namespace outboard::softgpu {
namespace {

// A plain pointer: see ThreadState. The key's destructor frees it when a thread ends.
thread_local ThreadState* t_state = nullptr;
pthread_key_t g_state_key;
pthread_once_t g_state_once = PTHREAD_ONCE_INIT;

void free_state(void* state) {
  t_state = nullptr;
  delete static_cast<ThreadState*>(state);
}

void make_state_key() { pthread_key_create(&g_state_key, free_state); }

std::atomic<int>* g_status_for_fork = nullptr;

// In the child there are no worker threads and no device memory, so nothing can work any more.
void after_fork_in_child() {
  int initialised = CUDA_SUCCESS;
  g_status_for_fork->compare_exchange_strong(initialised, CUDA_ERROR_NOT_INITIALIZED);
}

}  // namespace

ThreadState* existing_thread_state() noexcept { return t_state; }

ThreadState& thread_state() {
  if (t_state == nullptr) {
    pthread_once(&g_state_once, make_state_key);
    t_state = new ThreadState();
    pthread_setspecific(g_state_key, t_state);
  }
  return *t_state;
}

Driver& Driver::instance() {
  static Driver* const driver = new Driver();
  return *driver;
}

Driver::Driver() : host_(new TableHost(*this)), tables_(new abi::ExportTables(*host_)) { tables_->install(); }

CUresult Driver::initialize(unsigned flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (HostCall::active()) return CUDA_ERROR_NOT_PERMITTED;
  std::lock_guard lock(mutex_);
  if (status() == CUDA_SUCCESS) return CUDA_SUCCESS;
  if (platform_ != nullptr) return CUDA_ERROR_NOT_INITIALIZED;  // forked after initialisation
  if (failure_ != CUDA_SUCCESS) return failure_;
  auto config = read_config([](const char* name) -> const char* { return std::getenv(name); });
  if (!config) {
    note(config.error().message);
    return failure_ = CUDA_ERROR_INVALID_VALUE;
  }
  if (config->visible.empty()) return CUDA_ERROR_NO_DEVICE;
  auto platform = Platform::create(*config);
  if (!platform) {
    note(platform.error().message);
    return failure_ = CUDA_ERROR_OPERATING_SYSTEM;
  }
  platform_ = platform->release();
  platform_->on_context_closed = [this](Context& context) {
    tables_->storage().drop_context(reinterpret_cast<const void*>(context.handle()));
  };
  g_status_for_fork = &status_;
  pthread_atfork(nullptr, nullptr, after_fork_in_child);
  status_.store(CUDA_SUCCESS, std::memory_order_release);
  return CUDA_SUCCESS;
}

void* Driver::find_symbol(std::string_view symbol) {
  // This very library, whatever others the process has loaded under similar names.
  static void* const self = [] {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&cuInit), &info) == 0) return static_cast<void*>(nullptr);
    return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }();
  return self == nullptr ? nullptr : dlsym(self, std::string(symbol).c_str());
}

CUresult current_context(Context** context) {
  if (const CUresult status = Driver::instance().status(); status != CUDA_SUCCESS) return status;
  const ThreadState* state = existing_thread_state();
  Context* current = state == nullptr ? nullptr : state->current();
  if (current == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  const auto& green = state->stack.back().green;
  if (!current->active() || (green != nullptr && !green->attached())) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  *context = current;
  return CUDA_SUCCESS;
}

CurrentContext find_context(Platform& platform, CUcontext handle) {
  const auto value = reinterpret_cast<uint64_t>(handle);
  if (const auto view = platform.handles().find<ContextView>(value)) {
    const auto green = view->green.lock();
    return green == nullptr ? CurrentContext{} : CurrentContext{green->primary(), green};
  }
  return {platform.handles().find<Context>(value), nullptr};
}

std::shared_ptr<Stream> find_stream(Context& current, CUstream handle) {
  const bool special = handle == nullptr || handle == CU_STREAM_LEGACY || handle == CU_STREAM_PER_THREAD;
  const auto green =
      special && existing_thread_state() != nullptr ? existing_thread_state()->green() : nullptr;
  if (green == nullptr) return current.stream(handle);
  // Threads have no streams of their own in a part of a device.
  return handle == CU_STREAM_PER_THREAD ? nullptr : green->null_stream();
}

void wait_for_work(Platform& platform) {
  for (const auto& context : platform.handles().all<Context>()) {
    for (const Point& point : context->all_tails()) point.wait();
  }
}

void copy_text(std::string_view text, char* to, size_t to_bytes) {
  if (to_bytes == 0) return;
  const size_t length = std::min(text.size(), to_bytes - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

}  // namespace outboard::softgpu
