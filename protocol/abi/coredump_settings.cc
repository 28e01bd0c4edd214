#include "protocol/abi/coredump_settings.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace outboard::abi {
namespace {

constexpr size_t kTextBytes = 1024;  // CUDA: up to 1023 characters

// 0 for a setting that does not exist.
size_t size_of(CUcoredumpSettings setting) {
  switch (setting) {
    case CU_COREDUMP_ENABLE_ON_EXCEPTION:
    case CU_COREDUMP_TRIGGER_HOST:
    case CU_COREDUMP_LIGHTWEIGHT:
    case CU_COREDUMP_ENABLE_USER_TRIGGER: return sizeof(bool);
    case CU_COREDUMP_FILE:
    case CU_COREDUMP_PIPE: return kTextBytes;
    case CU_COREDUMP_GENERATION_FLAGS: return sizeof(uint32_t);
    default: return 0;
  }
}

// CUDA's default names carry host and process.
std::string default_name(const char* prefix) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  return std::string(prefix) + ".cuda." + host + "." + std::to_string(getpid());
}

void set_bits(uint32_t& flags, uint32_t bits, bool on) { flags = on ? flags | bits : flags & ~bits; }

}  // namespace

const CoredumpSettings::Values& CoredumpSettings::values(uint64_t scope) const {
  static const Values kNone;
  const auto found = values_.find(scope);
  return found == values_.end() ? kNone : found->second;
}

uint32_t CoredumpSettings::flags(uint64_t scope) const {
  return values(scope).flags.value_or(values(kGlobal).flags.value_or(CU_COREDUMP_DEFAULT_FLAGS));
}

std::string CoredumpSettings::text(uint64_t scope, CUcoredumpSettings setting) const {
  const auto member = setting == CU_COREDUMP_FILE ? &Values::file : &Values::pipe;
  if (const auto& own = values(scope).*member) return *own;
  if (const auto& of_process = values(kGlobal).*member) return *of_process;
  return default_name(setting == CU_COREDUMP_FILE ? "core" : "corepipe");
}

CUresult CoredumpSettings::get(uint64_t scope, CUcoredumpSettings setting, void* value, size_t* size) const {
  const size_t needed = size_of(setting);
  if (size == nullptr || needed == 0) return CUDA_ERROR_INVALID_VALUE;
  if (value == nullptr) {
    *size = needed;
    return CUDA_SUCCESS;
  }
  std::lock_guard lock(mutex_);
  if (setting == CU_COREDUMP_FILE || setting == CU_COREDUMP_PIPE) {
    const std::string name = text(scope, setting);
    if (*size <= name.size()) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(value, name.c_str(), name.size() + 1);
    *size = name.size() + 1;
    return CUDA_SUCCESS;
  }
  if (*size < needed) return CUDA_ERROR_INVALID_VALUE;
  *size = needed;
  const uint32_t now = flags(scope);
  if (setting == CU_COREDUMP_GENERATION_FLAGS) {
    std::memcpy(value, &now, sizeof now);
    return CUDA_SUCCESS;
  }
  bool answer = false;  // nothing is dumped, by exceptions or by hand
  if (setting == CU_COREDUMP_TRIGGER_HOST) answer = (now & CU_COREDUMP_SKIP_ABORT) == 0;
  if (setting == CU_COREDUMP_LIGHTWEIGHT)
    answer = (now & CU_COREDUMP_LIGHTWEIGHT_FLAGS) == CU_COREDUMP_LIGHTWEIGHT_FLAGS;
  std::memcpy(value, &answer, sizeof answer);
  return CUDA_SUCCESS;
}

CUresult CoredumpSettings::set(uint64_t scope, CUcoredumpSettings setting, const void* value, size_t* size) {
  const size_t needed = size_of(setting);
  if (size == nullptr || needed == 0) return CUDA_ERROR_INVALID_VALUE;
  if (value == nullptr) {
    *size = needed;
    return CUDA_SUCCESS;
  }
  const bool of_process_only = setting == CU_COREDUMP_ENABLE_USER_TRIGGER || setting == CU_COREDUMP_PIPE;
  if (of_process_only && scope != kGlobal) return CUDA_ERROR_NOT_PERMITTED;
  std::lock_guard lock(mutex_);
  if (setting == CU_COREDUMP_FILE || setting == CU_COREDUMP_PIPE) {
    const auto* name = static_cast<const char*>(value);
    const size_t length = strnlen(name, std::min(*size, kTextBytes));
    if (length >= kTextBytes) return CUDA_ERROR_INVALID_VALUE;
    Values& own = values_[scope];
    (setting == CU_COREDUMP_FILE ? own.file : own.pipe) = std::string(name, length);
    return CUDA_SUCCESS;
  }
  if (*size < needed) return CUDA_ERROR_INVALID_VALUE;
  uint32_t changed = flags(scope);
  if (setting == CU_COREDUMP_GENERATION_FLAGS) {
    constexpr uint32_t kKnown = CU_COREDUMP_LIGHTWEIGHT_FLAGS | CU_COREDUMP_SKIP_ABORT;
    std::memcpy(&changed, value, sizeof changed);
    if ((changed & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
  } else {
    bool wanted = false;
    std::memcpy(&wanted, value, sizeof wanted);
    if (setting == CU_COREDUMP_ENABLE_ON_EXCEPTION || setting == CU_COREDUMP_ENABLE_USER_TRIGGER)
      return wanted ? CUDA_ERROR_NOT_PERMITTED : CUDA_SUCCESS;
    if (setting == CU_COREDUMP_TRIGGER_HOST) set_bits(changed, CU_COREDUMP_SKIP_ABORT, !wanted);
    if (setting == CU_COREDUMP_LIGHTWEIGHT) set_bits(changed, CU_COREDUMP_LIGHTWEIGHT_FLAGS, wanted);
  }
  values_[scope].flags = changed;
  return CUDA_SUCCESS;
}

}  // namespace outboard::abi
