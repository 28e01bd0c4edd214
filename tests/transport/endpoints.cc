#include "tests/transport/endpoints.h"

#include <stdlib.h>
#include <filesystem>
#include <stdexcept>

#include "protocol/transport/connect.h"
#include "protocol/transport/fault.h"
#include "protocol/transport/loopback.h"

namespace outboard::transport::testing {
namespace {

Pair over_listener(const std::string& address) {
  auto listener = listen(address);
  if (!listener) throw std::runtime_error(listener.error().message);
  Pair pair;
  std::thread accepting([&] {
    auto accepted = (*listener)->accept();
    if (accepted) pair.server = std::move(*accepted);
  });
  auto connected = connect((*listener)->address());
  if (!connected) (*listener)->close();
  accepting.join();
  if (!connected) throw std::runtime_error(connected.error().message);
  pair.client = std::move(*connected);
  return pair;
}

Pair loopback() {
  auto [client, server] = loopback_pair();
  return {std::move(client), std::move(server)};
}

Pair tiny_loopback() {
  auto [client, server] = loopback_pair(7);  // every transfer wraps around and waits
  return {std::move(client), std::move(server)};
}

Pair tcp() { return over_listener("127.0.0.1:0"); }

Pair unix_socket() {
  const TemporaryFolder folder;
  return over_listener("unix:" + folder.path("socket"));
}

Pair in_pieces() {
  Pair pair = tcp();
  const FaultPlan plan{.most_receive_bytes = 13, .most_send_bytes = 1000};
  return {std::make_unique<FaultTransport>(std::move(pair.client), plan),
          std::make_unique<FaultTransport>(std::move(pair.server), plan)};
}

}  // namespace

std::vector<Medium> all_media() {
  return {{"Loopback", loopback},
          {"TinyLoopback", tiny_loopback},
          {"Tcp", tcp},
          {"Unix", unix_socket},
          {"TcpInPieces", in_pieces}};
}

TemporaryFolder::TemporaryFolder() {
  std::string path = std::filesystem::temp_directory_path() / "outboard-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no folder for temporary files");
  folder_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::byte> pattern(size_t size_bytes, uint32_t seed) {
  std::vector<std::byte> out(size_bytes);
  uint32_t state = seed * 2654435761u + 1;
  for (auto& byte : out) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return out;
}

}  // namespace outboard::transport::testing
