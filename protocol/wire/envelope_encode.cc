#include <algorithm>
#include <array>
#include <cstring>

#include <capnp/message.h>
#include <kj/exception.h>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/schema/outboard.capnp.h"
#include "protocol/wire/envelope.h"

namespace outboard::wire {
namespace {

// A name that is too long is cut: it is for display. A sentence likewise.
capnp::Text::Reader cut(const std::string& value, size_t most_bytes, std::string& storage) {
  storage = value.substr(0, most_bytes);
  // The encoding ends a text with a zero byte, so one inside would end it early for C++ readers.
  std::replace(storage.begin(), storage.end(), '\0', '?');
  return {storage.data(), storage.size()};
}

class Encoder {
 public:
  explicit Encoder(schema::Envelope::Builder root) : root_(root) {}

  void operator()(const CommandsFrame&) { root_.setCommands(); }
  void operator()(const RepliesFrame&) { root_.setReplies(); }
  void operator()(const Heartbeat& from) { root_.initHeartbeat().setWantsAnswer(from.wants_answer); }

  void operator()(const Refusal& from) {
    auto out = root_.initRefusal();
    out.setKind(static_cast<schema::ErrorKind>(from.kind));
    out.setMessage(cut(from.message, limits::kMessageBytes, storage_));
  }

  void operator()(const Goodbye& from) {
    auto out = root_.initGoodbye();
    out.setOrderly(from.orderly);
    if (from.orderly) return;
    out.setKind(static_cast<schema::ErrorKind>(from.kind));
    out.setMessage(cut(from.message, limits::kMessageBytes, storage_));
  }

  void operator()(const Notice& from) {
    auto out = root_.initNotice();
    if (from.kind == Notice::Kind::kHostFunction) {
      out.setHostFunction(from.number);
    } else if (from.kind == Notice::Kind::kHostFunctionGone) {
      out.setHostFunctionGone(from.number);
    } else if (from.kind == Notice::Kind::kMessage) {
      out.setMessage(cut(from.text, limits::kMessageBytes, storage_));
    } else if (from.kind == Notice::Kind::kDriverLog) {
      auto log = out.initDriverLog();
      log.setLevel(static_cast<uint32_t>(from.number));
      log.setText(cut(from.text, limits::kMessageBytes, storage_));
    } else if (from.kind == Notice::Kind::kDevice) {
      auto device = out.initDevice();
      device.setCallback(from.number);
      device.setType(from.type);
      device.setBytes(from.bytes);
    } else {
      const auto text = as_bytes(std::string_view(from.text).substr(0, limits::kNoticeOutputBytes));
      const kj::ArrayPtr<const kj::byte> bytes(reinterpret_cast<const kj::byte*>(text.data()), text.size());
      if (from.kind == Notice::Kind::kDeviceErrors) {
        out.setDeviceErrors(bytes);
      } else {
        out.setDeviceOutput(bytes);
      }
    }
  }

  void operator()(const HelloInfo& from) {
    auto out = root_.initHello();
    out.setProtocolVersion(from.protocol_version);
    out.setOldestProtocolVersion(from.oldest_protocol_version);
    out.setRegistryRevision(from.registry_revision);
    out.setClientVersion(name(from.client_version));
    out.setHostName(name(from.host_name));
    out.setProcessId(from.process_id);
    out.setProcessName(name(from.process_name));
    out.setUserId(from.user_id);
    out.setPurpose(static_cast<schema::Purpose>(from.purpose));
    lease(from.requested, out.initRequested());
    const size_t holes = std::min(from.address_holes.size(), limits::kAddressHoles);
    auto list = out.initAddressHoles(static_cast<unsigned>(holes));
    for (unsigned i = 0; i < holes; ++i) range(from.address_holes[i], list[i]);
  }

  void operator()(const WelcomeInfo& from) {
    auto out = root_.initWelcome();
    out.setProtocolVersion(from.protocol_version);
    out.setRegistryRevision(from.registry_revision);
    out.setSessionId(from.session_id);
    out.setServerVersion(name(from.server_version));
    out.setServerName(name(from.server_name));
    out.setDriverName(name(from.driver_name));
    out.setDriverVersion(from.driver_version);
    lease(from.granted, out.initGranted());
    range(from.address_range, out.initAddressRange());
    const size_t devices = std::min(from.devices.size(), limits::kDevices);
    auto list = out.initDevices(static_cast<unsigned>(devices));
    for (unsigned i = 0; i < devices; ++i) device(from.devices[i], list[i]);
    const size_t processes = std::min(from.processes.size(), limits::kProcesses);
    auto running = out.initProcesses(static_cast<unsigned>(processes));
    for (unsigned i = 0; i < processes; ++i) {
      running[i].setId(from.processes[i].process_id);
      running[i].setName(name(from.processes[i].process_name));
      running[i].setDevice(from.processes[i].device);
      running[i].setMemoryBytes(from.processes[i].memory_bytes);
    }
  }

