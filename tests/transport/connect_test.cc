// Making connections: what goes wrong, and with which words.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include <future>

#include "protocol/transport/connect.h"
#include "protocol/transport/loopback.h"
#include "tests/transport/endpoints.h"

namespace outboard::transport {
namespace {

using testing::TemporaryFolder;
using namespace std::chrono_literals;

TEST(Connect, SaysThatNobodyListens) {
  auto listener = listen("127.0.0.1:0");
  ASSERT_TRUE(listener) << listener.error().message;
  const std::string address = (*listener)->address();
  EXPECT_FALSE(address.ends_with(":0")) << "the port that the system chose must be in " << address;
  (*listener)->close();
  listener->reset();
  const auto connected = connect(address);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::kDisconnected);
  EXPECT_NE(connected.error().message.find(address), std::string::npos) << connected.error().message;
}

TEST(Connect, SaysThatTheSocketDoesNotExist) {
  const TemporaryFolder folder;
  const auto connected = connect("unix:" + folder.path("nothing"));
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::kNotFound);
}

TEST(Connect, SaysThatTheHostIsUnknown) {
  const auto connected = connect("no-such-host.invalid:7070");  // RFC 2606: never exists
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(connected.error().message.find("no-such-host.invalid"), std::string::npos);
}

// A unix listener whose queue is full neither accepts nor refuses.
TEST(Connect, GivesUpAfterTheTimeout) {
  const TemporaryFolder folder;
  const std::string address = "unix:" + folder.path("socket");
  auto listener = listen(address);
  ASSERT_TRUE(listener);
  ::listen((*listener)->native_handle(), 0);
  std::vector<std::unique_ptr<Transport>> queued;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) {
    auto connected = connect(address, {.timeout = 100ms});
    if (!connected) {
      EXPECT_EQ(connected.error().kind, ErrorKind::kDisconnected);
      EXPECT_NE(connected.error().message.find("100 ms"), std::string::npos) << connected.error().message;
      EXPECT_GE(std::chrono::steady_clock::now() - start, 90ms);
      return;
    }
    queued.push_back(std::move(*connected));
  }
  FAIL() << "the queue never filled";
}

TEST(Connect, LoopbackNamesNeedANetwork) {
  EXPECT_FALSE(connect("loopback:a"));
  EXPECT_FALSE(listen("loopback:a"));
  LoopbackNetwork network;
  EXPECT_FALSE(connect("loopback:a", {.loopback = &network}));
  auto listener = listen("loopback:a", &network);
  ASSERT_TRUE(listener);
  EXPECT_FALSE(listen("loopback:a", &network));  // taken
  auto client = connect("loopback:a", {.loopback = &network});
  ASSERT_TRUE(client);
  EXPECT_TRUE((*listener)->accept());
  (*listener)->close();
  EXPECT_FALSE(connect("loopback:a", {.loopback = &network}));
  EXPECT_TRUE(listen("loopback:a", &network));  // free again
}

TEST(Listen, CloseWakesABlockedAccept) {
  const TemporaryFolder folder;
  LoopbackNetwork network;
  for (const std::string& address :
       {std::string("127.0.0.1:0"), "unix:" + folder.path("socket"), std::string("loopback:x")}) {
    auto listener = listen(address, &network);
    ASSERT_TRUE(listener);
    auto accepted = std::async(std::launch::async, [&] { return (*listener)->accept(); });
    std::this_thread::sleep_for(20ms);
    (*listener)->close();
    const auto outcome = accepted.get();
    ASSERT_FALSE(outcome) << address;
    EXPECT_EQ(outcome.error().kind, ErrorKind::kDisconnected);
    (*listener)->close();  // again: no harm
  }
}

TEST(Listen, PortInUse) {
  auto first = listen("127.0.0.1:0");
  ASSERT_TRUE(first);
  const auto second = listen((*first)->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kOverloaded);
  EXPECT_NE(second.error().message.find((*first)->address()), std::string::npos);
}

TEST(Listen, UnixSocketIsForTheOwnerAndGoesAway) {
  const TemporaryFolder folder;
  const std::string path = folder.path("socket");
  auto listener = listen("unix:" + path);
  ASSERT_TRUE(listener);
  struct stat file{};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_FALSE(listen("unix:" + path)) << "a living server's socket must not be taken";
  (*listener)->close();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Listen, ReplacesTheSocketOfADeadServerOnly) {
  const TemporaryFolder folder;
  const std::string path = folder.path("socket");
  auto dead = listen("unix:" + path);
  ASSERT_TRUE(dead);
  const int still_bound = ::dup((*dead)->native_handle());
  std::filesystem::rename(path, folder.path("kept"));  // so that close() does not remove it
  (*dead)->close();
  dead->reset();
  ::close(still_bound);
  std::filesystem::rename(folder.path("kept"), path);  // what kill -9 leaves
  auto next = listen("unix:" + path);
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_TRUE(connect("unix:" + path));

  const std::string file = folder.path("file");
  std::fclose(std::fopen(file.c_str(), "w"));
  EXPECT_FALSE(listen("unix:" + file));
  EXPECT_TRUE(std::filesystem::exists(file)) << "an ordinary file must survive";
}

TEST(AdoptSocket, TakesAConnectedSocket) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  auto here = adopt_socket(ends[0]);
  auto there = adopt_socket(ends[1]);
  ASSERT_TRUE(here && there);
  EXPECT_EQ((*here)->native_handle(), ends[0]);
  EXPECT_NE(::fcntl(ends[0], F_GETFD) & FD_CLOEXEC, 0);
  const auto message = testing::pattern(10, 1);
  const ConstBuffer piece = message;
  ASSERT_TRUE((*here)->send({&piece, 1}));
  std::vector<std::byte> into(10);
  ASSERT_TRUE(receive_exactly(**there, into));
  EXPECT_EQ(into, message);
}

TEST(AdoptSocket, RefusesAndClosesWhatIsNone) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const auto adopted = adopt_socket(pipe_ends[0]);
  ASSERT_FALSE(adopted);
  EXPECT_EQ(adopted.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(::fcntl(pipe_ends[0], F_GETFD), -1) << "ownership was taken, so it must be closed";
  ::close(pipe_ends[1]);
  EXPECT_FALSE(adopt_socket(-1));
}

}  // namespace
}  // namespace outboard::transport
