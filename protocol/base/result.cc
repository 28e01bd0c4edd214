#include "protocol/base/result.h"

namespace outboard {

std::string_view error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kDisconnected: return "disconnected";
    case ErrorKind::kOverloaded: return "overloaded";
    case ErrorKind::kQuotaExceeded: return "quota exceeded";
    case ErrorKind::kUnsupported: return "unsupported";
    case ErrorKind::kProtocolViolation: return "protocol violation";
    case ErrorKind::kInvalidArgument: return "invalid argument";
    case ErrorKind::kNotFound: return "not found";
    case ErrorKind::kPermissionDenied: return "permission denied";
    case ErrorKind::kInternal: return "internal error";
  }
  return "unknown error";
}

}  // namespace outboard
