#include "server/worker/control_messages.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace outboard::server::control {
namespace {

constexpr size_t kMaxTextBytes = 2048;  // sentences are cut, the hello is not
constexpr size_t kMaxDevices = 64;
constexpr size_t kMaxProcessNameBytes = 64;  // all of them fit a packet beside the longest hello

// One description of each message serves both directions: `Fields` is a Writer or a Reader side.
struct Encoder {
  wire::Writer& out;
  void field(const std::string& value) { out.string(std::string_view(value).substr(0, kMaxTextBytes)); }
  void whole(const std::string& value) { out.string(value); }
  void field(const uint64_t& value) { out.varint(value); }
  void field(const uint32_t& value) { out.varint(value); }
  void field(const int32_t& value) { out.zigzag(value); }
  void field(const bool& value) { out.boolean(value); }
  void field(const std::vector<uint64_t>& values) {
    const size_t count = values.size() < kMaxDevices ? values.size() : kMaxDevices;
    out.varint(count);
    for (size_t i = 0; i < count; ++i) out.varint(values[i]);
  }
  void field(const std::vector<wire::ProcessInfo>& values) {
    const size_t count = std::min(values.size(), limits::kProcesses);
    out.varint(count);
    for (size_t i = 0; i < count; ++i) {
      out.varint(values[i].process_id);
      out.string(std::string_view(values[i].process_name).substr(0, kMaxProcessNameBytes));
      out.varint(values[i].device);
      out.varint(values[i].memory_bytes);
    }
  }
  void field(const std::vector<std::string>& values) {
    const size_t count = values.size() < kMaxDevices ? values.size() : kMaxDevices;
    out.varint(count);
    for (size_t i = 0; i < count; ++i) out.string(std::string_view(values[i]).substr(0, 96));
  }
};

struct Decoder {
  wire::Reader& in;
  void field(std::string& value) { value = std::string(in.string()); }
  void whole(std::string& value) { field(value); }
  void field(uint64_t& value) { value = in.varint(); }
  void field(uint32_t& value) { value = in.varint_as<uint32_t>(); }
  void field(int32_t& value) { value = in.zigzag_as<int32_t>(); }
  void field(bool& value) { value = in.boolean(); }
  void field(std::vector<uint64_t>& values) {
    values.resize(in.count(1));
    for (uint64_t& value : values) field(value);
  }
  void field(std::vector<wire::ProcessInfo>& values) {
    values.resize(in.count(4));
    for (wire::ProcessInfo& value : values) {
      field(value.process_id);
      field(value.process_name);
      field(value.device);
      field(value.memory_bytes);
    }
  }
  void field(std::vector<std::string>& values) {
    values.resize(in.count(1));
    for (std::string& value : values) field(value);
  }
};

template <typename Side, typename T>
void fields(Side side, T& message) {
  using M = std::remove_const_t<T>;
  const auto each = [&side](auto&... values) { (side.field(values), ...); };
  const auto totals = [&each](auto& t) {
    each(t.commands, t.replies, t.failures, t.launches, t.bytes_received, t.bytes_sent, t.objects,
         t.memory_bytes, t.peak_memory_bytes, t.known_uploads, t.known_upload_bytes, t.device_memory_bytes);
  };
  if constexpr (std::is_same_v<M, Start>) {
    each(message.session_id, message.server_name, message.driver, message.driver_reason, message.log_level,
         message.log_file, message.content_folder, message.content_bytes, message.processes);
    side.whole(message.hello);
  } else if constexpr (std::is_same_v<M, Stop>) {
    each(message.reason);
  } else if constexpr (std::is_same_v<M, Serving>) {
    each(message.devices);
  } else if constexpr (std::is_same_v<M, Progress>) {
    totals(message.totals);
  } else if constexpr (std::is_same_v<M, Ended>) {
    each(message.orderly, message.reason);
    totals(message.totals);
  } else if constexpr (std::is_same_v<M, ExportRequest>) {
    each(message.number, message.step, message.key, message.record.kind, message.record.bytes,
         message.record.device, message.has_descriptor);
  } else if constexpr (std::is_same_v<M, ExportAnswer>) {
    each(message.number, message.error, message.record.kind, message.record.bytes, message.record.device,
         message.has_descriptor);
  } else if constexpr (std::is_same_v<M, Probed>) {
    each(message.error, message.driver, message.reason, message.driver_version, message.devices);
  } else if constexpr (std::is_same_v<M, Turn>) {
    each(message.device, message.credit_ns);
  } else if constexpr (std::is_same_v<M, Used>) {
    each(message.device, message.used_ns, message.idle);
  } else if constexpr (std::is_same_v<M, TurnOver>) {
    each(message.device, message.used_ns, message.more);
  } else {
    static_assert(std::is_same_v<M, Yield> || std::is_same_v<M, Want>);
    each(message.device);
  }
}

template <size_t kIndex = 0>
Result<Message> decode_alternative(size_t index, wire::Reader& reader) {
  if constexpr (kIndex < std::variant_size_v<Message>) {
    if (index != kIndex) return decode_alternative<kIndex + 1>(index, reader);
    std::variant_alternative_t<kIndex, Message> message;
    fields(Decoder{reader}, message);
    if (!reader.finished()) {
      return fail(ErrorKind::kProtocolViolation, "A control message of kind " + std::to_string(index) +
                                                     " does not have the length that its fields need.");
    }
    return Message(std::move(message));
  } else {
    return fail(ErrorKind::kProtocolViolation,
                "A control message has the unknown kind " + std::to_string(index) + ".");
  }
}

UniqueFd descriptor_of(msghdr& header) {
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
      rights->cmsg_len != CMSG_LEN(sizeof(int))) {
    return {};
  }
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return UniqueFd(descriptor);
}

}  // namespace

