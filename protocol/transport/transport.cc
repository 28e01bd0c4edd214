#include "protocol/transport/transport.h"

#include "protocol/base/bytes.h"

namespace outboard::transport {

Status receive_exactly(Transport& transport, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto got = transport.receive(into);
    if (!got) return fail(got);
    if (*got == 0) {
      return fail(ErrorKind::kDisconnected,
                  text("The peer closed the connection (", transport.description(), ") with ", into.size(),
                       " bytes of a message still to come."));
    }
    into = into.subspan(*got);
  }
  return {};
}

}  // namespace outboard::transport
