#include "protocol/transport/transport.h"

namespace outboard::transport {

Status receive_exactly(Transport& transport, std::span<std::byte> into) {
  while (!into.empty()) {
    auto got = transport.receive(into);
    if (!got) return fail(got);
    if (*got == 0) {
      return fail(ErrorKind::kDisconnected,
                  "The peer closed the connection (" + transport.description() + ") with " +
                      std::to_string(into.size()) + " bytes of a message still to come.");
    }
    into = into.subspan(*got);
  }
  return {};
}

}  // namespace outboard::transport
