#include "server/softgpu/device/note.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "server/softgpu/device/log_buffer.h"

namespace outboard::softgpu {

void note(std::string_view sentence) {
  LogBuffer::instance().add(CU_LOG_LEVEL_ERROR, sentence);
  if (std::getenv("OUTBOARD_SOFTGPU_QUIET") != nullptr) return;
  std::string line = "outboard software device: ";
  line.append(sentence);
  line.push_back('\n');
  // One write, so that lines of several threads do not mix. There is nobody to tell of a failure.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace outboard::softgpu
