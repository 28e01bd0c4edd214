// A server that a client must not get along with:
//   fake_server refuse   refuses, as a server does that speaks other protocol versions only
//   fake_server newer    welcomes in a protocol version that the client does not speak
// Prints its address, then serves until it is killed.
#include <iostream>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/transport/connect.h"
#include "protocol/wire/handshake.h"

using namespace outboard;

namespace {

void serve(transport::Transport& client, bool refuse) {
  const Result<wire::HelloInfo> hello =
      wire::read_hello(client, SystemClock().now() + std::chrono::seconds(10));
  if (!hello) {
    std::cerr << hello.error().message << std::endl;
    return;
  }
  Status sent;
  if (refuse) {
    sent = wire::send_refusal(client, ErrorKind::kUnsupported,
                              "This server speaks protocol versions 7 to 9; your client speaks " +
                                  std::to_string(hello->protocol_version) + ".");
  } else {
    wire::WelcomeInfo welcome;
    welcome.protocol_version = 99;
    welcome.server_name = "from the future";
    sent = wire::send_welcome(client, welcome);
  }
  if (!sent) std::cerr << sent.error().message << std::endl;
  std::byte ignored[256];
  while (client.receive(ignored).value_or(0) > 0) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode != "refuse" && mode != "newer") {
    std::cerr << "usage: fake_server refuse|newer\n";
    return 2;
  }
  auto listener = transport::listen("127.0.0.1:0");
  if (!listener) {
    std::cerr << listener.error().message << std::endl;
    return 1;
  }
  std::cout << (*listener)->address() << std::endl;
  while (auto client = (*listener)->accept()) serve(**client, mode == "refuse");
  return 0;
}
