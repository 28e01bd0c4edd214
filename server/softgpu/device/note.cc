#include "server/softgpu/device/note.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace outboard::softgpu {

void note(std::string_view sentence) {
  if (std::getenv("OUTBOARD_SOFTGPU_QUIET") != nullptr) return;
  std::string line = "outboard software device: ";
  line.append(sentence);
  line.push_back('\n');
  // One write, so that lines of several threads do not mix. There is nobody to tell of a failure.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace outboard::softgpu
