#include "server/softgpu/device/context.h"

#include <algorithm>

#include "server/softgpu/device/array.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/environment.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/device/green_context.h"
#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/texture.h"

namespace outboard::softgpu {

Context::Context(Platform& platform, Device& device, unsigned flags, bool primary)
    : platform_(platform),
      device_(device),
      primary_(primary),
      id_(platform.next_id()),
      flags_(flags),
      errors_(std::make_shared<ErrorState>()),
      environment_(std::make_unique<KernelEnvironment>(*this)) {}

Context::~Context() = default;

std::shared_ptr<Context> Context::create(Platform& platform, Device& device, unsigned flags, bool primary) {
  std::shared_ptr<Context> context(new Context(platform, device, flags, primary));
  context->null_stream_ = std::make_shared<Stream>(platform.executor(), context->errors_,
                                                   context->weak_from_this(), 0u, 0, platform.next_id());
  platform.handles().add(context);
  return context;
}

void Context::open() {
  errors_->clear();
  std::unique_lock lock(mutex_);
  limits_ = {{CU_LIMIT_STACK_SIZE, 1024},
             {CU_LIMIT_PRINTF_FIFO_SIZE, kDefaultPrintfBytes},
             {CU_LIMIT_MALLOC_HEAP_SIZE, kDefaultHeapBytes},
             {CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH, 2},
             {CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT, 2048},
             {CU_LIMIT_MAX_L2_FETCH_GRANULARITY, 128},
             {CU_LIMIT_PERSISTING_L2_CACHE_SIZE, 0},
             {CU_LIMIT_SHMEM_SIZE, kSharedBytesPerBlockOptIn},
             {CU_LIMIT_CIG_ENABLED, 0},
             {CU_LIMIT_CIG_SHMEM_FALLBACK_ENABLED, 0}};
  active_.store(true, std::memory_order_release);
}

void Context::close() {
  if (!active_.exchange(false)) return;
  for (const Point& point : all_tails()) point.wait();
  environment_->flush_prints();
  std::vector<std::shared_ptr<Module>> modules;
  std::vector<std::shared_ptr<Stream>> streams;
  std::vector<std::shared_ptr<GreenContext>> greens;
  {
    std::unique_lock lock(mutex_);
    greens.swap(greens_);
    modules.swap(modules_);
    streams.swap(streams_);
    thread_streams_.clear();
    peers_.store(0);
  }
  for (const auto& green : greens) green->detach();
  for (const auto& library : platform_.handles().all<Library>()) library->forget_context(*this);
  for (const auto& module : modules) {
    module->unload();
    platform_.handles().remove<Module>(module->handle());
  }
  for (const auto& stream : streams) platform_.handles().remove<Stream>(stream->handle());
  for (const auto& event : platform_.handles().all<Event>()) {
    if (event->context() == handle()) platform_.handles().remove<Event>(event->handle());
  }
  remove_arrays();
  free_memory();
  platform_.imported_memory().close_all(handle());
  environment_->reset();
  errors_->clear();
  if (platform_.on_context_closed) platform_.on_context_closed(*this);
}

void Context::remove_arrays() {
  HandleTable& handles = platform_.handles();
  for (const auto& texture : handles.all<TextureObject>()) {
    if (texture->context == handle()) handles.remove<TextureObject>(texture->handle());
  }
  for (const auto& surface : handles.all<SurfaceObject>()) {
    if (surface->context == handle()) handles.remove<SurfaceObject>(surface->handle());
  }
  for (const auto& mipmap : handles.all<MipmappedArray>()) {
    if (mipmap->levels.front()->context() == handle()) handles.remove<MipmappedArray>(mipmap->handle());
  }
  for (const auto& array : handles.all<Array>()) {
    if (array->context() == handle()) handles.remove<Array>(array->handle());
  }
}

void Context::free_memory() {
  const uint64_t own = handle();
  for (const Allocation& gone : platform_.memory().remove_if([own](const Allocation& a) {
         const bool other_owner = a.is_host() || a.kind == MemoryKind::kVirtual ||
                                  a.kind == MemoryKind::kPool || a.kind == MemoryKind::kArray ||
                                  a.kind == MemoryKind::kImported;
         return a.context == own && !other_owner;
       })) {
    platform_.device(gone.device)->release(gone);
  }
}

std::shared_ptr<Stream> Context::stream(CUstream handle) {
  if (handle == nullptr || handle == CU_STREAM_LEGACY) return null_stream_;
  if (handle != CU_STREAM_PER_THREAD)
    return platform_.handles().find<Stream>(reinterpret_cast<uint64_t>(handle));
  const std::thread::id self = std::this_thread::get_id();
  {
    std::shared_lock lock(mutex_);
    const auto it = thread_streams_.find(self);
    if (it != thread_streams_.end()) return it->second;
  }
  // A thread that gets the id of one that ended continues its stream, which is in order.
  auto made =
      std::make_shared<Stream>(platform_.executor(), errors_, weak_from_this(), 0u, 0, platform_.next_id());
  std::unique_lock lock(mutex_);
  return thread_streams_.emplace(self, std::move(made)).first->second;
}

std::shared_ptr<Stream> Context::make_stream(unsigned flags, int priority,
                                             std::shared_ptr<GreenContext> green) {
  return std::make_shared<Stream>(platform_.executor(), errors_, weak_from_this(), flags, priority,
                                  platform_.next_id(), std::move(green));
}

std::shared_ptr<Stream> Context::create_stream(unsigned flags, int priority,
                                               std::shared_ptr<GreenContext> green) {
  auto made = make_stream(flags, priority, std::move(green));
  platform_.handles().add(made);
  std::unique_lock lock(mutex_);
  streams_.push_back(made);
  return made;
}

void Context::forget_stream(const std::shared_ptr<Stream>& stream) {
  std::unique_lock lock(mutex_);
  streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
  if (stream->idle()) return;
  // Work that is still queued has to be waited for when the context is synchronised.
  lock.unlock();
  enqueue(null_stream_, make_work([](std::string&) { return CUDA_SUCCESS; }, true), {stream->tail()});
}

std::vector<std::shared_ptr<Stream>> Context::all_streams() {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<Stream>> all = streams_;
  for (const auto& [id, stream] : thread_streams_) all.push_back(stream);
  for (const auto& green : greens_) {
    if (auto stream = green->null_stream()) all.push_back(std::move(stream));
  }
  all.push_back(null_stream_);
  return all;
}

std::vector<Point> Context::all_tails() {
  std::vector<Point> tails;
  for (const auto& stream : all_streams()) {
    if (!stream->idle()) tails.push_back(stream->tail());
  }
  return tails;
}

CUresult Context::synchronize() {
  for (const Point& point : all_tails()) point.wait();
  return waited();
}

CUresult Context::waited() {
  environment_->flush_prints();
  platform_.trim_pools();
  return errors_->code();
}

CUresult Context::synchronize(const std::shared_ptr<Stream>& stream) {
  // The null stream stands for everything that is ordered with it.
  if (is_null_stream(*stream)) {
    for (const Point& point : legacy_order(*stream)) point.wait();
  }
  stream->tail().wait();
  return waited();
}

CUresult Context::fail(CUresult code, const std::string& message) {
  if (errors_->fail(code, message)) note(message);
  return code;
}

// Each green context has one of its own, and null is what a detached one has.
std::shared_ptr<Stream> Context::null_stream_of(const Stream& stream) const {
  return stream.green() == nullptr ? null_stream_ : stream.green()->null_stream();
}

bool Context::is_null_stream(const Stream& stream) const { return null_stream_of(stream).get() == &stream; }

void Context::add_green(std::shared_ptr<GreenContext> green) {
  std::unique_lock lock(mutex_);
  greens_.push_back(std::move(green));
}

void Context::remove_green(const std::shared_ptr<GreenContext>& green) {
  for (const Point& point : tails_of(*green)) point.wait();
  {
    std::unique_lock lock(mutex_);
    std::erase(greens_, green);
  }
  green->detach();
}

std::vector<Point> Context::tails_of(const GreenContext& green) {
  std::vector<Point> tails;
  for (const auto& stream : all_streams()) {
    if (stream->green().get() == &green && !stream->idle()) tails.push_back(stream->tail());
  }
  return tails;
}

void Context::add_module(std::shared_ptr<Module> module) {
  std::unique_lock lock(mutex_);
  modules_.push_back(std::move(module));
}

std::shared_ptr<Module> Context::remove_module(const Module* module) {
  std::unique_lock lock(mutex_);
  const auto it =
      std::find_if(modules_.begin(), modules_.end(), [&](const auto& m) { return m.get() == module; });
  if (it == modules_.end()) return nullptr;
  std::shared_ptr<Module> found = *it;
  modules_.erase(it);
  return found;
}

CUresult Context::get_limit(CUlimit limit, size_t* value) const {
  std::shared_lock lock(mutex_);
  const auto it = limits_.find(limit);
  if (it == limits_.end()) return CUDA_ERROR_UNSUPPORTED_LIMIT;
  *value = it->second;
  return CUDA_SUCCESS;
}

CUresult Context::set_limit(CUlimit limit, size_t value) {
  std::unique_lock lock(mutex_);
  const auto it = limits_.find(limit);
  // From here on they describe the context and cannot be changed.
  if (it == limits_.end() || limit >= CU_LIMIT_SHMEM_SIZE) return CUDA_ERROR_UNSUPPORTED_LIMIT;
  it->second = value;
  return CUDA_SUCCESS;
}

void Context::set_peer(int device, bool enabled) {
  if (enabled) {
    peers_.fetch_or(1u << device);
  } else {
    peers_.fetch_and(~(1u << device));
  }
}

}  // namespace outboard::softgpu