 private:
  capnp::Text::Reader name(const std::string& value) { return cut(value, limits::kNameBytes, storage_); }

  void lease(const LeaseTerms& from, schema::Lease::Builder out) {
    out.setId(name(from.lease_id));
    out.setMemoryBytes(from.memory_bytes);
    out.setComputePercent(from.compute_percent);
    out.setPriority(from.priority);
  }

  static void range(const AddressHole& from, schema::AddressRange::Builder out) {
    out.setAddress(from.address);
    out.setSizeBytes(from.size_bytes);
  }

  static void attributes(const std::vector<AttributeValue>& from,
                         capnp::List<schema::AttributeValue>::Builder out) {
    for (unsigned i = 0; i < out.size(); ++i) {
      out[i].setId(from[i].id);
      out[i].setValue(from[i].value);
    }
  }

  void device(const DeviceSnapshot& from, schema::Device::Builder out) {
    const auto count = [](const std::vector<AttributeValue>& list) {
      return static_cast<unsigned>(std::min(list.size(), limits::kDeviceAttributes));
    };
    out.setName(name(from.name));
    out.setUuid({from.uuid.data(), from.uuid.size()});
    out.setLuid({from.luid.data(), from.luid.size()});
    out.setLuidNodeMask(from.luid_node_mask);
    out.setPciBusId(name(from.pci_bus_id));
    out.setTotalMemoryBytes(from.total_memory_bytes);
    out.setFreeMemoryBytes(from.free_memory_bytes);
    attributes(from.attributes, out.initAttributes(count(from.attributes)));
    attributes(from.limits, out.initLimits(count(from.limits)));
    out.setLeastStreamPriority(from.least_stream_priority);
    out.setGreatestStreamPriority(from.greatest_stream_priority);
    out.setContextApiVersion(from.context_api_version);
    attributes(from.sensors, out.initSensors(count(from.sensors)));
  }

  schema::Envelope::Builder root_;
  std::string storage_;
};

// `scratch` must be zeros.
Result<std::vector<std::byte>> encode_into(const Envelope& envelope, std::span<uint64_t> scratch) {
  capnp::MallocMessageBuilder message(
      kj::arrayPtr(reinterpret_cast<capnp::word*>(scratch.data()), scratch.size()));
  auto root = message.initRoot<schema::Envelope>();
  root.setFirstSequence(envelope.first_sequence);
  root.setCommandCount(envelope.command_count);
  root.setAcknowledged(envelope.acknowledged);
  std::visit(Encoder(root), envelope.kind);
  const auto segments = message.getSegmentsForOutput();
  if (segments.size() != 1) {
    return fail(ErrorKind::kInvalidArgument,
                text("A ", envelope_kind_name(envelope), " message would be larger than the ",
                     limits::kEnvelopeBytes, " bytes that an envelope may have."));
  }
  const auto bytes = segments[0].asBytes();
  std::vector<std::byte> out(bytes.size());
  std::memcpy(out.data(), bytes.begin(), bytes.size());
  return out;
}

bool is_small(const Envelope& envelope) {
  return envelope.as<CommandsFrame>() || envelope.as<RepliesFrame>() || envelope.as<Heartbeat>();
}

}  // namespace

std::string_view envelope_kind_name(const Envelope& envelope) {
  static constexpr std::array<std::string_view, 8> kNames = {"commands", "replies", "hello",  "welcome",
                                                             "refusal",  "goodbye", "notice", "heartbeat"};
  static_assert(kNames.size() == std::variant_size_v<decltype(Envelope::kind)>);
  return kNames[envelope.kind.index()];
}

Result<std::vector<std::byte>> encode_envelope(const Envelope& envelope) {
  try {
    // The builder's first segment must be zeroed, so the frequent kinds get a small one; the others
    // get the whole limit. Whatever needs a second segment is too large.
    if (is_small(envelope)) {
      uint64_t scratch[16] = {};
      return encode_into(envelope, scratch);
    }
    std::vector<uint64_t> scratch(limits::kEnvelopeBytes / sizeof(capnp::word));
    return encode_into(envelope, scratch);
  } catch (const kj::Exception& exception) {
    return fail(ErrorKind::kInternal,
                text("A ", envelope_kind_name(envelope),
                     " message could not be encoded: ", exception.getDescription().cStr()));
  }
}

}  // namespace outboard::wire
