// What the user configured for a client: flags of `outboard run`, OUTBOARD_* variables, a file, and
// defaults, in this order of precedence.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/log.h"
#include "protocol/base/result.h"

namespace outboard {

inline constexpr const char* kDefaultSource = "the default";

// A value and where it came from, for messages: "the flag --server", "the variable OUTBOARD_SERVER",
// "/home/x/.config/outboard/config.toml, line 3", "the default".
template <typename T>
struct Setting {
  T value{};
  std::string source = kDefaultSource;

  bool given() const { return source != kDefaultSource; }
};

// | file key        | variable              |                                          |
// |-----------------|-----------------------|------------------------------------------|
// | server          | OUTBOARD_SERVER       | see protocol/transport/address.h         |
// | log             | OUTBOARD_LOG          | error, warn, info, debug                 |
// | log_file        | OUTBOARD_LOG_FILE     | path; empty: standard error              |
// | stats_file      | OUTBOARD_STATS_FILE   | path, see session_stats.h; empty: none   |
// | timeout_ms      | OUTBOARD_TIMEOUT_MS   | for connecting and greeting, 1 to 3600000|
// | memory          | OUTBOARD_MEMORY       | lease: bytes, "4GiB"; 0: no limit        |
// | compute         | OUTBOARD_COMPUTE      | lease: percent of a device, "30%" or 30; 0: no limit |
// | priority        | OUTBOARD_PRIORITY     | lease: -100 to 100                       |
// | offer_copies    | OUTBOARD_OFFER_COPIES | auto, always, never: ask the server whether it has |
// |                 |                       | the data of large copies to the device already     |
// Texts in the file are TOML strings; numbers may be TOML integers. Empty variables count as unset.

// Which copies to the device are offered by their content's hash before they are sent.
enum class OfferCopies : uint8_t {
  kAuto,    // memory that is filled for the first time, where the link makes asking worth while
  kAlways,  // all large ones
  kNever,
};

struct ClientConfig {
  Setting<std::string> server;  // empty: nobody named one
  Setting<LogLevel> log{LogLevel::kWarn};
  Setting<std::string> log_file;
  Setting<std::string> stats_file;
  Setting<std::chrono::milliseconds> timeout{std::chrono::milliseconds(10'000)};
  Setting<uint64_t> memory_bytes;
  Setting<uint32_t> compute_percent;
  Setting<int32_t> priority;
  Setting<OfferCopies> offer_copies;
};

// A flag that was given: {"server", "unix:/x", "--server"}. `key` is one of the file keys.
struct ConfigFlag {
  std::string_view key;
  std::string value;
  std::string_view flag;
};

// The environment, as getenv(3): null when unset.
using Variables = std::function<const char*(const char* name)>;

// The file is $OUTBOARD_CONFIG, which must exist, or ${XDG_CONFIG_HOME:-$HOME/.config}/outboard/
// config.toml, which need not. kInvalidArgument, with the source and the value, for what cannot be
// understood, unknown keys included; kNotFound for a named file that is not there.
Result<ClientConfig> load_client_config(const Variables& variables, std::span<const ConfigFlag> flags = {});

// A size is the text of parse_bytes; a percentage is 1 to 100 with or without "%", or 0.
Result<uint32_t> parse_percent(std::string_view text);

}  // namespace outboard
