// The daemon with real worker processes and a driver that can do nothing.
#include "server/daemon/server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "protocol/transport/connect.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/handshake.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::server {
namespace {

using namespace std::chrono_literals;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    char folder[] = "/tmp/outboard-server-test-XXXXXX";
    folder_ = ::mkdtemp(folder);
    options_.listen = {"unix:" + folder_ + "/s"};
    options_.driver = TINY_DRIVER;
    options_.worker_program = WORKER_PROGRAM;
    options_.name = "test server";
    options_.stop_timeout = 5000ms;
  }
  ~ServerTest() override {
    if (server_) {
      server_->stop();
      thread_.join();
    }
    ::unsetenv("TINY_DRIVER_FAULT");
    std::filesystem::remove_all(folder_);
  }

  Status start() {
    auto log = Logger::open({.level = LogLevel::kInfo, .file_path = folder_ + "/log", .name = "server"});
    server_ = std::make_unique<Server>(options_, *log, clock_);
    Status started = server_->start();
    if (started) {
      thread_ = std::thread([this] { server_->run(); });
    } else {
      server_.reset();
    }
    return started;
  }

  std::unique_ptr<transport::Transport> connect() {
    auto transport = transport::connect(server_->addresses().front());
    EXPECT_TRUE(transport) << transport.error().message;
    return std::move(*transport);
  }

  static Result<wire::WelcomeInfo> greet(transport::Transport& transport, wire::HelloInfo hello = {}) {
    hello.process_name = "server_test";
    return wire::greet(transport, hello, std::chrono::steady_clock::now() + 20s);
  }

  std::string log() const {
    std::ifstream file(folder_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool logged(const std::string& text) const {
    for (int i = 0; i < 500; ++i) {
      if (log().find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  // Children of this process: workers.
  static std::vector<pid_t> workers() {
    std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    std::vector<pid_t> children;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream list(task.path() / "children");
      for (pid_t child = 0; list >> child;) children.push_back(child);
    }
    return children;
  }

  std::string folder_;
  ServerOptions options_;
  const SystemClock clock_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

TEST_F(ServerTest, ServesSessionsAndSaysWhoCameAndWhy) {
  ASSERT_TRUE(start());
  EXPECT_EQ(server_->driver().devices, std::vector<std::string>{"Tiny device"});
  for (uint64_t session = 1; session <= 2; ++session) {
    auto transport = connect();
    const auto welcome = greet(*transport);
    ASSERT_TRUE(welcome) << welcome.error().message;
    EXPECT_EQ(welcome->session_id, session);
    EXPECT_EQ(welcome->server_name, "test server");
    ASSERT_EQ(welcome->devices.size(), 1u);
    EXPECT_EQ(welcome->devices[0].total_memory_bytes, 1u << 20);
    transport->shutdown();
    EXPECT_TRUE(logged("Session " + std::to_string(session) + " of server_test (process")) << log();
    EXPECT_TRUE(logged("without a goodbye")) << log();
  }
  EXPECT_TRUE(logged("everything is freed")) << log();
}

TEST_F(ServerTest, RefusesMoreSessionsThanItsLimit) {
  options_.max_sessions = 1;
  ASSERT_TRUE(start());
  auto first = connect();
  ASSERT_TRUE(greet(*first));
  auto second = connect();
  const auto refused = greet(*second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kOverloaded);
  EXPECT_NE(refused.error().message.find("--max-sessions"), std::string::npos) << refused.error().message;
  first->shutdown();
  ASSERT_TRUE(logged("ended after"));
  auto third = connect();
  EXPECT_TRUE(greet(*third));
}

TEST_F(ServerTest, RefusesAnotherProtocolVersion) {
  ASSERT_TRUE(start());
  auto transport = connect();
  wire::HelloInfo hello;
  hello.protocol_version = hello.oldest_protocol_version = 99;
  const auto refused = greet(*transport, hello);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
  EXPECT_TRUE(logged("turned away"));
}

TEST_F(ServerTest, AKilledWorkerHarmsItsOwnClientOnly) {
  ASSERT_TRUE(start());
  auto survivor = connect();
  ASSERT_TRUE(greet(*survivor));
  const auto before = workers();
  auto victim = connect();
  ASSERT_TRUE(greet(*victim));
  for (const pid_t worker : workers()) {
    if (std::find(before.begin(), before.end(), worker) == before.end()) ::kill(worker, SIGKILL);
  }
  std::array<std::byte, 1> byte;
  victim->set_receive_deadline(std::chrono::steady_clock::now() + 10s);
  const auto received = victim->receive(byte);
  EXPECT_TRUE(!received || *received == 0) << "the connection must end with the worker";
  EXPECT_TRUE(logged("was killed by signal 9")) << log();
  EXPECT_EQ(workers().size(), 1u);
  auto next = connect();
  EXPECT_TRUE(greet(*next));
}

TEST_F(ServerTest, AWorkerThatCrashesBeforeTheWelcomeBecomesARefusal) {
  ASSERT_TRUE(start());
  ::setenv("TINY_DRIVER_FAULT", "crash in session", 1);
  auto transport = connect();
  const auto refused = greet(*transport);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInternal);
  EXPECT_NE(refused.error().message.find("killed by signal 11"), std::string::npos)
      << refused.error().message;
}

// The text belongs to the program, and arrives before the answer to the wait that it explains.
TEST_F(ServerTest, WhatTheDriverWritesToStandardErrorReachesTheClient) {
  ASSERT_TRUE(start());
  auto transport = connect();
  wire::FrameReceiver receiver(*transport);
  ASSERT_TRUE(greet(*transport));
  wire::Writer body;
  wire::StreamSynchronizeRequest{}.encode(body);
  wire::CommandWriter command;
  command.append(
      {.opcode = wire::Opcode::kStreamSynchronize, .wants_reply = true, .context = {}, .capture_mode = 0},
      body.view(), 0);
  const wire::Envelope envelope{
      .first_sequence = 1, .command_count = 1, .acknowledged = 0, .kind = wire::CommandsFrame{}};
  ASSERT_TRUE(wire::FrameSender(*transport).send(envelope, command.view()));
  std::string heard;
  while (true) {
    const auto frame = receiver.receive();
    ASSERT_TRUE(frame) << frame.error().message;
    const auto* notice = frame->envelope.as<wire::Notice>();
    if (notice != nullptr && notice->kind == wire::Notice::Kind::kDeviceErrors) heard += notice->text;
    if (frame->envelope.as<wire::RepliesFrame>() != nullptr) break;
  }
  EXPECT_EQ(heard, "tiny.cu:1: kernel: Assertion `false` failed.\n");
}

TEST_F(ServerTest, SaysWhyItCannotStart) {
  ::setenv("TINY_DRIVER_FAULT", "crash in init", 1);
  auto started = start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("killed by signal 11"), std::string::npos)
      << started.error().message;
  ::setenv("TINY_DRIVER_FAULT", "no device", 1);
  started = start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("does not initialise"), std::string::npos)
      << started.error().message;
  ::unsetenv("TINY_DRIVER_FAULT");
  options_.worker_program = "/nowhere/outboard-worker";
  started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::kNotFound);
}

TEST_F(ServerTest, HangsUpOnThoseWhoSayNothing) {
  options_.hello_timeout = 100ms;
  ASSERT_TRUE(start());
  auto silent = connect();
  std::array<std::byte, 256> bytes;
  silent->set_receive_deadline(std::chrono::steady_clock::now() + 10s);
  const auto received = silent->receive(bytes);
  EXPECT_TRUE(!received || *received == 0);
  EXPECT_TRUE(logged("turned away")) << log();
  auto next = connect();
  EXPECT_TRUE(greet(*next));
}

TEST_F(ServerTest, StoppingTellsTheClients) {
  ASSERT_TRUE(start());
  auto transport = connect();
  ASSERT_TRUE(greet(*transport));
  server_->stop();
  wire::FrameReceiver receiver(*transport);
  const auto frame = receiver.receive();
  ASSERT_TRUE(frame) << frame.error().message;
  const auto* goodbye = frame->envelope.as<wire::Goodbye>();
  ASSERT_NE(goodbye, nullptr);
  EXPECT_EQ(goodbye->message, "The server is shutting down.");
  thread_.join();
  EXPECT_TRUE(workers().empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/s")) << "the socket is removed";
  server_.reset();
}

}  // namespace
}  // namespace outboard::server
