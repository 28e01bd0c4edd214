#pragma once

namespace outboard::cli {

inline constexpr const char* kVersion = OUTBOARD_VERSION;  // the project's, from CMake

}  // namespace outboard::cli
