#include "server/daemon/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/base/bytes.h"
#include "protocol/transport/connect.h"

namespace outboard::server {
namespace {

constexpr std::chrono::milliseconds kTick{100};  // how often deadlines are looked at while stopping
constexpr int kProbeTimeoutMs = 60'000;          // a driver may initialise many devices

std::string describe_client(const Visitor& visitor) {
  const wire::HelloInfo& hello = visitor.hello;
  return text(printable(hello.process_name, 64), " (process ", hello.process_id, " of user ",
              visitor.peer.uid, " on ", printable(hello.host_name, 64), ", ",
              visitor.transport->description(), ")");
}

// Each user has a folder of its own, because what it has sent must not be found by others.
std::string content_folder(const ServerOptions& options, const PeerIdentity& peer) {
  if (options.cache_folder.empty() || options.cache_bytes == 0) return {};
  return text(options.cache_folder, "/", peer.uid);
}

bool readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// A user sees the processes of its own on its own machine, as on a local device.
std::vector<wire::ProcessInfo> processes_of(const Visitor& visitor,
                                            const std::vector<std::unique_ptr<SessionRecord>>& sessions) {
  std::vector<wire::ProcessInfo> found;
  for (const auto& session : sessions) {
    const bool own = session->user == visitor.peer.uid && session->hello.host_name == visitor.hello.host_name;
    if (!own || session->hello.purpose == wire::SessionPurpose::kQuery) continue;
    const auto& memory = session->totals.device_memory_bytes;
    for (size_t device = 0; device < memory.size(); ++device) {
      if (memory[device] == 0) continue;
      found.push_back({session->hello.process_id, session->hello.process_name, static_cast<uint32_t>(device),
                       memory[device]});
    }
  }
  return found;
}

}  // namespace

Server::Server(ServerOptions options, Logger log, const Clock& clock)
    : options_(std::move(options)),
      log_(std::move(log)),
      clock_(clock),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      compute_([this](uint64_t session, const control::Message& message) { send(session, message); }) {}

Server::~Server() {
  reception_.reset();  // its threads call wake()
}

void Server::wake() {
  const uint64_t one = 1;
  // A full counter means that a wake-up is pending already.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

void Server::stop() {
  stop_requested_.store(true);
  wake();
}

Result<control::Probed> Server::probe_driver() {
  auto worker = WorkerProcess::start({options_.worker_program, {"--probe", options_.driver}}, UniqueFd());
  if (!worker) return fail(worker);
  if (readable(worker->control_fd(), kProbeTimeoutMs)) {
    auto message = control::receive(worker->control_fd());
    if (!message) return fail(message);
    if (*message && std::holds_alternative<control::Probed>(**message)) {
      worker->wait();
      auto probed = std::get<control::Probed>(std::move(**message));
      if (!probed.error.empty()) return fail(ErrorKind::kNotFound, probed.error);
      return probed;
    }
    return fail(ErrorKind::kInternal, "While looking for a driver, " + options_.worker_program + " " +
                                          worker->wait().describe() +
                                          "; the driver may have crashed. Name another one "
                                          "with --driver, for example --driver softgpu.");
  }
  return fail(ErrorKind::kInternal,
              "The driver did not initialise within 60 s; name another one with --driver, for "
              "example --driver softgpu.");
}

Status Server::start() {
  auto probed = probe_driver();
  if (!probed) return fail(probed);
  driver_ = std::move(*probed);
  log_.info(driver_.reason);
  for (const std::string& device : driver_.devices) log_.info("Device: " + printable(device, 128) + ".");

  reception_ = std::make_unique<Reception>(ReceptionOptions{.hello_timeout = options_.hello_timeout,
                                                            .own_uid = ::getuid(),
                                                            .allowed_uids = options_.allowed_uids},
                                           log_, clock_, [this] { wake(); });
  for (const std::string& address : options_.listen) {
    auto listener = transport::listen(address);
    if (!listener) return fail(listener);
    addresses_.push_back((*listener)->address());
    log_.info("Listening on " + addresses_.back() + ".");
    reception_->listen(std::move(*listener));
  }
  return {};
}

void Server::run() {
  while (poll_once()) {
  }
  log_.info("The server has stopped.");
}

// Nothing: until something happens.
std::optional<std::chrono::nanoseconds> Server::wait_time() {
  std::optional<std::chrono::nanoseconds> wait;
  if (stopping_) wait = kTick;
  const uint64_t now_ns = monotonic_ns();
  if (const auto change_ns = compute_.next_change_ns(now_ns)) {
    const std::chrono::nanoseconds until(*change_ns - std::min(*change_ns, now_ns));
    wait = std::min(wait.value_or(until), until);
  }
  return wait;
}

bool Server::poll_once() {
  std::vector<pollfd> waiting{{wake_fd_.get(), POLLIN, 0}};
  for (const auto& session : sessions_) {
    waiting.push_back({session->worker.control_fd(), POLLIN, 0});
    waiting.push_back({session->worker.pid_fd(), POLLIN, 0});
  }
  const auto wait = wait_time();
  const timespec timeout{wait ? wait->count() / 1'000'000'000 : 0, wait ? wait->count() % 1'000'000'000 : 0};
  ::ppoll(waiting.data(), waiting.size(), wait ? &timeout : nullptr, nullptr);
  uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t taken = ::read(wake_fd_.get(), &wakes, sizeof wakes);

  for (size_t i = 0; i < sessions_.size(); ++i) {
    SessionRecord& session = *sessions_[i];
    const bool ended = waiting[2 * i + 2].revents != 0;
    if (waiting[2 * i + 1].revents != 0 && !ended) read_control(session);
    if (ended) finish(session);
  }
  std::erase_if(sessions_, [](const auto& session) { return session->worker.pid_fd() < 0; });
  compute_.tick(monotonic_ns());

  if (stop_requested_.load() && !stopping_) begin_stop();
  if (stopping_) {
    if (clock_.now() >= kill_at_) {
      for (auto& session : sessions_) session->worker.kill(SIGKILL);
    }
    return !sessions_.empty();
  }
  reception_->tidy();
  for (Visitor& visitor : reception_->take()) admit(std::move(visitor));
  return true;
}

void Server::admit(Visitor visitor) {
  const std::string client = describe_client(visitor);
  const auto refuse = [&](ErrorKind kind, const std::string& why) {
    log_.warn("Refused " + client + ": " + why);
    [[maybe_unused]] const Status told = wire::send_refusal(*visitor.transport, kind, why);
  };
  if (sessions_.size() >= options_.max_sessions) {
    return refuse(ErrorKind::kOverloaded,
                  text("The server ", options_.name, " already serves ", sessions_.size(),
                       " sessions, which is its limit (--max-sessions)."));
  }
  UniqueFd connection(::fcntl(visitor.transport->native_handle(), F_DUPFD_CLOEXEC, 0));
  auto worker = WorkerProcess::start({options_.worker_program, {}}, std::move(connection));
  if (!worker) return refuse(worker.error().kind, worker.error().message);

  ::fcntl(worker->control_fd(), F_SETFL, O_NONBLOCK);
  const uint64_t id = next_session_id_++;
  const control::Start start{.session_id = id,
                             .server_name = options_.name,
                             .driver = driver_.driver,
                             .driver_reason = driver_.reason,
                             .hello = std::string(as_text(wire::encode_hello(visitor.hello))),
                             .log_level = static_cast<uint32_t>(options_.log.level),
                             .log_file = options_.log.file_path,
                             .content_folder = content_folder(options_, visitor.peer),
                             .content_bytes = options_.cache_bytes,
                             .processes = visitor.hello.purpose == wire::SessionPurpose::kQuery
                                              ? processes_of(visitor, sessions_)
                                              : std::vector<wire::ProcessInfo>()};
  if (Status sent = control::send(worker->control_fd(), start); !sent) {
    return refuse(ErrorKind::kInternal,
                  "Its worker process could not be told what to do: " + sent.error().message);
  }
  log_.info(text("Session ", id, " of ", client, " begins in worker process ", worker->pid(), "."));
  sessions_.push_back(std::make_unique<SessionRecord>(SessionRecord{.id = id,
                                                                    .client = client,
                                                                    .started = clock_.now(),
                                                                    .user = visitor.peer.uid,
                                                                    .hello = visitor.hello,
                                                                    .worker = std::move(*worker),
                                                                    .transport = std::move(visitor.transport),
                                                                    .welcomed = false,
                                                                    .totals = {},
                                                                    .ended = {},
                                                                    .compute = {}}));
}

void Server::read_control(SessionRecord& session) {
  while (true) {
    UniqueFd descriptor;
    auto message = control::receive(session.worker.control_fd(), &descriptor);
    if (!message) {
      if (message.error().kind == ErrorKind::kProtocolViolation) {
        log_.error(text("Worker of session ", session.id, ": ", message.error().message));
        session.worker.kill(SIGKILL);
      }
      return;
    }
    if (!*message) {
      // The worker closed its end without having exited yet; do not spin on the end of the stream.
      session.worker.close_control();
      return;
    }
    take(session, **message, std::move(descriptor));
  }
}

void Server::take(SessionRecord& session, control::Message& message, UniqueFd descriptor) {
  const uint64_t now_ns = monotonic_ns();
  if (const auto* used = std::get_if<control::Used>(&message)) {
    compute_.used(session.id, used->device, used->used_ns, used->idle, now_ns);
  } else if (const auto* over = std::get_if<control::TurnOver>(&message)) {
    compute_.over(session.id, over->device, over->used_ns, over->more, now_ns);
  } else if (const auto* want = std::get_if<control::Want>(&message)) {
    compute_.want(session.id, want->device, now_ns);
  } else if (const auto* progress = std::get_if<control::Progress>(&message)) {
    session.totals = progress->totals;
  } else if (const auto* serving = std::get_if<control::Serving>(&message)) {
    session.welcomed = true;
    begin_sharing(session, serving->devices);
  } else if (const auto* request = std::get_if<ExportRequest>(&message)) {
    answer(session, *request, std::move(descriptor));
  } else if (auto* ended = std::get_if<control::Ended>(&message)) {
    session.ended = std::move(*ended);
  }
}

// A percentage is a hard cap; who asks for none shares what is left.
void Server::begin_sharing(const SessionRecord& session, uint32_t devices) {
  if (session.hello.purpose == wire::SessionPurpose::kQuery) return;
  const ComputeTerms terms{.percent = std::min<uint32_t>(session.hello.requested.compute_percent, 100),
                           .mode = ShareMode::kHardCap,
                           .priority = session.hello.requested.priority};
  compute_.add(session.id, terms, devices, monotonic_ns());
}

// A worker that does not read what it is told would hold up all the others.
void Server::send(uint64_t id, const control::Message& message) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [id](const auto& session) { return session->id == id; });
  if (found == sessions_.end() || (*found)->worker.control_fd() < 0) return;
  const Status sent = control::send((*found)->worker.control_fd(), message);
  if (sent || sent.error().kind != ErrorKind::kOverloaded) return;
  log_.error(text("The worker of session ", id, " does not read what it is told, and is ended."));
  (*found)->worker.kill(SIGKILL);
}

