// The one way a function of ours says that it failed.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace outboard {

// What the caller can do about a failure; not where it came from.
enum class ErrorKind {
  kDisconnected,       // the peer is gone; reconnecting may help
  kOverloaded,         // try again later
  kQuotaExceeded,      // the lease does not allow it
  kUnsupported,        // this build, driver or protocol cannot do it
  kProtocolViolation,  // the peer sent what it must not; the session ends
  kInvalidArgument,    // the caller's input is wrong
  kNotFound,           // a file, host, symbol or object does not exist
  kPermissionDenied,   // the caller is not who it would have to be
  kInternal,           // a defect of ours or of the system
};

std::string_view error_kind_name(ErrorKind kind);

// `message` is a full sentence: the value given, the limit, the object, where to look.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

// tl::expected with [[nodiscard]] on the class: a Result that the caller ignores is a compiler
// warning, and warnings are errors here.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// Passes another Result's error on: `if (!r) return fail(r);`
template <typename T>
tl::unexpected<Error> fail(const Result<T>& other) {
  return tl::unexpected<Error>(other.error());
}

}  // namespace outboard
