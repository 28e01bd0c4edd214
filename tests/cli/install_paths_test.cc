#include "pooling/cli/install_paths.h"

#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

using testing::TemporaryFolder;
using testing::write_file;

TEST(InstallPaths, FindsABuildTree) {
  const TemporaryFolder root;
  write_file(root.path() / "bin/outboard-server", "");
  write_file(root.path() / "lib/libcuda.so.1", "");
  const auto paths = find_install_paths(root.file("bin/outboard"));
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_EQ(paths->library_folder, root.file("lib"));
  EXPECT_EQ(paths->server_program, root.file("bin/outboard-server"));
}

TEST(InstallPaths, PrefersAnInstallationsOwnFolders) {
  const TemporaryFolder root;
  write_file(root.path() / "bin/outboard-server", "");
  write_file(root.path() / "lib/libcuda.so.1", "NVIDIA's, perhaps");
  write_file(root.path() / "lib/outboard/libcuda.so.1", "");
  const auto paths = find_install_paths(root.file("bin/outboard"));
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_EQ(paths->library_folder, root.file("lib/outboard"));
  EXPECT_EQ(paths->server_program, root.file("bin/outboard-server"));
}

TEST(InstallPaths, NamesWhatIsMissingAndWhereItLooked) {
  const TemporaryFolder root;
  const auto nothing = find_install_paths(root.file("bin/outboard"));
  ASSERT_FALSE(nothing);
  EXPECT_NE(nothing.error().message.find(root.file("lib/outboard")), std::string::npos);
  write_file(root.path() / "lib/libcuda.so.1", "");
  const auto no_server = find_install_paths(root.file("bin/outboard"));
  ASSERT_FALSE(no_server);
  EXPECT_NE(no_server.error().message.find("outboard-server"), std::string::npos);
}

}  // namespace
}  // namespace outboard::cli