// Whoever has a key may open what it stands for, of whatever user: see docs/adr/0008.
void Server::answer(SessionRecord& session, const ExportRequest& request, UniqueFd descriptor) {
  ExportAnswer reply{.number = request.number, .error = {}, .record = {}, .has_descriptor = false};
  int found_descriptor = -1;
  switch (static_cast<ExportStep>(request.step)) {
    case ExportStep::kWithdraw: return exports_.withdraw(session.id, request.key);
    case ExportStep::kPublish: {
      if (request.has_descriptor && !descriptor) {
        reply.error = "The server has no room for another descriptor.";
        break;
      }
      const Status published =
          exports_.publish(session.id, request.key, request.record, std::move(descriptor));
      if (!published) reply.error = published.error().message;
      break;
    }
    case ExportStep::kFind: {
      const Exports::Export* found = exports_.find(request.key);
      if (found == nullptr) {
        reply.error = "Nothing is exported by this key on this server.";
        break;
      }
      reply.record = found->record;
      found_descriptor = found->descriptor.get();
      reply.has_descriptor = found_descriptor >= 0;
      break;
    }
    default: reply.error = "The worker asked for an unknown step.";
  }
  if (!reply.error.empty()) log_.warn(text("Session ", session.id, ": ", reply.error));
  // A worker that does not read gives up waiting by itself.
  [[maybe_unused]] const Status told = control::send(session.worker.control_fd(), reply, found_descriptor);
}

