// What the software device has to tell people: a message of the driver's log, and one line to
// standard error unless OUTBOARD_SOFTGPU_QUIET is set. Programs' own output is never touched.
#pragma once

#include <string_view>

namespace outboard::softgpu {

void note(std::string_view sentence);

}  // namespace outboard::softgpu
