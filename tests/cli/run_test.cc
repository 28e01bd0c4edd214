// `outboard run` as a program, in a folder laid out like an installation, with a script as server.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;
using testing::fake_server_preamble;
using testing::kSayReady;
using testing::read_file;
using testing::write_script;

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class Run : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.path() / "bin");
    fs::create_directories(folder_.path() / "tmp");
    fs::copy_file(OUTBOARD_PROGRAM, folder_.path() / "bin/outboard");
    testing::write_file(folder_.path() / "lib/outboard/libcuda.so.1", "");
    serve(std::string("echo $$ > ") + folder_.file("server-pid") + "\n" + kSayReady + "exec sleep 60\n");
  }
  void serve(const std::string& body) {
    write_script(folder_.path() / "bin/outboard-server", fake_server_preamble() + body);
  }
  // Nothing of this machine's own configuration gets in.
  std::string command_line(const std::string& arguments, const std::string& variables) {
    return "env -u OUTBOARD_SERVER -u OUTBOARD_STATS_FILE -u XDG_RUNTIME_DIR LD_LIBRARY_PATH=/inherited "
           "OUTBOARD_CONFIG= HOME=" +
           folder_.file("home") + " TMPDIR=" + folder_.file("tmp") + " " + variables + " " +
           folder_.file("bin/outboard") + " " + arguments + " >" + folder_.file("out") + " 2>" +
           folder_.file("err") + " </dev/null";
  }
  Outcome run(const std::string& arguments, const std::string& variables = "") {
    const int status = std::system(command_line(arguments, variables).c_str());
    return {WEXITSTATUS(status), read_file(folder_.file("out")), read_file(folder_.file("err"))};
  }
  bool server_is_gone() {
    const pid_t server = std::atoi(read_file(folder_.file("server-pid")).c_str());
    return server > 0 && kill(server, 0) != 0;
  }
  bool nothing_is_left() { return fs::is_empty(folder_.path() / "tmp"); }

  testing::TemporaryFolder folder_;
};