void Server::finish(SessionRecord& session) {
  if (session.worker.control_fd() >= 0) read_control(session);
  exports_.forget(session.id);
  const WorkerExit exit = session.worker.wait();
  session.compute = compute_.usage(session.id, monotonic_ns());
  compute_.remove(session.id, monotonic_ns());
  if (!session.welcomed) {
    // The client still waits for its welcome: tell it, in place of the worker that could not.
    const std::string why =
        session.ended ? session.ended->reason : "Its worker process " + exit.describe() + ".";
    [[maybe_unused]] const Status told = wire::send_refusal(*session.transport, ErrorKind::kInternal,
                                                            "The server could not serve the session. " + why);
  }
  const std::string sentence = describe_end(session, exit, clock_.now());
  ended_in_order(session, exit) ? log_.info(sentence) : log_.warn(sentence);
}

void Server::begin_stop() {
  stopping_ = true;
  kill_at_ = clock_.now() + options_.stop_timeout;
  log_.info(text("Stopping; ", sessions_.size(), " sessions are told."));
  reception_->close();
  for (auto& session : sessions_) {
    // A worker that cannot be told is killed when its time is over.
    [[maybe_unused]] const Status told =
        control::send(session->worker.control_fd(), control::Stop{"The server is shutting down."});
  }
}

}  // namespace outboard::server
