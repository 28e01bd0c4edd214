#include "pooling/cli/child_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

using testing::TemporaryFolder;

class ChildProcess : public ::testing::Test {
 protected:
  int run_shell(const std::string& script,
                std::vector<std::pair<std::string, std::string>> environment = {}) {
    SpawnOptions options;
    options.command = {"/bin/sh", "-c", script};
    options.environment = std::move(environment);
    const auto child = spawn(options, signals_);
    EXPECT_TRUE(child) << child.error().message;
    return exit_code_of(wait_and_forward(*child, signals_));
  }
  SignalQueue signals_ = std::move(*SignalQueue::open());
  TemporaryFolder folder_;
};

TEST_F(ChildProcess, PassesTheExitCodeThrough) {
  EXPECT_EQ(run_shell("exit 0"), 0);
  EXPECT_EQ(run_shell("exit 7"), 7);
  EXPECT_EQ(run_shell("exit 255"), 255);
}

TEST_F(ChildProcess, SaysWhichSignalEndedIt) {
  EXPECT_EQ(run_shell("kill -KILL $$"), 128 + SIGKILL);
  EXPECT_EQ(run_shell("kill -SEGV $$"), 128 + SIGSEGV);
}

TEST_F(ChildProcess, AddsToAndReplacesTheEnvironment) {
  setenv("OUTBOARD_TEST_KEPT", "kept", 1);
  setenv("OUTBOARD_TEST_REPLACED", "old", 1);
  EXPECT_EQ(run_shell("[ $OUTBOARD_TEST_KEPT = kept ] && [ $OUTBOARD_TEST_REPLACED = new ] && [ "
                      "$OUTBOARD_TEST_ADDED = a=b ]",
                      {{"OUTBOARD_TEST_REPLACED", "new"}, {"OUTBOARD_TEST_ADDED", "a=b"}}),
            0);
}

// The child must be able to receive what we have blocked for ourselves.
TEST_F(ChildProcess, GivesTheChildTheMaskThatWasThereBefore) {
  EXPECT_EQ(run_shell("kill -TERM $$; exit 3"), 128 + SIGTERM);
}

TEST_F(ChildProcess, ForwardsSignalsThatWereSentToUs) {
  SpawnOptions options;
  const std::string ready = folder_.file("ready");
  options.command = {"/bin/sh", "-c",
                     "trap 'exit 42' USR1; touch " + ready + "; while :; do sleep 0.02; done"};
  const auto child = spawn(options, signals_);
  ASSERT_TRUE(child) << child.error().message;
  std::thread sender([&ready] {
    while (access(ready.c_str(), F_OK) != 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    kill(getpid(), SIGUSR1);
  });
  EXPECT_EQ(exit_code_of(wait_and_forward(*child, signals_)), 42);
  sender.join();
}

TEST_F(ChildProcess, NamesAProgramThatIsNotThere) {
  SpawnOptions options;
  options.command = {"no-such-program-anywhere"};
  const auto child = spawn(options, signals_);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(child.error().message.find("no-such-program-anywhere"), std::string::npos);
}

TEST_F(ChildProcess, NamesAProgramThatCannotBeExecuted) {
  testing::write_file(folder_.path() / "data", "not a program");
  SpawnOptions options;
  options.command = {folder_.file("data")};
  const auto child = spawn(options, signals_);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind, ErrorKind::kPermissionDenied);
}

TEST_F(ChildProcess, EndChildEndsEvenTheStubborn) {
  SpawnOptions options;
  const std::string ready = folder_.file("ready");
  options.command = {"/bin/sh", "-c", "trap '' TERM; touch " + ready + "; while :; do sleep 0.02; done"};
  const auto child = spawn(options, signals_);
  ASSERT_TRUE(child) << child.error().message;
  while (access(ready.c_str(), F_OK) != 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  end_child(*child, 50);
  EXPECT_EQ(kill(*child, 0), -1);
}

TEST(SignalQueue, RestoresTheMask) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  {
    const auto queue = SignalQueue::open();
    ASSERT_TRUE(queue);
    sigset_t during;
    pthread_sigmask(SIG_BLOCK, nullptr, &during);
    EXPECT_EQ(sigismember(&during, SIGTERM), 1);
  }
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

}  // namespace
}  // namespace outboard::cli
