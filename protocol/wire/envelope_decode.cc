#include <algorithm>
#include <cstring>
#include <optional>

#include <capnp/message.h>
#include <kj/exception.h>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/schema/outboard.capnp.h"
#include "protocol/wire/envelope.h"

namespace outboard::wire {
namespace {

// Thrown inside this file only, next to KJ's own exceptions, and caught in decode_envelope.
struct Violation {
  std::string message;
};

template <typename Size>
void check_limit(const char* what, Size value, size_t most) {
  if (value > most) {
    throw Violation{text("Its ", what, " has ", static_cast<uint64_t>(value), " elements or bytes; at most ",
                         static_cast<uint64_t>(most), " are allowed.")};
  }
}

std::string name(const char* what, capnp::Text::Reader from) {
  check_limit(what, from.size(), limits::kNameBytes);
  return {from.begin(), from.size()};
}

std::string sentence(const char* what, capnp::Text::Reader from) {
  check_limit(what, from.size(), limits::kMessageBytes);
  return {from.begin(), from.size()};
}

// A kind that a newer peer knows and we do not says at least that something is wrong.
ErrorKind error_kind(schema::ErrorKind from) {
  return from <= schema::ErrorKind::INTERNAL ? static_cast<ErrorKind>(from) : ErrorKind::kInternal;
}

LeaseTerms lease(schema::Lease::Reader from) {
  return {name("lease id", from.getId()), from.getMemoryBytes(), from.getComputePercent(),
          from.getPriority()};
}

AddressHole range(schema::AddressRange::Reader from) {
  AddressHole hole{from.getAddress(), from.getSizeBytes()};
  if (hole.address + hole.size_bytes < hole.address) {
    throw Violation{text("The address range at ", hex_number(hole.address), " with ", hole.size_bytes,
                         " bytes goes beyond the end of the address space.")};
  }
  return hole;
}

HelloInfo hello(schema::Hello::Reader from) {
  HelloInfo out;
  out.protocol_version = from.getProtocolVersion();
  out.oldest_protocol_version = from.getOldestProtocolVersion();
  out.registry_revision = from.getRegistryRevision();
  out.client_version = name("client version", from.getClientVersion());
  out.host_name = name("host name", from.getHostName());
  out.process_id = from.getProcessId();
  out.process_name = name("process name", from.getProcessName());
  out.user_id = from.getUserId();
  if (from.getPurpose() > schema::Purpose::QUERY) {
    throw Violation{text("Its purpose ", static_cast<unsigned>(from.getPurpose()), " is unknown.")};
  }
  out.purpose = static_cast<SessionPurpose>(from.getPurpose());
  out.requested = lease(from.getRequested());
  const auto holes = from.getAddressHoles();
  check_limit("list of address holes", holes.size(), limits::kAddressHoles);
  for (const auto hole : holes) out.address_holes.push_back(range(hole));
  return out;
}

template <size_t N>
void fixed(const char* what, capnp::Data::Reader from, std::array<uint8_t, N>& out) {
  if (from.size() != N) {
    throw Violation{text("Its ", what, " has ", from.size(), " bytes instead of ", N, ".")};
  }
  std::copy(from.begin(), from.end(), out.begin());
}

std::vector<AttributeValue> attributes(const char* what, capnp::List<schema::AttributeValue>::Reader from) {
  check_limit(what, from.size(), limits::kDeviceAttributes);
  std::vector<AttributeValue> out;
  out.reserve(from.size());
  for (const auto value : from) out.push_back({value.getId(), value.getValue()});
  return out;
}

DeviceSnapshot device(schema::Device::Reader from) {
  DeviceSnapshot out;
  out.name = name("device name", from.getName());
  fixed("device UUID", from.getUuid(), out.uuid);
  fixed("device LUID", from.getLuid(), out.luid);
  out.luid_node_mask = from.getLuidNodeMask();
  out.pci_bus_id = name("PCI bus id", from.getPciBusId());
  out.total_memory_bytes = from.getTotalMemoryBytes();
  out.free_memory_bytes = from.getFreeMemoryBytes();
  out.attributes = attributes("list of device attributes", from.getAttributes());
  out.limits = attributes("list of context limits", from.getLimits());
  out.least_stream_priority = from.getLeastStreamPriority();
  out.greatest_stream_priority = from.getGreatestStreamPriority();
  out.context_api_version = from.getContextApiVersion();
  out.sensors = attributes("list of sensors", from.getSensors());
  return out;
}

WelcomeInfo welcome(schema::Welcome::Reader from) {
  WelcomeInfo out;
  out.protocol_version = from.getProtocolVersion();
  out.registry_revision = from.getRegistryRevision();
  out.session_id = from.getSessionId();
  out.server_version = name("server version", from.getServerVersion());
  out.server_name = name("server name", from.getServerName());
  out.driver_name = name("driver name", from.getDriverName());
  out.driver_version = from.getDriverVersion();
  out.granted = lease(from.getGranted());
  out.address_range = range(from.getAddressRange());
  const auto devices = from.getDevices();
  check_limit("list of devices", devices.size(), limits::kDevices);
  for (const auto each : devices) out.devices.push_back(device(each));
  const auto processes = from.getProcesses();
  check_limit("list of processes", processes.size(), limits::kProcesses);
  for (const auto each : processes)
    out.processes.push_back(
        {each.getId(), name("process name", each.getName()), each.getDevice(), each.getMemoryBytes()});
  return out;
}

Notice notice(schema::Notice::Reader from) {
  if (from.isMessage()) return {Notice::Kind::kMessage, sentence("message", from.getMessage()), 0};
  if (from.isHostFunction()) return {Notice::Kind::kHostFunction, {}, from.getHostFunction()};
  if (from.isHostFunctionGone()) return {Notice::Kind::kHostFunctionGone, {}, from.getHostFunctionGone()};
  if (from.isDriverLog()) {
    const auto log = from.getDriverLog();
    return {Notice::Kind::kDriverLog, sentence("message of the driver", log.getText()), log.getLevel()};
  }
  if (from.isDevice()) {
    const auto device = from.getDevice();
    return {Notice::Kind::kDevice, {}, device.getCallback(), device.getType(), device.getBytes()};
  }
  const bool errors = from.isDeviceErrors();
  if (!errors && !from.isDeviceOutput())
    throw Violation{"It is a notice of a kind that this version does not know."};
  const auto bytes = errors ? from.getDeviceErrors() : from.getDeviceOutput();
  check_limit("device output", bytes.size(), limits::kNoticeOutputBytes);
  return {errors ? Notice::Kind::kDeviceErrors : Notice::Kind::kDeviceOutput,
          {reinterpret_cast<const char*>(bytes.begin()), bytes.size()},
          0};
}

Goodbye goodbye(schema::Goodbye::Reader from) {
  if (from.getOrderly()) return {};
  return {false, error_kind(from.getKind()), sentence("message", from.getMessage())};
}

decltype(Envelope::kind) envelope_kind(schema::Envelope::Reader root) {
  switch (root.which()) {
    case schema::Envelope::COMMANDS: return CommandsFrame{};
    case schema::Envelope::REPLIES: return RepliesFrame{};
    case schema::Envelope::HELLO: return hello(root.getHello());
    case schema::Envelope::WELCOME: return welcome(root.getWelcome());
    case schema::Envelope::REFUSAL:
      return Refusal{error_kind(root.getRefusal().getKind()),
                     sentence("message", root.getRefusal().getMessage())};
    case schema::Envelope::GOODBYE: return goodbye(root.getGoodbye());
    case schema::Envelope::NOTICE: return notice(root.getNotice());
    case schema::Envelope::HEARTBEAT: return Heartbeat{root.getHeartbeat().getWantsAnswer()};
  }
  throw Violation{
      text("It is of kind ", static_cast<unsigned>(root.which()), ", which this version does not know.")};
}

Envelope decode_words(kj::ArrayPtr<const capnp::word> words) {
  const kj::ArrayPtr<const capnp::word> segments[] = {words};
  capnp::ReaderOptions options;
  // A message can point at the same bytes many times. What we read of one is bounded by our own
  // limits; this bounds the work of a message made to be expensive.
  options.traversalLimitInWords = 4 * (limits::kEnvelopeBytes / sizeof(capnp::word));
  options.nestingLimit = 8;  // envelope, welcome, devices, device, attributes, and room
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(segments, 1), options);
  const auto root = message.getRoot<schema::Envelope>();
  Envelope out;
  out.first_sequence = root.getFirstSequence();
  out.command_count = root.getCommandCount();
  out.acknowledged = root.getAcknowledged();
  check_limit("command count", out.command_count, limits::kCommandsPerFrame);
  if (out.first_sequence + out.command_count < out.first_sequence) {
    throw Violation{"Its sequence numbers wrap around."};
  }
  out.kind = envelope_kind(root);
  return out;
}

}  // namespace

