// How operations get into streams: legacy null-stream order, captures, waits.
#include <algorithm>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/environment.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/shared_state.h"

namespace outboard::softgpu {

// What a piece of work in `stream` has to wait for because of the null stream. Points always lie
// before the work that waits for them, so no cycle can arise.
std::vector<Point> Context::legacy_order(const Stream& stream) {
  std::vector<Point> points;
  if (const auto null_stream = null_stream_of(stream); &stream != null_stream.get()) {
    if (stream.blocking() && null_stream != nullptr && !null_stream->idle())
      points.push_back(null_stream->tail());
    return points;
  }
  std::shared_lock lock(mutex_);
  const auto add = [&](const std::shared_ptr<Stream>& other) {
    if (other->blocking() && other->green() == stream.green() && !other->idle())
      points.push_back(other->tail());
  };
  for (const auto& other : streams_) add(other);
  for (const auto& [id, other] : thread_streams_) add(other);
  return points;
}

CUresult Context::check_implicit_capture(const Stream& stream) {
  if (!platform_.captures().any() || !is_null_stream(stream)) return CUDA_SUCCESS;
  CUresult result = CUDA_SUCCESS;
  for (const auto& other : all_streams()) {
    if (!other->blocking() || other->green() != stream.green()) continue;
    if (const auto capture = other->capture()) {
      capture->invalidate();
      result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
  }
  return result;
}

Point Context::enqueue(const std::shared_ptr<Stream>& stream, std::unique_ptr<Work> work,
                       std::vector<Point> after) {
  std::vector<Point> order = legacy_order(*stream);
  if (after.empty()) {
    after = std::move(order);
  } else {
    std::move(order.begin(), order.end(), std::back_inserter(after));
  }
  return stream->enqueue(std::move(work), std::move(after));
}

namespace {

// An operation in a stream. Keeps the context: its streams may outlive what the application knows.
class OperationWork final : public Work {
 public:
  OperationWork(std::shared_ptr<Context> context, std::shared_ptr<GreenContext> green, Operation operation)
      : context_(std::move(context)), green_(std::move(green)), operation_(std::move(operation)) {}

  CUresult run(std::string& message) override {
    const CUresult result = execute(operation_, *context_, green_.get(), message);
    if (result != CUDA_SUCCESS && !message.empty() && !context_->errors().failed()) note(message);
    return result;
  }

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<GreenContext> green_;
  Operation operation_;
};

}  // namespace

CUresult Context::submit(const std::shared_ptr<Stream>& stream, Operation operation) {
  if (const CUresult result = check_implicit_capture(*stream); result != CUDA_SUCCESS) return result;
  if (stream->capturing()) {
    if (const auto capture = stream->capture()) return capture->add(*stream, std::move(operation));
  }
  if (auto* record = std::get_if<EventRecordOperation>(&operation))
    return record_event(record->event, stream);
  if (auto* wait = std::get_if<EventWaitOperation>(&operation)) return wait_event(stream, wait->event);
  enqueue(stream, std::make_unique<OperationWork>(shared_from_this(), stream->green(), std::move(operation)));
  return CUDA_SUCCESS;
}

CUresult Context::submit_and_wait(const std::shared_ptr<Stream>& stream, Operation operation) {
  if (stream->capturing()) {
    if (const auto capture = stream->capture()) {
      capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
  }
  if (const CUresult result = check_implicit_capture(*stream); result != CUDA_SUCCESS) return result;
  if (errors_->failed()) return errors_->code();
  const std::vector<Point> order = legacy_order(*stream);
  if (order.empty() && stream->idle()) {
    // Nothing to be ordered with: this thread does it, without two changes of threads.
    std::string message;
    const CUresult result = execute(operation, *this, stream->green().get(), message);
    return result == CUDA_SUCCESS ? CUDA_SUCCESS : fail(result, message);
  }
  enqueue(stream, std::make_unique<OperationWork>(shared_from_this(), stream->green(), std::move(operation)))
      .wait();
  environment_->flush_prints();
  return errors_->code();
}

CUresult Context::record_event(const std::shared_ptr<Event>& event, const std::shared_ptr<Stream>& stream) {
  if (const auto capture = stream->capture()) {
    event->set_captured({capture, capture->position(*stream)});
    return capture->invalidated() ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
  }
  if (const CUresult result = check_implicit_capture(*stream); result != CUDA_SUCCESS) return result;
  EventRecord record;
  record.time_ns = std::make_shared<std::atomic<uint64_t>>(0);
  std::shared_ptr<SharedRecording> recording;
  if (event->shared() != nullptr) {
    recording = std::make_shared<SharedRecording>(event->shared());
    record.number = recording->number();
  }
  // The recording ends with the work.
  record.point = enqueue(stream, make_work(
                                     [time = record.time_ns, kept = std::move(recording)](std::string&) {
                                       time->store(monotonic_ns());
                                       return CUDA_SUCCESS;
                                     },
                                     true));
  event->set_record(std::move(record));
  return CUDA_SUCCESS;
}

void Context::wait_record(const std::shared_ptr<Stream>& stream, const EventRecord& record) {
  if (record.foreign == nullptr) {
    enqueue(stream, make_work([](std::string&) { return CUDA_SUCCESS; }, true), {record.point});
    return;
  }
  // No stream of this process will wake this one.
  enqueue(stream, make_work(
                      [record](std::string&) {
                        record.wait();
                        return CUDA_SUCCESS;
                      },
                      true));
}

CUresult Context::wait_event(const std::shared_ptr<Stream>& stream, const std::shared_ptr<Event>& event) {
  const CapturedEvent captured = event->captured();
  if (captured.capture != nullptr) {
    const auto own = stream->capture();
    if (own != nullptr && own != captured.capture) {
      own->invalidate();
      captured.capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    captured.capture->join(stream, captured.nodes);
    return CUDA_SUCCESS;
  }
  if (const auto own = stream->capture()) {
    // An event from outside cannot be waited for inside.
    own->invalidate();
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  }
  if (const CUresult result = check_implicit_capture(*stream); result != CUDA_SUCCESS) return result;
  const EventRecord record = event->record();
  if (!record.reached()) wait_record(stream, record);
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
