// What ends with what, as both sides have to know it: an index is used again when its object is gone.
#pragma once

#include "protocol/wire/handle.h"

namespace outboard::wire {

// Whether the end of a context ends objects of this kind that were made in it. Functions are in none
// of their own: those of a module go with the module, those of a library with either.
constexpr bool lives_in_context(HandleKind kind) {
  switch (kind) {
    case HandleKind::kModule:
    case HandleKind::kStream:
    case HandleKind::kEvent:
    case HandleKind::kArray:
    case HandleKind::kMipmappedArray:
    case HandleKind::kTexture:
    case HandleKind::kSurface:
    case HandleKind::kTexRef:
    case HandleKind::kSurfRef: return true;
    default: return false;
  }
}

}  // namespace outboard::wire
