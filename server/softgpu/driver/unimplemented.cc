#include "server/softgpu/driver/unimplemented.h"

#include <mutex>
#include <set>
#include <string>

#include "server/softgpu/device/note.h"

namespace outboard::softgpu {

void note_unimplemented(const char* function) noexcept {
  // Never destroyed: see Driver.
  static auto* const mutex = new std::mutex();
  static auto* const noted = new std::set<std::string>();
  try {
    const std::lock_guard lock(*mutex);
    if (!noted->insert(function).second) return;
    note(std::string(function) + " is not implemented; it returns CUDA_ERROR_NOT_SUPPORTED.");
  } catch (const std::exception&) {
    return;  // no memory for a remark
  }
}

}  // namespace outboard::softgpu
