#include "server/daemon/server_options.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace outboard::server {
namespace {

ParsedOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "outboard-server");
  return parse_server_options(static_cast<int>(arguments.size()), arguments.data(), "/opt/bin");
}

class ServerOptionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"OUTBOARD_SERVER_LISTEN", "OUTBOARD_SERVER_DRIVER",
                             "OUTBOARD_SERVER_CACHE_FOLDER", "OUTBOARD_LOG", "OUTBOARD_LOG_FILE"}) {
      ::unsetenv(name);
    }
    ::setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
  }
};

TEST_F(ServerOptionsTest, Defaults) {
  const ParsedOptions parsed = parse({});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.listen, std::vector<std::string>{"unix:/run/user/1000/outboard.sock"});
  EXPECT_EQ(parsed.options.driver, "auto");
  EXPECT_EQ(parsed.options.worker_program, "/opt/bin/outboard-worker");
  EXPECT_FALSE(parsed.options.name.empty());
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(parse({}).options.listen, std::vector<std::string>{"127.0.0.1:7070"});
}

TEST_F(ServerOptionsTest, WhatClientsSendIsKeptInTheUsersCacheUnlessToldOtherwise) {
  ::setenv("HOME", "/users/lab", 1);
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(parse({}).options.cache_folder, "/users/lab/.cache/outboard/content");
  EXPECT_EQ(parse({}).options.cache_bytes, uint64_t{4} << 30);
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(parse({}).options.cache_folder, "/cache/outboard/content");
  ::setenv("OUTBOARD_SERVER_CACHE_FOLDER", "/big", 1);
  EXPECT_EQ(parse({}).options.cache_folder, "/big");
  EXPECT_EQ(parse({"--cache-folder", "/bigger"}).options.cache_folder, "/bigger");
  EXPECT_EQ(parse({"--cache-size", "0"}).options.cache_bytes, 0u);
  const ParsedOptions wrong = parse({"--cache-size", "much"});
  EXPECT_FALSE(wrong.run);
  EXPECT_NE(wrong.text.find("much"), std::string::npos) << wrong.text;
  ::unsetenv("XDG_CACHE_HOME");
}

TEST_F(ServerOptionsTest, EverythingCanBeSaid) {
  const ParsedOptions parsed = parse({"--listen",
                                      "127.0.0.1:1",
                                      "--listen",
                                      "unix:/s",
                                      "--driver",
                                      "softgpu",
                                      "--max-sessions",
                                      "3",
                                      "--allow-uid",
                                      "1000",
                                      "--name",
                                      "lab",
                                      "--log-level",
                                      "debug",
                                      "--exit-with-parent",
                                      "--ready-fd",
                                      "9",
                                      "--hello-timeout-ms",
                                      "50",
                                      "--worker",
                                      "/w"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.listen, (std::vector<std::string>{"127.0.0.1:1", "unix:/s"}));
  EXPECT_EQ(parsed.options.driver, "softgpu");
  EXPECT_EQ(parsed.options.max_sessions, 3u);
  EXPECT_EQ(parsed.options.allowed_uids, std::vector<uid_t>{1000});
  EXPECT_EQ(parsed.options.name, "lab");
  EXPECT_EQ(parsed.options.log.level, LogLevel::kDebug);
  EXPECT_TRUE(parsed.options.exit_with_parent);
  EXPECT_EQ(parsed.options.ready_fd, 9);
  EXPECT_EQ(parsed.options.hello_timeout.count(), 50);
  EXPECT_EQ(parsed.options.worker_program, "/w");
}

TEST_F(ServerOptionsTest, FlagsBeatVariablesBeatTheFile) {
  const std::string path = ::testing::TempDir() + "server_options_test.toml";
  std::ofstream(path) << "driver = \"from-file\"\nmax-sessions = 7\nlisten = [\"127.0.0.1:5\"]\n";
  EXPECT_EQ(parse({"--config", path.c_str()}).options.driver, "from-file");
  EXPECT_EQ(parse({"--config", path.c_str()}).options.max_sessions, 7u);
  EXPECT_EQ(parse({"--config", path.c_str()}).options.listen, std::vector<std::string>{"127.0.0.1:5"});
  ::setenv("OUTBOARD_SERVER_DRIVER", "from-variable", 1);
  EXPECT_EQ(parse({"--config", path.c_str()}).options.driver, "from-variable");
  EXPECT_EQ(parse({"--config", path.c_str(), "--driver", "from-flag"}).options.driver, "from-flag");
  std::remove(path.c_str());
}

TEST_F(ServerOptionsTest, MistakesAreExplained) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"--listen", "0.0.0.0:7070"},
                                                                     {"--max-sessions", "0"},
                                                                     {"--log-level", "loud"},
                                                                     {"--config", "/nowhere.toml"},
                                                                     {"extra"}}) {
    const ParsedOptions parsed = parse(arguments);
    EXPECT_FALSE(parsed.run) << arguments[0];
    EXPECT_NE(parsed.status, 0);
    EXPECT_FALSE(parsed.text.empty());
  }
  const ParsedOptions help = parse({"--help"});
  EXPECT_FALSE(help.run);
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.text.find("--max-sessions"), std::string::npos);
  EXPECT_NE(parse({"--version"}).text.find("outboard-server "), std::string::npos);
}

}  // namespace
}  // namespace outboard::server
