#include "tests/server/scripted_client.h"

#include <algorithm>

namespace outboard::server::testing {

ScriptedClient::ScriptedClient(const DriverApi& driver, SessionConfig config) {
  std::tie(client_, server_) = transport::loopback_pair();
  session_ = std::make_unique<WorkerSession>(*server_, driver, std::move(config), Logger());
  thread_ = std::thread([this] { end_ = session_->run(); });
  receiver_.emplace(*client_);
  sender_.emplace(*client_);
  const auto frame = receiver_->receive();
  EXPECT_TRUE(frame);
  if (const auto* welcome = frame->envelope.as<wire::WelcomeInfo>()) welcome_ = *welcome;
}

ScriptedClient::~ScriptedClient() {
  client_->shutdown();
  if (thread_.joinable()) thread_.join();
}

uint64_t ScriptedClient::send_raw(wire::Opcode opcode, bool wants_reply, std::span<const std::byte> body,
                                  std::span<const std::byte> bulk) {
  wire::CommandWriter writer;
  writer.append({.opcode = opcode, .wants_reply = wants_reply, .context = context, .capture_mode = 0}, body,
                bulk.size());
  const transport::ConstBuffer piece = bulk;
  const wire::Envelope envelope{
      .first_sequence = next_sequence_, .command_count = 1, .acknowledged = 0, .kind = wire::CommandsFrame{}};
  // A session that has ended already is noticed by whoever waits for an answer.
  [[maybe_unused]] const Status sent = sender_->send(envelope, writer.view(), std::span(&piece, 1));
  return next_sequence_++;
}

void ScriptedClient::send_frame(const wire::Envelope& envelope, std::span<const std::byte> commands) {
  EXPECT_TRUE(sender_->send(envelope, commands));
}

bool ScriptedClient::read_frame() {
  const auto frame = receiver_->receive();
  if (!frame) return false;
  acknowledged_ = std::max(acknowledged_, frame->envelope.acknowledged);
  if (const auto* notice = frame->envelope.as<wire::Notice>()) notices_.push_back(*notice);
  if (const auto* goodbye = frame->envelope.as<wire::Goodbye>()) goodbye_ = *goodbye;
  if (frame->envelope.as<wire::RepliesFrame>() == nullptr) return true;
  wire::ReplyReader reader(*frame);
  wire::Reply reply;
  while (reader.next(reply)) {
    answers_.push_back({reply.sequence,
                        static_cast<CUresult>(reply.result),
                        static_cast<CUresult>(reply.deferred_result),
                        reply.deferred_opcode,
                        {reply.body.begin(), reply.body.end()},
                        {reply.bulk.begin(), reply.bulk.end()}});
  }
  EXPECT_TRUE(reader.end());
  return true;
}

Answer ScriptedClient::wait(uint64_t sequence) {
  while (true) {
    const auto it = std::find_if(answers_.begin(), answers_.end(),
                                 [sequence](const Answer& answer) { return answer.sequence == sequence; });
    if (it != answers_.end()) {
      Answer answer = *it;
      answers_.erase(it);
      return answer;
    }
    if (!read_frame()) {
      ADD_FAILURE() << "The session ended before command " << sequence << " was answered. "
                    << (goodbye_ ? goodbye_->message : "");
      return {};
    }
  }
}

wire::Notice ScriptedClient::wait_for_notice() {
  const size_t before = notices_.size();
  while (notices_.size() == before) {
    if (!read_frame()) {
      ADD_FAILURE() << "The session ended before a notice came.";
      return {};
    }
  }
  return notices_.back();
}

std::optional<wire::Goodbye> ScriptedClient::wait_for_goodbye() {
  while (!goodbye_ && read_frame()) {
  }
  return goodbye_;
}

SessionEnd ScriptedClient::join() {
  thread_.join();
  return end_;
}

SessionEnd ScriptedClient::hang_up() {
  client_->shutdown();
  return join();
}

SessionEnd ScriptedClient::leave() {
  send_frame({.kind = wire::Goodbye{.orderly = true, .kind = ErrorKind::kInternal, .message = {}}});
  return join();
}

}  // namespace outboard::server::testing
