#include "pooling/cli/private_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

using testing::fake_server_preamble;
using testing::kSayReady;
using testing::TemporaryFolder;

class PrivateServerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<PrivateServer>> start(const std::string& body,
                                               std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    testing::write_script(folder_.path() / "server", fake_server_preamble() + body);
    PrivateServerOptions options;
    options.server_program = folder_.file("server");
    options.driver = "softgpu";
    options.ready_timeout = timeout;
    return PrivateServer::start(options, private_, signals_);
  }
  Error failure(const std::string& body, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    const auto server = start(body, timeout);
    if (!server) return server.error();
    ADD_FAILURE() << "the server started";
    return {};
  }
  TemporaryFolder folder_;
  PrivateFolder private_ = std::move(*PrivateFolder::create({folder_.path().string()}));
  SignalQueue signals_ = std::move(*SignalQueue::open());
};

TEST_F(PrivateServerTest, KnowsTheAddressAndEndsTheServer) {
  pid_t process_id = 0;
  {
    const auto server = start(std::string(kSayReady) + "exec sleep 60");
    ASSERT_TRUE(server) << server.error().message;
    EXPECT_EQ((*server)->address(), "unix:" + private_.file("s"));
    process_id = (*server)->process_id();
    EXPECT_EQ(kill(process_id, 0), 0);
  }
  EXPECT_EQ(kill(process_id, 0), -1);
}

TEST_F(PrivateServerTest, PassesTheDriverOn) {
  const auto server =
      start("[ \"$driver\" = softgpu ] || { echo error: driver $driver >&$ready; exit 1; }\n" +
            std::string(kSayReady) + "exec sleep 60");
  EXPECT_TRUE(server) << server.error().message;
}

TEST_F(PrivateServerTest, RepeatsTheServersOwnReason) {
  const Error error = failure("eval \"echo 'error: The driver /x is broken.' >&$ready\"; exit 1");
  EXPECT_NE(error.message.find("The driver /x is broken."), std::string::npos) << error.message;
}

TEST_F(PrivateServerTest, ShowsTheLastWordsOfAServerThatDied) {
  const Error error = failure("echo first words; echo 'cannot map libfoo' >&2; exit 3");
  EXPECT_NE(error.message.find("ended before it was ready"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("cannot map libfoo"), std::string::npos) << error.message;
}

TEST_F(PrivateServerTest, GivesUpOnAServerThatHangs) {
  const auto begun = std::chrono::steady_clock::now();
  const Error error = failure("exec sleep 60", std::chrono::milliseconds(100));
  EXPECT_EQ(error.kind, ErrorKind::kOverloaded);
  EXPECT_NE(error.message.find("100 ms"), std::string::npos) << error.message;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(15));
}

TEST_F(PrivateServerTest, CanBeInterruptedWhileItStarts) {
  kill(getpid(), SIGINT);  // blocked, so it waits for the queue
  const Error error = failure("exec sleep 60");
  EXPECT_EQ(error.kind, ErrorKind::kDisconnected);
}

TEST_F(PrivateServerTest, SaysWhenThereIsNoServerProgram) {
  PrivateServerOptions options;
  options.server_program = folder_.file("nowhere/outboard-server");
  const auto server = PrivateServer::start(options, private_, signals_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(server.error().message.find("nowhere/outboard-server"), std::string::npos);
}

}  // namespace
}  // namespace outboard::cli
