#include "server/worker/output_capture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "protocol/base/log.h"

namespace outboard::server {
namespace {

TEST(OutputCapture, TakesWhatIsWrittenToEitherStream) {
  for (std::FILE* stream : {stdout, stderr}) {
    auto capture = OutputCapture::start(stream);
    ASSERT_TRUE(capture);
    std::fprintf(stream, "by stdio, ");
    EXPECT_EQ((*capture)->take(), "by stdio, ");
    ASSERT_EQ(::write(::fileno(stream), "and without\n", 12), 12);
    EXPECT_EQ((*capture)->take(), "and without\n");
    EXPECT_EQ((*capture)->take(), "");
  }
}

TEST(OutputCapture, MoreThanItsLimitIsDroppedAndBlocksNobody) {
  auto capture = OutputCapture::start(stderr);
  ASSERT_TRUE(capture);
  const std::string chunk(1 << 20, 'x');
  for (int i = 0; i < 6; ++i) ASSERT_EQ(std::fwrite(chunk.data(), 1, chunk.size(), stderr), chunk.size());
  EXPECT_EQ((*capture)->take().size(), OutputCapture::kMaxBytes);
}

// The worker's own lines go to where standard error led before.
TEST(OutputCapture, ALogOfAnotherDescriptorIsNotTaken) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  const auto log = Logger::open({.level = LogLevel::kInfo, .descriptor = pipe_fds[1], .name = "worker"});
  ASSERT_TRUE(log);
  auto capture = OutputCapture::start(stderr);
  ASSERT_TRUE(capture);
  log->info("a line of our own");
  std::fprintf(stderr, "what the driver says");
  EXPECT_EQ((*capture)->take(), "what the driver says");
  char line[256];
  const ssize_t got = ::read(pipe_fds[0], line, sizeof line);
  ASSERT_GT(got, 0);
  EXPECT_NE(std::string(line, static_cast<size_t>(got)).find("a line of our own"), std::string::npos);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

}  // namespace
}  // namespace outboard::server
