// How a client and a server get to know each other. The first frame of a connection is the
// client's hello; the server answers with one welcome or one refusal. Cap'n Proto stays behind
// these structs, and its exceptions stop behind these functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/transport/transport.h"

namespace outboard::wire {

// What this build speaks. A server accepts every version in [oldest, current] of a client that
// overlaps its own range, and answers in the newest that both speak.
inline constexpr uint32_t kProtocolVersion = 2;
inline constexpr uint32_t kOldestProtocolVersion = 2;

enum class SessionPurpose : uint8_t {
  kSession = 0,  // runs commands: the server starts a worker for it
  kQuery = 1,    // only wants the welcome: what devices are there?
};

// What a client asks for, and what it gets. Zero means "no limit of its own".
struct LeaseTerms {
  std::string lease_id;  // empty until there is a pool
  uint64_t memory_bytes = 0;
  uint32_t compute_percent = 0;  // of one device, 1..100
  int32_t priority = 0;          // larger is more urgent
  friend bool operator==(const LeaseTerms&, const LeaseTerms&) = default;
};

// A range of addresses that is free in the process that says so.
struct AddressHole {
  uint64_t address = 0;
  uint64_t size_bytes = 0;
  friend bool operator==(const AddressHole&, const AddressHole&) = default;
};

// All texts are at most limits::kNameBytes; they come from another process and are for display.
struct HelloInfo {
  uint32_t protocol_version = kProtocolVersion;
  uint32_t oldest_protocol_version = kOldestProtocolVersion;
  uint32_t registry_revision = 0;  // of the client's opcodes.lock: how many opcodes it knows
  std::string client_version;      // "0.1.0"
  std::string host_name;
  uint32_t process_id = 0;
  std::string process_name;
  uint32_t user_id = 0;  // as the client says; the server asks the kernel
  SessionPurpose purpose = SessionPurpose::kSession;
  LeaseTerms requested;
  std::vector<AddressHole> address_holes;  // at most limits::kAddressHoles
};

struct AttributeValue {
  int32_t id = 0;  // CUdevice_attribute, or whatever the list it stands in says
  int64_t value = 0;
  friend bool operator==(const AttributeValue&, const AttributeValue&) = default;
};

// What the server's management library knows of a device at this moment. Numbers on the wire.
enum class Sensor : int32_t {
  kBusyPercent = 1,
  kMemoryBusyPercent = 2,
  kTemperatureC = 3,
  kPowerMilliwatts = 4,
  kPowerLimitMilliwatts = 5,
  kFanPercent = 6,
  kSmClockMhz = 7,
  kMemoryClockMhz = 8,
  kPerformanceState = 9,
  // Temperatures at which a device protects itself.
  kShutdownTemperatureC = 10,
  kSlowdownTemperatureC = 11,
  kMaxMemoryTemperatureC = 12,
  kMaxDeviceTemperatureC = 13,
};

// A process of the client's own user and machine that uses devices of the server.
struct ProcessInfo {
  uint32_t process_id = 0;
  std::string process_name;
  uint32_t device = 0;  // its place among the welcome's devices
  uint64_t memory_bytes = 0;
  friend bool operator==(const ProcessInfo&, const ProcessInfo&) = default;
};

// One device, so completely that a client answers every question about it by itself.
struct DeviceSnapshot {
  std::string name;
  std::array<uint8_t, 16> uuid{};
  std::array<uint8_t, 8> luid{};  // zeros where the driver knows none
  uint32_t luid_node_mask = 0;
  std::string pci_bus_id;  // "0000:01:00.0"
  uint64_t total_memory_bytes = 0;
  uint64_t free_memory_bytes = 0;          // when the welcome was written
  std::vector<AttributeValue> attributes;  // CUdevice_attribute -> value, all that the driver knows
  std::vector<AttributeValue> limits;      // CUlimit -> value of a fresh primary context
  int32_t least_stream_priority = 0;
  int32_t greatest_stream_priority = 0;
  uint32_t context_api_version = 0;     // cuCtxGetApiVersion of a primary context
  std::vector<AttributeValue> sensors;  // Sensor -> value, what is known; answers to queries only
};

struct WelcomeInfo {
  uint32_t protocol_version = kProtocolVersion;  // what the session speaks from here on
  uint32_t registry_revision = 0;                // of the server
  uint64_t session_id = 0;                       // unique in this server's life
  std::string server_version;
  std::string server_name;
  std::string driver_name;     // "NVIDIA", "Outboard software device"
  int32_t driver_version = 0;  // cuDriverGetVersion: 13000
  LeaseTerms granted;
  AddressHole address_range;            // where the session's device memory lies; size 0: anywhere
  std::vector<DeviceSnapshot> devices;  // at most limits::kDevices
  std::vector<ProcessInfo> processes;   // at most limits::kProcesses; answers to queries only
};

// The client's side: sends the hello and waits for the answer until `deadline`. A refusal becomes
// an error of the kind the server chose, with the server's sentence. After success the next byte
// of `transport` is the first of the session.
Result<WelcomeInfo> greet(transport::Transport& transport, const HelloInfo& hello, SteadyTime deadline);

// The server's side. read_hello takes exactly one frame off the transport, so that the connection
// can be handed to another process afterwards; kProtocolViolation for anything but a well-formed
// hello, kDisconnected when it does not come before `deadline`.
Result<HelloInfo> read_hello(transport::Transport& transport, SteadyTime deadline);
Status send_welcome(transport::Transport& transport, const WelcomeInfo& welcome);
// `message` is what the user will read; it is cut at limits::kMessageBytes.
Status send_refusal(transport::Transport& transport, ErrorKind kind, const std::string& message);

// The protocol version for a session with this client, or kUnsupported with a sentence that names
// both ranges.
Result<uint32_t> negotiate_version(const HelloInfo& hello);

// The hello as bytes, for a daemon that passes it to a worker.
std::vector<std::byte> encode_hello(const HelloInfo& hello);
Result<HelloInfo> decode_hello(std::span<const std::byte> bytes);

}  // namespace outboard::wire
