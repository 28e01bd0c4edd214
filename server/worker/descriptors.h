// The descriptors that a worker process is born with.
#pragma once

namespace outboard::server {

inline constexpr int kConnectionFd = 3;  // the client's connection; none for a probe
inline constexpr int kControlFd = 4;     // SOCK_SEQPACKET to the daemon, see control_messages.h

}  // namespace outboard::server
