#include "pooling/cli/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace outboard::cli {
namespace {

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "outboard");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

RunOptions parse_run(std::vector<const char*> words) {
  words.insert(words.begin(), "run");
  const Command command = parse(std::move(words));
  const auto* run = std::get_if<RunOptions>(&command);
  if (run == nullptr) ADD_FAILURE() << "not a run: " << std::get<PrintAndExit>(command).text;
  return run == nullptr ? RunOptions{} : *run;
}

PrintAndExit parse_refused(const std::vector<const char*>& words) {
  const Command command = parse(words);
  const auto* print = std::get_if<PrintAndExit>(&command);
  if (print == nullptr) ADD_FAILURE() << "was accepted";
  return print == nullptr ? PrintAndExit{} : *print;
}

TEST(Options, RunTakesTheProgramAndItsArguments) {
  const RunOptions run = parse_run({"./prog", "a", "b"});
  EXPECT_EQ(run.command, (std::vector<std::string>{"./prog", "a", "b"}));
  EXPECT_FALSE(run.server.has_value());
  EXPECT_EQ(run.summary, Summary::kLine);
}

TEST(Options, OptionsBehindTheProgramAreThePrograms) {
  const RunOptions run = parse_run({"--server", "h:1", "prog", "--server", "other", "-q", "--help"});
  EXPECT_EQ(run.server, "h:1");
  EXPECT_EQ(run.command, (std::vector<std::string>{"prog", "--server", "other", "-q", "--help"}));
  EXPECT_EQ(run.summary, Summary::kLine);
}

TEST(Options, TwoDashesEndTheOptions) {
  const RunOptions run = parse_run({"-q", "--", "--odd-name", "--", "x"});
  EXPECT_EQ(run.command, (std::vector<std::string>{"--odd-name", "--", "x"}));
  EXPECT_EQ(run.summary, Summary::kQuiet);
}

TEST(Options, RunTakesLeaseTermsInBothSpellings) {
  const RunOptions run = parse_run(
      {"--memory=4GiB", "--compute", "30%", "--stats", "--log-level=debug", "--driver", "softgpu", "p"});
  EXPECT_EQ(run.memory_bytes, 4ull << 30);
  EXPECT_EQ(run.compute_percent, 30u);
  EXPECT_EQ(run.summary, Summary::kFull);
  EXPECT_EQ(run.log_level, "debug");
  EXPECT_EQ(run.driver, "softgpu");
}

TEST(Options, RefusesWhatItDoesNotUnderstand) {
  EXPECT_NE(parse_refused({"run"}).text.find("needs a PROGRAM"), std::string::npos);
  EXPECT_EQ(parse_refused({"run"}).exit_code, kRunFailedExitCode);
  EXPECT_NE(parse_refused({"run", "--bogus", "p"}).text.find("--bogus"), std::string::npos);
  EXPECT_NE(parse_refused({"run", "--compute", "300%", "p"}).text.find("300%"), std::string::npos);
  EXPECT_NE(parse_refused({"run", "--server"}).text.find("--server"), std::string::npos);
  EXPECT_NE(parse_refused({"run", "--log-level", "loud", "p"}).text.find("loud"), std::string::npos);
  EXPECT_EQ(parse_refused({"frobnicate"}).exit_code, kUsageExitCode);
  EXPECT_NE(parse_refused({"frobnicate"}).text.find("frobnicate"), std::string::npos);
  EXPECT_EQ(parse_refused({"devices", "-o", "yaml"}).exit_code, kUsageExitCode);
  EXPECT_EQ(parse_refused({}).exit_code, kUsageExitCode);
}

TEST(Options, HelpIsNoError) {
  EXPECT_EQ(parse_refused({"--help"}).exit_code, 0);
  EXPECT_NE(parse_refused({"run", "--help"}).text.find("PROGRAM [ARGS...]"), std::string::npos);
  EXPECT_EQ(parse_refused({"devices", "-h"}).exit_code, 0);
}

TEST(Options, OtherCommands) {
  const Command devices = parse({"devices", "--server", "unix:/x", "-o", "json"});
  ASSERT_TRUE(std::holds_alternative<DevicesOptions>(devices));
  EXPECT_EQ(std::get<DevicesOptions>(devices).format, OutputFormat::kJson);
  EXPECT_EQ(std::get<DevicesOptions>(devices).server, "unix:/x");
  const Command doctor = parse({"doctor", "a", "b"});
  ASSERT_TRUE(std::holds_alternative<DoctorOptions>(doctor));
  EXPECT_EQ(std::get<DoctorOptions>(doctor).programs, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(std::holds_alternative<VersionOptions>(parse({"version"})));
  EXPECT_TRUE(std::holds_alternative<VersionOptions>(parse({"--version"})));
}

}  // namespace
}  // namespace outboard::cli
