#include <gtest/gtest.h>
#include <map>

#include "protocol/base/config.h"
#include "protocol/base/limits.h"
#include "tests/base/temporary_folder.h"

namespace outboard {
namespace {

using testing::TemporaryFolder;

class Config : public ::testing::Test {
 protected:
  Result<ClientConfig> load(std::vector<ConfigFlag> flags = {}) {
    return load_client_config(
        [this](const char* name) {
          const auto found = variables_.find(name);
          return found == variables_.end() ? nullptr : found->second.c_str();
        },
        flags);
  }
  // The message of the error that loading must give.
  std::string error(ErrorKind kind = ErrorKind::kInvalidArgument) {
    const auto config = load();
    if (config) return "no error";
    EXPECT_EQ(config.error().kind, kind);
    return config.error().message;
  }
  void file(const std::string& content) {
    variables_["OUTBOARD_CONFIG"] = folder_.write("given.toml", content);
  }

  TemporaryFolder folder_;
  std::map<std::string, std::string> variables_;
};

TEST_F(Config, DefaultsNeedNothing) {
  const auto config = load();
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server.value, "");
  EXPECT_EQ(config->server.source, "the default");
  EXPECT_EQ(config->log.value, LogLevel::kWarn);
  EXPECT_EQ(config->timeout.value, std::chrono::milliseconds(10'000));
  EXPECT_EQ(config->memory_bytes.value, 0u);
}

TEST_F(Config, FlagsOverVariablesOverFileOverDefaults) {
  file("server = 'file:1'\nlog = 'debug'\ntimeout_ms = 5\npriority = -2\n");
  variables_["OUTBOARD_SERVER"] = "variable:1";
  variables_["OUTBOARD_LOG"] = "info";
  const auto config = load({{"server", "flag:1", "--server"}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.value, "flag:1");
  EXPECT_EQ(config->server.source, "the flag --server");
  EXPECT_EQ(config->log.value, LogLevel::kInfo);
  EXPECT_EQ(config->log.source, "the variable OUTBOARD_LOG");
  EXPECT_EQ(config->timeout.value, std::chrono::milliseconds(5));
  EXPECT_NE(config->timeout.source.find("given.toml, line 3"), std::string::npos) << config->timeout.source;
  EXPECT_EQ(config->priority.value, -2);
  EXPECT_EQ(config->offer_copies.value, OfferCopies::kAuto);
  EXPECT_EQ(config->compute_percent.source, "the default");
}

TEST_F(Config, EveryKeyIsUnderstood) {
  file(
      "server = 'a:1'\nlog = 'error'\nlog_file = '/l'\nstats_file = '/s'\ntimeout_ms = 7\nmemory = '2GiB'\n"
      "compute = '30%'\npriority = 4\noffer_copies = 'never'\n");
  const auto config = load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->log.value, LogLevel::kError);
  EXPECT_EQ(config->log_file.value, "/l");
  EXPECT_EQ(config->stats_file.value, "/s");
  EXPECT_EQ(config->memory_bytes.value, uint64_t{2} << 30);
  EXPECT_EQ(config->compute_percent.value, 30u);
  EXPECT_EQ(config->priority.value, 4);
  EXPECT_EQ(config->offer_copies.value, OfferCopies::kNever);
}

TEST_F(Config, EveryVariableIsUnderstood) {
  variables_ = {{"OUTBOARD_LOG_FILE", "/l"},        {"OUTBOARD_STATS_FILE", "/s"},
                {"OUTBOARD_TIMEOUT_MS", "8"},       {"OUTBOARD_MEMORY", "4096"},
                {"OUTBOARD_COMPUTE", "50"},         {"OUTBOARD_PRIORITY", "-100"},
                {"OUTBOARD_OFFER_COPIES", "always"}};
  const auto config = load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->log_file.value, "/l");
  EXPECT_EQ(config->stats_file.value, "/s");
  EXPECT_EQ(config->timeout.value.count(), 8);
  EXPECT_EQ(config->memory_bytes.value, 4096u);
  EXPECT_EQ(config->compute_percent.value, 50u);
  EXPECT_EQ(config->priority.value, -100);
  EXPECT_EQ(config->offer_copies.value, OfferCopies::kAlways);
}

TEST_F(Config, TheDefaultFileIsFoundAndMayBeMissing) {
  variables_["HOME"] = folder_.path("home");
  EXPECT_TRUE(load());
  folder_.write("home/.config/outboard/config.toml", "server = 'home:1'\n");
  EXPECT_EQ(load().value().server.value, "home:1");
  variables_["XDG_CONFIG_HOME"] = folder_.path("xdg");
  EXPECT_EQ(load().value().server.value, "");
  folder_.write("xdg/outboard/config.toml", "server = 'xdg:1'\n");
  EXPECT_EQ(load().value().server.value, "xdg:1");
  variables_["OUTBOARD_CONFIG"] = "/dev/null";
  EXPECT_EQ(load().value().server.value, "");
}

TEST_F(Config, EmptyVariablesCountAsUnset) {
  file("server = 'file:1'\n");
  variables_["OUTBOARD_SERVER"] = "";
  EXPECT_EQ(load().value().server.value, "file:1");
  variables_["OUTBOARD_CONFIG"] = "";
  EXPECT_EQ(load().value().server.value, "");
}

TEST_F(Config, ErrorsSayWhatAndWhere) {
  variables_["OUTBOARD_CONFIG"] = folder_.path("missing.toml");
  EXPECT_NE(error(ErrorKind::kNotFound).find("missing.toml"), std::string::npos);
  file("server = 'a:1'\nsevrer = 'b:1'\n");
  EXPECT_NE(error().find("line 2: there is no setting 'sevrer'"), std::string::npos) << error();
  file("server = \n");
  EXPECT_NE(error().find("line 1"), std::string::npos) << error();
  file("[server]\nname = 'x'\n");
  EXPECT_NE(error().find("'server' must be a string"), std::string::npos) << error();
  file("server = ['x']\n");
  EXPECT_NE(error().find("'server' must be a string"), std::string::npos) << error();
  file("timeout_ms = 0\n");
  EXPECT_NE(error().find("given.toml, line 1"), std::string::npos) << error();
  file("");
  variables_["OUTBOARD_LOG"] = "loud";
  EXPECT_NE(error().find("the variable OUTBOARD_LOG"), std::string::npos) << error();
  EXPECT_NE(error().find("'loud'"), std::string::npos) << error();
  variables_.erase("OUTBOARD_LOG");
  variables_["OUTBOARD_OFFER_COPIES"] = "sometimes";
  EXPECT_NE(error().find("'sometimes' is none of auto, always and never"), std::string::npos) << error();
}

TEST_F(Config, ValuesOutOfRangeAreRefused) {
  const std::pair<const char*, const char*> bad[] = {
      {"OUTBOARD_TIMEOUT_MS", "0"}, {"OUTBOARD_TIMEOUT_MS", "3600001"}, {"OUTBOARD_TIMEOUT_MS", "1s"},
      {"OUTBOARD_COMPUTE", "101"},  {"OUTBOARD_COMPUTE", "-1"},         {"OUTBOARD_COMPUTE", "%"},
      {"OUTBOARD_PRIORITY", "101"}, {"OUTBOARD_PRIORITY", "-101"},      {"OUTBOARD_PRIORITY", "high"},
      {"OUTBOARD_MEMORY", "lots"}};
  for (const auto& [name, value] : bad) {
    variables_ = {{name, value}};
    EXPECT_NE(error().find(name), std::string::npos) << name << '=' << value << ": " << error();
  }
}

TEST_F(Config, HugeFilesAreRefused) {
  file(std::string(limits::kConfigFileBytes + 1, '#'));
  EXPECT_NE(error().find("larger"), std::string::npos) << error();
}

TEST_F(Config, UnknownFlagKeysAreOurDefect) {
  const auto config = load({{"nonsense", "1", "--nonsense"}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().kind, ErrorKind::kInternal);
}

}  // namespace
}  // namespace outboard
