#include "client-lib/state/export_tokens.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace outboard::client {
namespace {

constexpr ExportKey kKey{1, 2, 3, UINT64_MAX};

TEST(ExportTokens, HoldAKeyThatNobodyCanChange) {
  ExportTokens tokens;
  const int token = tokens.issue(kKey);
  ASSERT_GE(token, 0);
  EXPECT_EQ(ExportTokens::read(token), kKey);
  EXPECT_LT(pwrite(token, "x", 1, 0), 0);
  EXPECT_NE(ftruncate(token, 0), 0);
  close(token);
}

TEST(ExportTokens, OtherFilesHoldNone) {
  EXPECT_FALSE(ExportTokens::read(-1));
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_FALSE(ExportTokens::read(null));
  close(null);
  const int file = memfd_create("test", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(file, 48), 0);  // as long as a token
  EXPECT_FALSE(ExportTokens::read(file));
  close(file);
}

TEST(ExportTokens, AreClosedWhenTheLastCopyIs) {
  ExportTokens tokens;
  const int token = tokens.issue(kKey);
  const int other = tokens.issue({4, 5, 6, 7});
  EXPECT_TRUE(tokens.take_closed().empty());
  const int copy = dup(token);
  close(token);
  EXPECT_TRUE(tokens.take_closed().empty());
  close(copy);
  EXPECT_EQ(tokens.take_closed(), std::vector<ExportKey>{kKey});
  EXPECT_TRUE(tokens.take_closed().empty()) << "it is told once";
  close(other);
}

TEST(ExportTokens, CopiesInOtherProcessesCount) {
  ExportTokens tokens;
  const int token = tokens.issue(kKey);
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    close(gate[1]);
    (void)!read(gate[0], &byte, 1);  // holds the token until the other end is closed
    _exit(0);
  }
  close(token);
  EXPECT_TRUE(tokens.take_closed().empty());
  close(gate[1]);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(tokens.take_closed().size(), 1u);
  close(gate[0]);
}

TEST(ExportTokens, ACopyUnderWayCounts) {
  ExportTokens tokens;
  const int token = tokens.issue(kKey);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof token)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof token);
  memcpy(CMSG_DATA(header), &token, sizeof token);
  ASSERT_EQ(sendmsg(pair[0], &message, 0), 1);
  close(token);
  EXPECT_TRUE(tokens.take_closed().empty());
  close(pair[0]);
  close(pair[1]);
  EXPECT_EQ(tokens.take_closed().size(), 1u);
}

}  // namespace
}  // namespace outboard::client
