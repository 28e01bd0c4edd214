#include "server/worker/content_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "tests/base/temporary_folder.h"

namespace outboard::server {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> content_of(size_t bytes, uint8_t fill) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(fill));
}

class ContentStoreTest : public ::testing::Test {
 protected:
  ContentStore open(uint64_t most_bytes = 1 << 20) {
    return std::move(*ContentStore::open(path(), most_bytes));
  }
  std::string path() const { return folder_.path("content/1000"); }
  std::string file(const std::vector<std::byte>& content) const {
    return path() + "/" + to_hex(content_hash(content));
  }
  // As if it had been used last that long ago.
  void age(const std::vector<std::byte>& content, std::chrono::minutes by) const {
    fs::last_write_time(file(content), fs::file_time_type::clock::now() - by);
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path()), fs::directory_iterator()));
  }

  outboard::testing::TemporaryFolder folder_;
};

TEST_F(ContentStoreTest, WhatIsKeptIsFoundByEveryWorker) {
  const auto content = content_of(1000, 7);
  auto first = open();
  EXPECT_FALSE(first.find(content_hash(content), content.size()));
  ASSERT_TRUE(first.keep(content_hash(content), content));
  EXPECT_EQ(open().find(content_hash(content), content.size()), content);
  EXPECT_FALSE(open().find(content_hash(content), content.size() + 1)) << "another size is other content";
}

TEST_F(ContentStoreTest, NobodyElseMayLookInside) {
  open();
  struct stat facts{};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
}

TEST_F(ContentStoreTest, WhatIsDamagedIsNotFoundAndGoes) {
  const auto content = content_of(1000, 7);
  auto store = open();
  ASSERT_TRUE(store.keep(content_hash(content), content));
  folder_.write("content/1000/" + to_hex(content_hash(content)), std::string(1000, 'x'));
  EXPECT_FALSE(store.find(content_hash(content), content.size()));
  EXPECT_EQ(files(), 0u);
}

TEST_F(ContentStoreTest, TheOldestGoesWhenThereIsTooMuch) {
  const auto a = content_of(400, 1);
  const auto b = content_of(400, 2);
  const auto c = content_of(400, 3);
  auto store = open(1000);
  for (const auto& content : {a, b}) ASSERT_TRUE(store.keep(content_hash(content), content));
  age(a, std::chrono::minutes(2));
  age(b, std::chrono::minutes(1));
  EXPECT_TRUE(store.find(content_hash(a), a.size())) << "used now, so it is not the oldest any more";
  ASSERT_TRUE(store.keep(content_hash(c), c));
  EXPECT_TRUE(store.find(content_hash(a), a.size()));
  EXPECT_FALSE(store.find(content_hash(b), b.size()));
  EXPECT_TRUE(store.find(content_hash(c), c.size()));
}

TEST_F(ContentStoreTest, WhatWouldThrowOutHalfIsNotKept) {
  const auto content = content_of(501, 1);
  auto store = open(1000);
  ASSERT_TRUE(store.keep(content_hash(content), content));
  EXPECT_FALSE(store.find(content_hash(content), content.size()));
}

TEST_F(ContentStoreTest, WhatDeadWorkersLeftBehindGoes) {
  auto store = open();
  folder_.write("content/1000/abandoned.part", "x");
  fs::last_write_time(path() + "/abandoned.part", fs::file_time_type::clock::now() - std::chrono::hours(2));
  folder_.write("content/1000/under_way.part", "x");
  ASSERT_TRUE(store.keep(content_hash(content_of(1, 1)), content_of(1, 1)));
  EXPECT_FALSE(fs::exists(path() + "/abandoned.part"));
  EXPECT_TRUE(fs::exists(path() + "/under_way.part"));
}

TEST_F(ContentStoreTest, AFolderThatCannotBeMadeIsAnErrorThatSaysSo) {
  folder_.write("content", "a file");
  const auto store = ContentStore::open(path(), 1000);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find(path()), std::string::npos) << store.error().message;
}

}  // namespace
}  // namespace outboard::server