TEST_F(Run, GivesTheProgramWhatItNeeds) {
  const Outcome outcome =
      run("run -- sh -c 'echo $LD_LIBRARY_PATH; echo $OUTBOARD_SERVER; echo $OUTBOARD_STATS_FILE'");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(folder_.file("lib/outboard") + ":/inherited\n"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("\nunix:" + folder_.file("tmp") + "/outboard-run."), std::string::npos)
      << outcome.out;
  EXPECT_TRUE(server_is_gone());
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(Run, PassesExitCodesAndSignalsThrough) {
  EXPECT_EQ(run("run sh -c 'exit 7'").exit_code, 7);
  EXPECT_EQ(run("run sh -c 'kill -KILL $$'").exit_code, 137);
  EXPECT_EQ(run("run no-such-program-anywhere").exit_code, 127);
  EXPECT_EQ(run("run " + folder_.file("server-pid")).exit_code, 126);
  EXPECT_TRUE(server_is_gone());
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(Run, ForwardsASignalToTheProgram) {
  const std::string ready = folder_.file("program-ready");
  write_script(folder_.path() / "patient",
               "trap 'exit 42' TERM; touch " + ready + "; while :; do sleep 0.02; done\n");
  const pid_t shell = fork();
  ASSERT_GE(shell, 0);
  if (shell == 0) {
    const std::string command = "exec " + command_line("run " + folder_.file("patient"), "");
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(99);
  }
  for (int i = 0; i < 5000 && !fs::exists(ready); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  kill(shell, SIGTERM);  // by now it is outboard: sh and env have replaced themselves
  int status = 0;
  ASSERT_EQ(waitpid(shell, &status, 0), shell);
  EXPECT_EQ(WEXITSTATUS(status), 42) << read_file(folder_.file("err"));
  EXPECT_TRUE(server_is_gone());
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(Run, SaysThatAProgramDidNotUseCuda) {
  EXPECT_NE(run("run true").err.find("did not load our libcuda"), std::string::npos);
  EXPECT_EQ(run("run --quiet true").err, "");
}

TEST_F(Run, LeaseTermsReachTheProgramsLibrary) {
  const Outcome outcome =
      run("run --memory 1GiB --compute 30% --log-level debug -- sh -c 'echo $OUTBOARD_MEMORY "
          "$OUTBOARD_COMPUTE $OUTBOARD_LOG'");
  EXPECT_EQ(outcome.out, "1073741824 30 debug\n") << outcome.err;
}

TEST_F(Run, AServerThatCannotStartIsAClearError) {
  serve("eval \"echo 'error: The driver /x is broken.' >&$ready\"; exit 1\n");
  const Outcome outcome = run("run true");
  EXPECT_EQ(outcome.exit_code, 125);
  EXPECT_NE(outcome.err.find("The driver /x is broken."), std::string::npos) << outcome.err;
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(Run, ANamedServerThatIsNotThereIsAClearError) {
  const std::string address = "unix:" + folder_.file("nobody");
  const Outcome by_flag = run("run --server " + address + " true");
  EXPECT_EQ(by_flag.exit_code, 125);
  EXPECT_NE(by_flag.err.find(address), std::string::npos) << by_flag.err;
  EXPECT_NE(by_flag.err.find("--server"), std::string::npos) << by_flag.err;
  const Outcome by_variable = run("run true", "OUTBOARD_SERVER=" + address);
  EXPECT_EQ(by_variable.exit_code, 125);
  EXPECT_NE(by_variable.err.find("OUTBOARD_SERVER"), std::string::npos) << by_variable.err;
}

TEST_F(Run, FlagsOverrideVariablesAndVariablesTheFile) {
  const std::string file = folder_.file("config.toml");
  testing::write_file(file, "server = \"unix:" + folder_.file("from-file") + "\"\n");
  const std::string config = "OUTBOARD_CONFIG=" + file;
  EXPECT_NE(run("run true", config).err.find("from-file"), std::string::npos)
      << read_file(folder_.file("err"));
  const std::string both = config + " OUTBOARD_SERVER=unix:" + folder_.file("from-variable");
  EXPECT_NE(run("run true", both).err.find("from-variable"), std::string::npos)
      << read_file(folder_.file("err"));
  const Outcome flag = run("run --server unix:" + folder_.file("from-flag") + " true", both);
  EXPECT_NE(flag.err.find("from-flag"), std::string::npos) << flag.err;
  EXPECT_EQ(flag.err.find("from-variable"), std::string::npos) << flag.err;
}

TEST_F(Run, ADriverForANamedServerIsRefused) {
  const Outcome outcome = run("run --server 127.0.0.1:1 --driver softgpu true");
  EXPECT_EQ(outcome.exit_code, 125);
  EXPECT_NE(outcome.err.find("--driver"), std::string::npos) << outcome.err;
}

TEST_F(Run, VersionAndHelpNeedNothing) {
  fs::remove(folder_.path() / "bin/outboard-server");
  EXPECT_EQ(run("version").exit_code, 0);
  EXPECT_NE(run("version -o json").out.find("\"protocol_version\""), std::string::npos);
  EXPECT_EQ(run("--help").exit_code, 0);
}

TEST_F(Run, DoctorAndDevicesReportAMissingServer) {
  fs::remove(folder_.path() / "bin/outboard-server");
  const Outcome doctor = run("doctor ls");
  EXPECT_EQ(doctor.exit_code, 1) << doctor.out << doctor.err;
  EXPECT_NE(doctor.out.find("FAIL"), std::string::npos) << doctor.out;
  EXPECT_NE(doctor.out.find("outboard-server is not beside"), std::string::npos) << doctor.out;
  EXPECT_EQ(run("devices").exit_code, 1);
}

}  // namespace
}  // namespace outboard::cli