Result<Envelope> decode_envelope(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > limits::kEnvelopeBytes) {
    return fail(
        ErrorKind::kProtocolViolation,
        text("An envelope has ", bytes.size(), " bytes; it must be a positive multiple of 8 and at most ",
             limits::kEnvelopeBytes, "."));
  }
  // Cap'n Proto wants aligned words. The frequent envelopes are seven words long.
  constexpr size_t kSmallWords = 16;
  uint64_t small[kSmallWords];
  std::vector<uint64_t> large;
  const size_t count = bytes.size() / sizeof(capnp::word);
  if (count > kSmallWords) large.resize(count);
  uint64_t* words = count > kSmallWords ? large.data() : small;
  std::memcpy(words, bytes.data(), bytes.size());
  try {
    return decode_words(kj::arrayPtr(reinterpret_cast<const capnp::word*>(words), count));
  } catch (const Violation& violation) {
    return fail(ErrorKind::kProtocolViolation,
                "The peer sent an envelope that is not valid. " + violation.message);
  } catch (const kj::Exception& exception) {
    return fail(ErrorKind::kProtocolViolation,
                text("The peer sent an envelope that is not a valid Cap'n Proto message: ",
                     exception.getDescription().cStr(), "."));
  }
}

}  // namespace outboard::wire
