// Texts of table rows that are put together from parts: an opcode, its modifiers, a type.
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Only in tables, where the parts are constants; 160 characters hold the longest row.
struct Pattern {
  char text[160];
  template <typename... Parts>
  explicit Pattern(Parts... parts) {
    char* at = text;
    for (const char* part : {static_cast<const char*>(parts)...}) {
      while (*part != '\0') *at++ = *part++;
    }
    *at = '\0';
  }
};

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
