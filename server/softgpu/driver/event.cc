// Events.
#include "server/softgpu/device/environment.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_event(CUevent handle, F&& function) noexcept {
  return with_context([&](Context& context) -> CUresult {
    const auto event = find<Event>(context.platform(), handle);
    return event == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(context, event);
  });
}

// The context and the event of a call about all of a context's work.
template <typename F>
CUresult with_context_and_event(CUcontext context_handle, CUevent event_handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto context = find<Context>(platform, context_handle);
    if (context == nullptr || !context->active()) return CUDA_ERROR_INVALID_CONTEXT;
    const auto event = find<Event>(platform, event_handle);
    if (event == nullptr || event->context() != context->handle()) return CUDA_ERROR_INVALID_HANDLE;
    return context->errors().failed() ? context->errors().code() : function(*context, event);
  });
}

}  // namespace

extern "C" {

CUresult cuEventCreate(CUevent* handle, unsigned int flags) {
  return with_context([&](Context& context) -> CUresult {
    constexpr unsigned kKnown = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
    if (handle == nullptr || (flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<SharedEvent> shared;
    if ((flags & CU_EVENT_INTERPROCESS) != 0) {
      if ((flags & CU_EVENT_DISABLE_TIMING) == 0) return CUDA_ERROR_INVALID_VALUE;
      shared = context.platform().shared_events().create();
      if (shared == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    }
    auto event = std::make_shared<Event>(flags, context.handle(), std::move(shared));
    *handle = reinterpret_cast<CUevent>(context.platform().handles().add(std::move(event)));
    return CUDA_SUCCESS;
  });
}

CUresult cuEventDestroy_v2(CUevent handle) {
  return with_platform([&](Platform& platform) {
    const auto event = platform.handles().remove<Event>(reinterpret_cast<uint64_t>(handle));
    return event == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
  });
}
CUresult cuEventDestroy(CUevent handle) { return cuEventDestroy_v2(handle); }

CUresult cuEventRecordWithFlags(CUevent handle, CUstream stream_handle, unsigned int flags) {
  return with_stream(stream_handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    const auto event = find<Event>(context.platform(), handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if ((flags & ~static_cast<unsigned>(CU_EVENT_RECORD_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (flags == CU_EVENT_RECORD_EXTERNAL && stream->capturing())
      return context.submit(stream, EventRecordOperation{event});
    return context.record_event(event, stream);
  });
}
CUresult cuEventRecord(CUevent handle, CUstream stream) { return cuEventRecordWithFlags(handle, stream, 0); }

// The null stream waits for the others, and then reaches the event.
CUresult cuCtxRecordEvent(CUcontext context_handle, CUevent handle) {
  return with_context_and_event(
      context_handle, handle, [](Context& context, const std::shared_ptr<Event>& event) {
        const auto& stream = context.null_stream();
        context.enqueue(stream, make_work([](std::string&) { return CUDA_SUCCESS; }, true),
                        context.all_tails());
        return context.record_event(event, stream);
      });
}

// Blocking streams wait for the null stream; the others are told one by one. One that is made later
// and blocks for nobody does not wait.
CUresult cuCtxWaitEvent(CUcontext context_handle, CUevent handle) {
  return with_context_and_event(context_handle, handle,
                                [](Context& context, const std::shared_ptr<Event>& event) -> CUresult {
                                  CUresult result = context.wait_event(context.null_stream(), event);
                                  for (const auto& stream : context.platform().handles().all<Stream>()) {
                                    if (result != CUDA_SUCCESS) return result;
                                    if (!stream->blocking() && stream->context().get() == &context)
                                      result = context.wait_event(stream, event);
                                  }
                                  return result;
                                });
}

CUresult cuEventQuery(CUevent handle) {
  return with_event(handle, [](Context& context, const std::shared_ptr<Event>& event) -> CUresult {
    if (const CUresult forbidden = check_captures(context); forbidden != CUDA_SUCCESS) return forbidden;
    if (event->captured().capture != nullptr) return CUDA_ERROR_CAPTURED_EVENT;
    if (!event->record().reached()) return CUDA_ERROR_NOT_READY;
    return context.errors().code();
  });
}

CUresult cuEventSynchronize(CUevent handle) {
  return with_event(handle, [](Context& context, const std::shared_ptr<Event>& event) -> CUresult {
    if (const CUresult forbidden = check_captures(context); forbidden != CUDA_SUCCESS) return forbidden;
    if (event->captured().capture != nullptr) return CUDA_ERROR_CAPTURED_EVENT;
    event->record().wait();
    return context.waited();
  });
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start_handle, CUevent end_handle) {
  return with_event(start_handle, [&](Context& context, const std::shared_ptr<Event>& start) -> CUresult {
    const auto end = find<Event>(context.platform(), end_handle);
    if (end == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const EventRecord first = start->record();
    const EventRecord last = end->record();
    if (!start->timed() || !end->timed() || first.time_ns == nullptr || last.time_ns == nullptr)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!first.point.reached() || !last.point.reached()) return CUDA_ERROR_NOT_READY;
    const auto difference_ns = static_cast<int64_t>(last.time_ns->load() - first.time_ns->load());
    *milliseconds = static_cast<float>(static_cast<double>(difference_ns) / 1e6);
    return CUDA_SUCCESS;
  });
}
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  return cuEventElapsedTime_v2(milliseconds, start, end);
}

}  // extern "C"
