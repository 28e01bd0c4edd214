// outboard-worker: serves one session on descriptor 3, under the daemon at descriptor 4.
// `outboard-worker --probe DRIVER` finds a driver, reports it on descriptor 4, and ends.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/base/log.h"
#include "protocol/transport/transport.h"
#include "server/device/driver_library.h"
#include "server/device/sensors.h"
#include "server/worker/control_messages.h"
#include "server/worker/descriptors.h"
#include "server/worker/device_snapshot.h"
#include "server/worker/output_capture.h"
#include "server/worker/sandbox.h"
#include "server/worker/worker_session.h"

namespace outboard::server {
namespace {

constexpr std::chrono::seconds kProgressInterval{1};
// How long a session may go on after its client has hung up.
constexpr std::chrono::seconds kHangUpTime{3};

// What a worker never needs: more rights through set-uid programs, core files with tenants' data.
void confine() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGPIPE, SIG_IGN);
  // Ctrl-C in the daemon's terminal goes to all processes there; the daemon alone decides.
  ::signal(SIGINT, SIG_IGN);
  // Descriptors beyond the daemon's gifts must not leak into what a driver may start.
  ::fcntl(kConnectionFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
}

DriverFinder finder() {
  return DriverFinder(LibraryLoader::system(), software_device_paths(own_program_folder()));
}

int probe(const char* request) {
  control::Probed probed;
  auto driver = finder().find(request);
  if (!driver) {
    probed.error = driver.error().message;
  } else {
    probed.driver = driver->path();
    probed.reason = driver->reason();
    probed.driver_version = driver_version(driver->api());
    int count = 0;
    driver->api().cuDeviceGetCount(&count);
    for (int device = 0; device < count; ++device) {
      char name[256] = {};
      driver->api().cuDeviceGetName(name, sizeof name - 1, device);
      probed.devices.emplace_back(name);
    }
  }
  return control::send(kControlFd, probed) ? 0 : 1;
}

void report_end(const SessionEnd& end) {
  // Without a daemon there is nobody to tell.
  [[maybe_unused]] const Status sent =
      control::send(kControlFd, control::Ended{end.orderly, end.reason, end.totals});
}

void obey(WorkerSession& session, const control::Message& message) {
  if (const auto* stop = std::get_if<control::Stop>(&message)) session.stop(stop->reason);
  if (const auto* turn = std::get_if<control::Turn>(&message))
    session.compute().turn(turn->device, turn->credit_ns);
  if (const auto* yield = std::get_if<control::Yield>(&message)) session.compute().yield(yield->device);
}

// Tells the daemon how far the session is, does what the daemon says, and notices when the client is
// gone while the dispatch thread is inside a driver call that does not come back.
void attend(WorkerSession& session, const std::atomic<bool>& over) {
  using Clock = std::chrono::steady_clock;
  SessionTotals told;
  Clock::time_point next_report = Clock::now() + kProgressInterval;
  std::optional<Clock::time_point> hung_up;
  while (!over) {
    pollfd waiting[2] = {{kControlFd, POLLIN, 0}, {hung_up ? -1 : kConnectionFd, POLLRDHUP, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_report - Clock::now());
    ::poll(waiting, 2, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (waiting[0].revents != 0) {
      UniqueFd descriptor;
      auto message = control::receive(kControlFd, &descriptor);
      if (!message || !*message) return;
      if (auto* answer = std::get_if<ExportAnswer>(&**message))
        session.take_export_answer(std::move(*answer), std::move(descriptor));
      obey(session, **message);
    }
    const Clock::time_point now = Clock::now();
    if (!hung_up && waiting[1].revents != 0) hung_up = now;
    if (hung_up && now - *hung_up > kHangUpTime && !over) {
      report_end({false, "The client is gone, and a call of it did not end.", session.totals()});
      std::_Exit(0);
    }
    if (now < next_report) continue;
    next_report = now + kProgressInterval;
    const SessionTotals totals = session.totals();
    if (totals == told) continue;
    // The daemon may be behind; the next report says it all.
    [[maybe_unused]] const Status sent = control::send(kControlFd, control::Progress{totals});
    told = totals;
  }
}

// Lost words would leave a session without a turn for ever.
ComputeGate::Daemon turns_from_daemon() {
  const auto say = [](const control::Message& message) {
    [[maybe_unused]] const Status sent = control::send_surely(kControlFd, message);
  };
  return {.want = [say](uint32_t device) { say(control::Want{device}); },
          .used = [say](uint32_t device, uint64_t used_ns,
                        bool idle) { say(control::Used{device, used_ns, idle}); },
          .over = [say](uint32_t device, uint64_t used_ns,
                        bool more) { say(control::TurnOver{device, used_ns, more}); }};
}

// What the software device has to say of kernels that fail (an assertion, an address that is nobody's)
// it would write to its program's standard error; the program is the client.
void forward_log(const DriverLibrary& driver, WorkerSession& session) {
  if (!driver.is_software_device()) return;
  const auto forward = [](void* to, CUlogLevel, char* message, size_t length) {
    static_cast<WorkerSession*>(to)->tell_client(
        std::string(message, std::min(length, limits::kMessageBytes)));
  };
  CUlogsCallbackHandle handle = nullptr;
  // For as long as this process lives.
  [[maybe_unused]] const CUresult registered =
      driver.api().cuLogsRegisterCallback(forward, &session, &handle);
}

// Returns only when the session could not begin.
SessionEnd serve(const control::Start& start, const Logger& log) {
  auto hello = wire::decode_hello(as_bytes(start.hello));
  if (!hello) return {false, hello.error().message, {}};
  auto transport = transport::adopt_socket(kConnectionFd);
  if (!transport) return {false, transport.error().message, {}};
  auto driver = finder().find(start.driver);
  if (!driver) return {false, driver.error().message, {}};
  auto output = OutputCapture::start(stdout);
  if (!output) log.warn("What kernels print stays on the server: " + output.error().message);
  // The software device has a log for it, which is heard at once; others only write.
  std::unique_ptr<OutputCapture> errors;
  if (!driver->is_software_device()) {
    auto started = OutputCapture::start(stderr);
    if (!started) log.warn("What the driver says of failed kernels stays here: " + started.error().message);
    if (started) errors = std::move(*started);
  }

  if (const Status confined = enter_sandbox(); !confined) log.warn(confined.error().message);

  SessionConfig config;
  config.session_id = start.session_id;
  config.server_name = start.server_name;
  config.driver_name = driver->is_software_device() ? "Outboard software device" : "NVIDIA";
  config.contexts_are_cheap = driver->is_software_device();
  config.content_folder = start.content_folder;
  config.content_bytes = start.content_bytes;
  config.hello = std::move(*hello);
  config.processes = start.processes;
  config.read_sensors = [&driver](std::vector<wire::DeviceSnapshot>& devices) {
    read_sensors(LibraryLoader::system(), management_library_of(*driver), devices);
  };
  config.send_export = [](const ExportRequest& request, int descriptor) {
    return control::send(kControlFd, request, descriptor);
  };
  if (output) config.take_output = [&output] { return (*output)->take(); };
  if (errors) config.take_errors = [&errors] { return errors->take(); };
  WorkerSession* serving = nullptr;
  config.on_welcome = [&driver, &serving](uint32_t devices) {
    forward_log(*driver, *serving);
    [[maybe_unused]] const Status sent = control::send(kControlFd, control::Serving{devices});
  };
  WorkerSession session(**transport, driver->api(), std::move(config), log);
  serving = &session;
  session.compute().start(turns_from_daemon());
  std::atomic<bool> over{false};
  std::thread control([&] { attend(session, over); });
  const SessionEnd end = session.run();
  over = true;
  report_end(end);
  // Threads may still wait inside the driver: the end of the process is what frees everything.
  std::_Exit(0);
}

int run_worker() {
  auto message = control::receive(kControlFd);
  if (!message || !*message || !std::holds_alternative<control::Start>(**message)) {
    std::fputs("outboard-worker is started by outboard-server, not by hand.\n", stderr);
    return 2;
  }
  const auto& start = std::get<control::Start>(**message);
  // Not descriptor 2 itself, which may be taken over for the client.
  const int own_errors = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kControlFd + 1);
  auto log = Logger::open({.level = static_cast<LogLevel>(start.log_level),
                           .file_path = start.log_file,
                           .descriptor = own_errors >= 0 ? own_errors : STDERR_FILENO,
                           .name = text("outboard-worker ", start.session_id)});
  const SessionEnd end = serve(start, log ? *log : Logger());
  report_end(end);
  return 1;
}

}  // namespace
}  // namespace outboard::server

int main(int argc, char** argv) {
  outboard::server::confine();
  if (argc == 3 && std::strcmp(argv[1], "--probe") == 0) return outboard::server::probe(argv[2]);
  return outboard::server::run_worker();
}
