@0x828f5d96d5e09c5b;

# The control plane of the Outboard protocol. This file is the protocol's document.
#
# A connection carries frames in both directions. A frame is
#
#   u32 magic 'OBF1' | u32 envelope bytes | u32 commands bytes | u32 bulk bytes    (little endian)
#   envelope   one Cap'n Proto message of a single segment, without the segment table:
#              the `Envelope` below is its root
#   commands   requests or replies in the compact encoding of protocol/wire/commands.h
#   bulk       the data of those, in order
#
# Limits (protocol/base/limits.h): envelope 64 KiB, commands 4 MiB, bulk 16 MiB. A receiver checks
# them before it takes memory, and ends the session with a goodbye when they are exceeded.
#
# Life of a connection
#   client: hello
#   server: welcome (or refusal, and the end)
#   client: commands frames, any number, whenever it likes
#   server: replies frames, in any order, and notices
#   either: goodbye, and the end
#
# Sequences. Every command of a session has a sequence number, counting from 1 without gaps. A frame
# says the first one and how many there are; `acknowledged` tells the peer up to which of ITS
# sequences everything was processed. Replies name their request's sequence and have none of their
# own. That is enough for a broken connection to be resumed without doing anything twice.
#
# Rules for changing this file: fields and enumerants are added at the end, never renumbered or
# removed; what an old peer does not know must be safe for it to ignore. Anything else raises the
# protocol version (protocol/wire/handshake.h).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("outboard::schema");

struct Envelope {
  firstSequence @0 :UInt64;  # of the first command in this frame, or of the next one to come
  commandCount @1 :UInt32;   # commands or replies in this frame
  acknowledged @2 :UInt64;   # all of the peer's sequences up to this one were processed

  union {
    commands @3 :Void;
    replies @4 :Void;
    hello @5 :Hello;
    welcome @6 :Welcome;
    refusal @7 :Refusal;
    goodbye @8 :Goodbye;
    notice @9 :Notice;
    heartbeat @10 :Heartbeat;
  }
}

# What the receiver of an error can do about it; the same list as in protocol/base/result.h.
enum ErrorKind {
  disconnected @0;
  overloaded @1;
  quotaExceeded @2;
  unsupported @3;
  protocolViolation @4;
  invalidArgument @5;
  notFound @6;
  permissionDenied @7;
  internal @8;
}

enum Purpose {
  session @0;  # runs commands
  query @1;    # only wants the welcome
}

# What is asked for, and what is granted. Zero: no limit of its own.
struct Lease {
  id @0 :Text;  # empty without a pool
  memoryBytes @1 :UInt64;
  computePercent @2 :UInt32;  # of one device
  priority @3 :Int32;         # larger is more urgent
}

struct AddressRange {
  address @0 :UInt64;
  sizeBytes @1 :UInt64;
}

struct Hello {
  protocolVersion @0 :UInt32;        # the newest the client speaks
  oldestProtocolVersion @1 :UInt32;  # and the oldest
  registryRevision @2 :UInt32;       # how many opcodes the client knows
  clientVersion @3 :Text;
  hostName @4 :Text;
  processId @5 :UInt32;
  processName @6 :Text;
  userId @7 :UInt32;
  purpose @8 :Purpose;
  requested @9 :Lease;
  addressHoles @10 :List(AddressRange);  # free in the client's address space
}

struct AttributeValue {
  id @0 :Int32;
  value @1 :Int64;
}

struct Device {
  name @0 :Text;
  uuid @1 :Data;  # 16 bytes
  luid @2 :Data;  # 8 bytes
  luidNodeMask @3 :UInt32;
  pciBusId @4 :Text;
  totalMemoryBytes @5 :UInt64;
  freeMemoryBytes @6 :UInt64;
  attributes @7 :List(AttributeValue);  # CUdevice_attribute
  limits @8 :List(AttributeValue);      # CUlimit
  leastStreamPriority @9 :Int32;
  greatestStreamPriority @10 :Int32;
  contextApiVersion @11 :UInt32;
  sensors @12 :List(AttributeValue);  # Sensor of handshake.h; in answers to queries
}

# Of the client's own user and machine.
struct Process {
  id @0 :UInt32;
  name @1 :Text;
  device @2 :UInt32;  # index in Welcome.devices
  memoryBytes @3 :UInt64;
}

struct Welcome {
  protocolVersion @0 :UInt32;  # what is spoken from here on
  registryRevision @1 :UInt32;
  sessionId @2 :UInt64;
  serverVersion @3 :Text;
  serverName @4 :Text;
  driverName @5 :Text;
  driverVersion @6 :Int32;
  granted @7 :Lease;
  addressRange @8 :AddressRange;  # where the session's device memory lies; size 0: anywhere
  devices @9 :List(Device);
  processes @10 :List(Process);  # in answers to queries
}

struct Refusal {
  kind @0 :ErrorKind;
  message @1 :Text;  # a sentence for the user
}

struct Goodbye {
  orderly @0 :Bool;  # nothing is wrong; kind and message are empty then
  kind @1 :ErrorKind;
  message @2 :Text;
}

# Something the peer should know that answers no command.
struct Notice {
  union {
    message @0 :Text;       # for the log
    deviceOutput @1 :Data;  # what a kernel printed, for the client's standard output
    hostFunction @2 :UInt64;  # a stream has reached the host function that was launched under this
                              # number, and waits for HostFunctionDone
    hostFunctionGone @3 :UInt64;  # no stream will reach that number any more
    driverLog @4 :DriverLog;  # only to a client that subscribed (LogsSubscribe)
    device @5 :DeviceNotice;  # only for a callback that the client registered
    deviceErrors @6 :Data;    # what the driver wrote to standard error, for the client's
  }
}

struct DriverLog {
  level @0 :UInt32;  # CUlogLevel
  text @1 :Text;
}

struct DeviceNotice {
  callback @0 :UInt64;  # index and generation (upper half) of the handle that it was registered under
  type @1 :UInt32;      # CUasyncNotificationType
  bytes @2 :UInt64;     # over the budget
}

struct Heartbeat {
  wantsAnswer @0 :Bool;
}
