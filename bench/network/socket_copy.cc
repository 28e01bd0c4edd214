// How fast a plain program moves bytes between two processes of this machine over loopback TCP: what
// copies through Outboard are compared with.
//   bench_socket_copy [MIB]
// One process sends pieces of 8 MiB from one buffer (as a copy to the device does from the
// application's), the other receives each into a buffer of its own and acknowledges it all with one
// byte. Prints JSON: MB/s from parent to child and back.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr size_t kPieceBytes = size_t{8} << 20;

void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

void send_all(int socket, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = send(socket, data, bytes, MSG_NOSIGNAL);
    if (sent <= 0) give_up("send");
    data += sent;
    bytes -= static_cast<size_t>(sent);
  }
}

void receive_all(int socket, char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = recv(socket, data, bytes, 0);
    if (got <= 0) give_up("recv");
    data += got;
    bytes -= static_cast<size_t>(got);
  }
}

void send_data(int socket, const std::vector<char>& data) {
  for (size_t at = 0; at < data.size(); at += kPieceBytes)
    send_all(socket, data.data() + at, std::min(kPieceBytes, data.size() - at));
}

void receive_data(int socket, std::vector<char>& piece, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPieceBytes)
    receive_all(socket, piece.data(), std::min(kPieceBytes, bytes - at));
}

int connected_pair(bool* is_child) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener, 1) != 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    give_up("listen");
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  *is_child = child == 0;
  int end = -1;
  if (*is_child) {
    end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(end, reinterpret_cast<sockaddr*>(&address), length) != 0) give_up("connect");
  } else {
    end = accept(listener, nullptr, nullptr);
    if (end < 0) give_up("accept");
  }
  close(listener);
  return end;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t bytes = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 64) << 20;
  constexpr int kRounds = 8;
  bool is_child = false;
  const int end = connected_pair(&is_child);
  std::vector<char> data(bytes, 1);
  std::vector<char> piece(kPieceBytes, 2);
  char done = 0;
  if (is_child) {
    for (int round = 0; round < kRounds; ++round) {
      receive_data(end, piece, bytes);
      send_all(end, &done, 1);
    }
    for (int round = 0; round < kRounds; ++round) {
      receive_all(end, &done, 1);
      send_data(end, data);
    }
    return 0;
  }
  const auto rate = [&](auto body) {
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < kRounds; ++round) body();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return static_cast<double>(bytes) * kRounds / seconds / 1e6;
  };
  const double out = rate([&] {
    send_data(end, data);
    receive_all(end, &done, 1);
  });
  const double in = rate([&] {
    send_all(end, &done, 1);
    receive_data(end, piece, bytes);
  });
  std::printf("{\"to_child_mb_per_s\": %.0f, \"to_parent_mb_per_s\": %.0f}\n", out, in);
  return waitpid(-1, nullptr, 0) > 0 ? 0 : 1;
}