std::vector<std::byte> encode(const Message& message) {
  wire::Writer writer;
  writer.u8(static_cast<uint8_t>(message.index()));
  std::visit([&](const auto& content) { fields(Encoder{writer}, content); }, message);
  return writer.take();
}

Result<Message> decode(std::span<const std::byte> packet) {
  wire::Reader reader(packet);
  return decode_alternative(reader.u8(), reader);
}

Status send(int fd, const Message& message, int descriptor) {
  std::vector<std::byte> packet = encode(message);
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  if (errno == EAGAIN)
    return fail(ErrorKind::kOverloaded, "The other side of the control socket does not read.");
  return fail(ErrorKind::kDisconnected,
              std::string("The control socket failed: ") + std::strerror(errno) + ".");
}

Status send_surely(int fd, const Message& message) {
  Status sent = send(fd, message);
  while (!sent && sent.error().kind == ErrorKind::kOverloaded) {
    pollfd writable{fd, POLLOUT, 0};
    ::poll(&writable, 1, -1);
    sent = send(fd, message);
  }
  return sent;
}

Result<std::optional<Message>> receive(int fd, UniqueFd* descriptor) {
  // Some sessions send thousands of messages a second; one buffer for each thread is enough.
  thread_local std::vector<std::byte> packet(kMaxMessageBytes);
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t received = 0;
  do {
    received = ::recvmsg(fd, &header, MSG_TRUNC | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  // There is room for one; the kernel closes others.
  UniqueFd came = received >= 0 ? descriptor_of(header) : UniqueFd();
  if (descriptor != nullptr) *descriptor = std::move(came);
  if (received == 0) return std::optional<Message>();
  if (received < 0) {
    if (errno == EAGAIN) return fail(ErrorKind::kOverloaded, "No control message is there yet.");
    return fail(ErrorKind::kDisconnected,
                std::string("The control socket failed: ") + std::strerror(errno) + ".");
  }
  if (static_cast<size_t>(received) > packet.size()) {
    return fail(ErrorKind::kProtocolViolation, "A control message of " + std::to_string(received) +
                                                   " bytes is longer than the limit of 131072.");
  }
  auto message = decode(std::span(packet.data(), static_cast<size_t>(received)));
  if (!message) return fail(message);
  return std::optional<Message>(std::move(*message));
}

}  // namespace outboard::server::control
