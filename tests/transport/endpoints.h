// Connected pairs over every medium, for the tests that must hold on all of them.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/transport/transport.h"

namespace outboard::transport::testing {

struct Pair {
  std::unique_ptr<Transport> client;
  std::unique_ptr<Transport> server;
};

struct Medium {
  const char* name;
  Pair (*connect)();
  friend std::ostream& operator<<(std::ostream& out, const Medium& medium) { return out << medium.name; }
};

// Loopback, TCP and unix sockets, and each of them with reads and writes cut into small pieces.
std::vector<Medium> all_media();

// A path for a socket or file that no other test uses; removed with its folder at destruction.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

// Bytes that are easy to check: byte i of a stream with this seed.
std::vector<std::byte> pattern(size_t size_bytes, uint32_t seed);

}  // namespace outboard::transport::testing
