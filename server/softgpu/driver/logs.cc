// The driver's log.
#include <cstdio>
#include <cstring>

#include "server/softgpu/device/log_buffer.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

std::optional<uint32_t> begin_of(const CUlogIterator* iterator) {
  return iterator == nullptr ? std::nullopt : std::optional<uint32_t>(*iterator);
}

}  // namespace

extern "C" {

CUresult cuLogsCurrent(CUlogIterator* iterator, unsigned int flags) {
  return guarded([&]() -> CUresult {
    if (iterator == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    *iterator = LogBuffer::instance().end();
    return CUDA_SUCCESS;
  });
}

CUresult cuLogsDumpToMemory(CUlogIterator* iterator, char* buffer, size_t* size, unsigned int flags) {
  return guarded([&]() -> CUresult {
    if (buffer == nullptr || size == nullptr || *size == 0 || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    LogBuffer& log = LogBuffer::instance();
    const uint32_t end = log.end();
    const auto text = log.read(begin_of(iterator), *size - 1);
    *size = 0;
    if (!text) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(buffer, text->c_str(), text->size() + 1);
    *size = text->size();
    if (iterator != nullptr) *iterator = end;
    return CUDA_SUCCESS;
  });
}

CUresult cuLogsDumpToFile(CUlogIterator* iterator, const char* path, unsigned int flags) {
  return guarded([&]() -> CUresult {
    if (path == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    std::FILE* file = std::fopen(path, "w");
    if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
    LogBuffer& log = LogBuffer::instance();
    const uint32_t end = log.end();
    const std::string text = log.read(begin_of(iterator), SIZE_MAX).value_or("");
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) return CUDA_ERROR_OPERATING_SYSTEM;
    if (iterator != nullptr) *iterator = end;
    return CUDA_SUCCESS;
  });
}

CUresult cuLogsRegisterCallback(CUlogsCallback function, void* data, CUlogsCallbackHandle* handle) {
  return guarded([&]() -> CUresult {
    if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t listener = LogBuffer::instance().add_listener(function, data);
    if (handle != nullptr) *handle = reinterpret_cast<CUlogsCallbackHandle>(static_cast<uintptr_t>(listener));
    return CUDA_SUCCESS;
  });
}

CUresult cuLogsUnregisterCallback(CUlogsCallbackHandle handle) {
  return guarded([&]() -> CUresult {
    const bool removed = LogBuffer::instance().remove_listener(reinterpret_cast<uintptr_t>(handle));
    return removed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

}  // extern "C"
