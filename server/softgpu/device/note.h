// What the software device has to tell people: one line to standard error, or nothing when
// OUTBOARD_SOFTGPU_QUIET is set. Programs' own output is never touched.
#pragma once

#include <string_view>

namespace outboard::softgpu {

void note(std::string_view sentence);

}  // namespace outboard::softgpu
