#include "server/worker/jit_options.h"

#include <algorithm>

namespace outboard::server {
namespace {

void* as_value(uint64_t number) { return reinterpret_cast<void*>(static_cast<uintptr_t>(number)); }

}  // namespace

JitOptions::JitOptions(size_t info_log_bytes, size_t error_log_bytes) {
  info_size_index_ =
      add_log(info_, info_log_bytes, CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
  error_size_index_ = add_log(error_, std::max(error_log_bytes, kLeastErrorLogBytes), CU_JIT_ERROR_LOG_BUFFER,
                              CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
}

size_t JitOptions::add_log(std::vector<char>& buffer, size_t bytes, CUjit_option pointer, CUjit_option size) {
  if (bytes == 0) return 0;
  buffer.resize(std::min(bytes, kMaxLogBytes));
  options_.push_back(pointer);
  values_.push_back(buffer.data());
  options_.push_back(size);
  values_.push_back(as_value(buffer.size()));
  return values_.size() - 1;
}

bool JitOptions::is_number(uint32_t option) {
  switch (option) {
    case CU_JIT_MAX_REGISTERS:
    case CU_JIT_THREADS_PER_BLOCK:
    case CU_JIT_WALL_TIME:
    case CU_JIT_OPTIMIZATION_LEVEL:
    case CU_JIT_TARGET_FROM_CUCONTEXT:
    case CU_JIT_TARGET:
    case CU_JIT_FALLBACK_STRATEGY:
    case CU_JIT_GENERATE_DEBUG_INFO:
    case CU_JIT_LOG_VERBOSE:
    case CU_JIT_GENERATE_LINE_INFO:
    case CU_JIT_CACHE_MODE:
    case CU_JIT_NEW_SM3X_OPT:
    case CU_JIT_FAST_COMPILE:
    case CU_JIT_LTO:
    case CU_JIT_FTZ:
    case CU_JIT_PREC_DIV:
    case CU_JIT_PREC_SQRT:
    case CU_JIT_FMA:
    case CU_JIT_OPTIMIZE_UNUSED_DEVICE_VARIABLES:
    case CU_JIT_POSITION_INDEPENDENT_CODE:
    case CU_JIT_MIN_CTA_PER_SM:
    case CU_JIT_MAX_THREADS_PER_BLOCK:
    case CU_JIT_OVERRIDE_DIRECTIVE_VALUES:
    case CU_JIT_SPLIT_COMPILE: return true;
    default: return false;
  }
}

bool JitOptions::add(uint32_t option, uint64_t value) {
  if (!is_number(option)) return false;
  options_.push_back(static_cast<CUjit_option>(option));
  values_.push_back(as_value(value));
  return true;
}

uint64_t JitOptions::value(uint32_t option) const {
  for (size_t i = 0; i < options_.size(); ++i) {
    if (static_cast<uint32_t>(options_[i]) == option) return reinterpret_cast<uintptr_t>(values_[i]);
  }
  return 0;
}

// The driver writes back how many bytes it used; not every driver counts the terminating zero.
std::string JitOptions::log(const std::vector<char>& buffer, size_t size_index) const {
  if (buffer.empty()) return {};
  const size_t written = std::min<size_t>(reinterpret_cast<uintptr_t>(values_[size_index]), buffer.size());
  const auto end = std::find(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(written), '\0');
  return std::string(buffer.begin(), end);
}

}  // namespace outboard::server
