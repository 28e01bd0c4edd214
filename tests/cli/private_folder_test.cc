#include "pooling/cli/private_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TEST(PrivateFolder, IsForItsOwnerOnlyAndGoesAway) {
  const TemporaryFolder parent;
  std::string path;
  {
    auto folder = PrivateFolder::create({parent.path().string()});
    ASSERT_TRUE(folder) << folder.error().message;
    path = folder->path();
    struct stat info{};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    testing::write_file(folder->file("sub/file"), "x");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(PrivateFolder, RemovesWhatAKilledProcessLeft) {
  const TemporaryFolder parent;
  const fs::path left = parent.path() / "outboard-run.left01";
  testing::write_file(left / "lock", "");
  testing::write_file(left / "s", "");
  const auto folder = PrivateFolder::create({parent.path().string()});
  ASSERT_TRUE(folder);
  EXPECT_FALSE(fs::exists(left));
}

TEST(PrivateFolder, LeavesFoldersInUseAndOthersAlone) {
  const TemporaryFolder parent;
  const auto first = PrivateFolder::create({parent.path().string()});
  ASSERT_TRUE(first);
  testing::write_file(parent.path() / "other" / "lock", "");
  testing::write_file(parent.path() / "outboard-run.nolock" / "file", "");
  const auto second = PrivateFolder::create({parent.path().string()});
  ASSERT_TRUE(second);
  EXPECT_TRUE(fs::exists(first->path()));
  EXPECT_TRUE(fs::exists(parent.path() / "other"));
  EXPECT_TRUE(fs::exists(parent.path() / "outboard-run.nolock"));
}

TEST(PrivateFolder, SkipsParentsThatAreTooLongOrMissing) {
  const TemporaryFolder parent;
  const std::string missing = parent.file("missing");
  const fs::path deep = parent.path() / std::string(100, 'd');
  fs::create_directory(deep);
  const auto folder = PrivateFolder::create({missing, deep.string(), parent.path().string()});
  ASSERT_TRUE(folder);
  EXPECT_EQ(fs::path(folder->path()).parent_path(), parent.path());
  const auto nowhere = PrivateFolder::create({missing, deep.string()});
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find(missing), std::string::npos);
}

}  // namespace
}  // namespace outboard::cli
