#include "server/softgpu/device/stream.h"

#include <immintrin.h>

#include <exception>

#include "server/softgpu/device/executor.h"

namespace outboard::softgpu {
namespace {

// A short kernel ends within this many looks (about 20 us); sleeping and waking costs as much.
constexpr int kSpins = 600;

}  // namespace

bool Point::reached() const { return stream == nullptr || stream->completed(sequence); }

void Point::wait() const {
  if (stream != nullptr) stream->wait(sequence);
}

Stream::Stream(Executor& executor, std::shared_ptr<ErrorState> errors, std::weak_ptr<Context> context,
               unsigned flags, int priority, uint64_t id, std::shared_ptr<GreenContext> green)
    : executor_(executor),
      errors_(std::move(errors)),
      context_(std::move(context)),
      flags_(flags),
      priority_(priority),
      id_(id),
      green_(std::move(green)) {}

Point Stream::enqueue(std::unique_ptr<Work> work, std::vector<Point> after) {
  std::unique_lock lock(mutex_);
  entries_.push_back({std::move(work), std::move(after)});
  const uint64_t sequence = queued_.load(std::memory_order_relaxed) + 1;
  queued_.store(sequence, std::memory_order_release);
  const bool post = !scheduled_;
  scheduled_ = true;
  lock.unlock();
  auto self = shared_from_this();
  if (post) executor_.post(self);
  return {std::move(self), sequence};
}

Point Stream::tail() { return {shared_from_this(), queued_.load(std::memory_order_acquire)}; }

void Stream::wait(uint64_t sequence) {
  for (int i = 0; i < kSpins; ++i) {
    if (completed(sequence)) return;
    _mm_pause();
  }
  std::unique_lock lock(mutex_);
  ++sleepers_;
  done_.wait(lock, [&] { return completed(sequence); });
  --sleepers_;
}

bool Stream::add_waiter(uint64_t sequence, const std::shared_ptr<Stream>& waiter) {
  std::lock_guard lock(mutex_);
  if (completed(sequence)) return false;
  waiters_.push_back({sequence, waiter});
  return true;
}

// Only the draining worker looks at the front entry, so its list needs no lock.
bool Stream::park_on_dependency(Entry& entry) {
  while (!entry.after.empty()) {
    const Point point = entry.after.back();
    entry.after.pop_back();
    // A point of this very stream lies before this entry.
    if (point.stream == nullptr || point.stream.get() == this || point.reached()) continue;
    if (point.stream->add_waiter(point.sequence, shared_from_this())) return true;
  }
  return false;
}

void Stream::finish_one() {
  std::vector<std::shared_ptr<Stream>> wake;
  {
    std::lock_guard lock(mutex_);
    const uint64_t sequence = completed_.load(std::memory_order_relaxed) + 1;
    completed_.store(sequence, std::memory_order_release);
    for (size_t i = 0; i < waiters_.size();) {
      if (waiters_[i].sequence > sequence) {
        ++i;
        continue;
      }
      wake.push_back(std::move(waiters_[i].stream));
      waiters_[i] = std::move(waiters_.back());
      waiters_.pop_back();
    }
    if (sleepers_ != 0) done_.notify_all();
  }
  for (auto& stream : wake) executor_.post(std::move(stream));
}

void Stream::drain() {
  for (;;) {
    Entry* front = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (entries_.empty()) {
        scheduled_ = false;
        return;
      }
      front = &entries_.front();  // a deque keeps references valid while others push behind
    }
    if (park_on_dependency(*front)) return;  // still scheduled_: the other stream posts it
    std::unique_ptr<Work> work = std::move(front->work);
    {
      std::lock_guard lock(mutex_);
      entries_.pop_front();
    }
    if (!errors_->failed() || work->runs_after_failure()) {
      std::string message;
      CUresult result = CUDA_SUCCESS;
      try {
        result = work->run(message);
      } catch (const std::exception& e) {
        result = CUDA_ERROR_LAUNCH_FAILED;
        message = std::string("The software device failed internally: ") + e.what() + ".";
      }
      if (result != CUDA_SUCCESS) errors_->fail(result, message);
    }
    work.reset();
    finish_one();
  }
}

std::shared_ptr<Capture> Stream::capture() const {
  if (!capturing()) return nullptr;
  std::lock_guard lock(mutex_);
  return capture_;
}

void Stream::set_capture(std::shared_ptr<Capture> capture) {
  std::lock_guard lock(mutex_);
  capturing_.store(capture != nullptr, std::memory_order_release);
  capture_ = std::move(capture);
}

}  // namespace outboard::softgpu
