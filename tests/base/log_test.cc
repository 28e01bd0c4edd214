#include <fnmatch.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <thread>

#include "protocol/base/log.h"
#include "tests/base/temporary_folder.h"

namespace outboard {
namespace {

using testing::TemporaryFolder;

TEST(Log, WritesOneLineWithTimeProcessLevelAndName) {
  const TemporaryFolder folder;
  const auto logger =
      Logger::open({.level = LogLevel::kInfo, .file_path = folder.path("log"), .name = "worker 3"});
  ASSERT_TRUE(logger);
  logger->info("The session {} has started.");  // braces are text, not a format
  const char* expected =
      "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9]Z "
      "\\[[0-9]*\\] info worker 3: The session {} has started.\n";
  EXPECT_EQ(::fnmatch(expected, folder.read("log").c_str(), 0), 0) << folder.read("log");
}

TEST(Log, LeavesOutWhatIsBelowTheLevel) {
  const TemporaryFolder folder;
  const auto logger = Logger::open({.file_path = folder.path("log"), .name = "x"});  // warn
  ASSERT_TRUE(logger);
  EXPECT_TRUE(logger->enabled(LogLevel::kError));
  EXPECT_TRUE(logger->enabled(LogLevel::kWarn));
  EXPECT_FALSE(logger->enabled(LogLevel::kInfo));
  logger->info("no");
  logger->debug("no");
  logger->warn("yes");
  logger->error("yes");
  const std::string content = folder.read("log");
  EXPECT_EQ(content.find("no"), std::string::npos);
  EXPECT_NE(content.find("warn x: yes"), std::string::npos);
  EXPECT_NE(content.find("error x: yes"), std::string::npos);
}

TEST(Log, DefaultLoggerIsSilent) {
  const Logger logger;
  EXPECT_FALSE(logger.enabled(LogLevel::kError));
  ::testing::internal::CaptureStderr();
  logger.error("nothing");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Log, GoesToStandardErrorNeverToStandardOutput) {
  const auto logger = Logger::open({.name = "x"});
  ASSERT_TRUE(logger);
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  logger->warn("hello");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("hello"), std::string::npos);
}

TEST(Log, LinesOfManyThreadsStayWhole) {
  const TemporaryFolder folder;
  const auto logger = Logger::open({.file_path = folder.path("log"), .name = "x"});
  ASSERT_TRUE(logger);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) logger->warn(std::string(50, static_cast<char>('a' + t)));
    });
  }
  for (auto& thread : threads) thread.join();
  std::istringstream lines(folder.read("log"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    ASSERT_FALSE(line.empty());
    ASSERT_TRUE(line.ends_with(" warn x: " + std::string(50, line.back()))) << line;
    ASSERT_EQ(line.find('Z'), line.rfind('Z')) << "two lines in one: " << line;
  }
  EXPECT_EQ(count, 400);
}

TEST(Log, WorksInAForkedChildAndKeepsErrno) {
  const TemporaryFolder folder;
  const auto logger = Logger::open({.file_path = folder.path("log"), .name = "x"});
  ASSERT_TRUE(logger);
  const pid_t child = ::fork();
  if (child == 0) {
    errno = 4242;
    logger->warn("from the child");
    ::_exit(errno == 4242 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_NE(folder.read("log").find("from the child"), std::string::npos);
}

TEST(Log, RefusesAFileThatCannotBeWritten) {
  const auto logger = Logger::open({.file_path = "/nonexistent/folder/log", .name = {}});
  ASSERT_FALSE(logger);
  EXPECT_EQ(logger.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(logger.error().message.find("/nonexistent/folder/log"), std::string::npos);
}

TEST(Log, LevelNamesThereAndBack) {
  for (const auto level : {LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
    EXPECT_EQ(parse_log_level(log_level_name(level)).value(), level);
  }
  EXPECT_FALSE(parse_log_level("INFO"));
  EXPECT_FALSE(parse_log_level(""));
}

}  // namespace
}  // namespace outboard
