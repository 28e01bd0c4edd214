// Every bound on what the other side, a file or the environment may make us allocate or wait for.
// A limit is checked before the memory is taken, and the error names the limit.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace outboard::limits {

// Frames. The envelope holds control data only: a welcome with 16 devices of 160 attributes takes
// about 24 KiB.
inline constexpr uint32_t kEnvelopeBytes = 64u << 10;
// A client flushes at 64 KiB of commands; one command with a large packed argument (a kernel
// parameter buffer is 32 KiB at most, a graph description can be larger) still fits.
inline constexpr uint32_t kCommandsBytes = 4u << 20;
// Two chunks of kBulkChunkBytes: a frame may carry the end of one copy and the start of the next.
inline constexpr uint32_t kBulkBytes = 16u << 20;
// Large copies are cut into chunks of this size, so that both ends work at the same time and a
// small command waits for at most one chunk.
inline constexpr uint32_t kBulkChunkBytes = 8u << 20;
// A command is at least three bytes, so this is what kCommandsBytes can hold; the count in the
// envelope is checked against it before anything is reserved.
inline constexpr uint32_t kCommandsPerFrame = kCommandsBytes / 3;
// Elements of any one array inside a message: nodes of a graph, dependencies, functions of a module.
inline constexpr size_t kArrayElements = 65536;

// Handshake. A peer that has not identified itself may hold a connection for this long.
inline constexpr std::chrono::milliseconds kHelloTime{5000};
// Opening a driver on the server can take seconds (NVIDIA's initialises every device).
inline constexpr std::chrono::milliseconds kWelcomeTime{60000};
inline constexpr size_t kNameBytes = 256;                // host, process, server and device names
inline constexpr size_t kMessageBytes = 4096;            // refusals, goodbyes, notices: sentences for people
inline constexpr size_t kNoticeOutputBytes = 32u << 10;  // what a kernel printed, per notice
inline constexpr size_t kProcesses = 256;                // in one welcome
inline constexpr size_t kDevices = 64;                   // in one welcome
inline constexpr size_t kDeviceAttributes = 1024;        // per device; CUDA 13.0 has about 150
inline constexpr size_t kAddressHoles = 64;              // in one hello

// Connecting. How long `connect` waits unless the configuration says otherwise.
inline constexpr std::chrono::milliseconds kConnectTime{10000};
inline constexpr int kListenBacklog = 128;
// The pipe between the two ends of a loopback connection; as large as a socket buffer, so that
// tests meet the same blocking.
inline constexpr size_t kLoopbackPipeBytes = 256u << 10;

// Files and variables.
inline constexpr size_t kConfigFileBytes = 1u << 20;
inline constexpr size_t kStatsSlots = 64;  // processes of one `outboard run` that are shown apart

}  // namespace outboard::limits
