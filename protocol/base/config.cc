#include "protocol/base/config.h"

#include <charconv>

#include "protocol/base/bytes.h"
#include "protocol/base/config_file.h"

namespace outboard {
namespace {

constexpr uint64_t kMostTimeoutMs = 3'600'000;  // an hour: longer than anybody waits
constexpr int32_t kMostPriority = 100;

struct Key {
  const char* name;
  const char* variable;
  // Parses `value` into the configuration; the error says only what is wrong with the value.
  Status (*set)(ClientConfig& config, std::string_view value, const std::string& source);
};

// Stores a parsed value with its source.
template <typename T, typename Parsed>
Status store(Setting<T>& setting, const Result<Parsed>& parsed, const std::string& source) {
  if (!parsed) return fail(parsed);
  setting = {static_cast<T>(*parsed), source};
  return {};
}

Result<int32_t> parse_priority(std::string_view given) {
  int32_t value = 0;
  const auto parsed = std::from_chars(given.data(), given.data() + given.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != given.data() + given.size() || value < -kMostPriority ||
      value > kMostPriority) {
    return fail(ErrorKind::kInvalidArgument, text("'", printable(given, 64), "' is not a whole number from -",
                                                  kMostPriority, " to ", kMostPriority, "."));
  }
  return value;
}

Result<OfferCopies> parse_offer_copies(std::string_view given) {
  if (given == "auto") return OfferCopies::kAuto;
  if (given == "always") return OfferCopies::kAlways;
  if (given == "never") return OfferCopies::kNever;
  return fail(ErrorKind::kInvalidArgument,
              text("'", printable(given, 64), "' is none of auto, always and never."));
}

template <Setting<std::string> ClientConfig::* kMember>
Status set_text(ClientConfig& config, std::string_view value, const std::string& source) {
  config.*kMember = {std::string(value), source};
  return {};
}

constexpr Key kKeys[] = {
    {"server", "OUTBOARD_SERVER", set_text<&ClientConfig::server>},
    {"log", "OUTBOARD_LOG",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.log, parse_log_level(value), source);
     }},
    {"log_file", "OUTBOARD_LOG_FILE", set_text<&ClientConfig::log_file>},
    {"stats_file", "OUTBOARD_STATS_FILE", set_text<&ClientConfig::stats_file>},
    {"timeout_ms", "OUTBOARD_TIMEOUT_MS",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.timeout, parse_number(value, 1, kMostTimeoutMs), source);
     }},
    {"memory", "OUTBOARD_MEMORY",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.memory_bytes, parse_bytes(value), source);
     }},
    {"compute", "OUTBOARD_COMPUTE",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.compute_percent, parse_percent(value), source);
     }},
    {"priority", "OUTBOARD_PRIORITY",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.priority, parse_priority(value), source);
     }},
    {"offer_copies", "OUTBOARD_OFFER_COPIES",
     [](ClientConfig& c, std::string_view value, const std::string& source) {
       return store(c.offer_copies, parse_offer_copies(value), source);
     }},
};

const Key* find_key(std::string_view name) {
  for (const Key& key : kKeys) {
    if (name == key.name) return &key;
  }
  return nullptr;
}

std::string key_names() {
  std::string out;
  for (const Key& key : kKeys) out += (out.empty() ? "" : ", ") + std::string(key.name);
  return out;
}

Status apply(ClientConfig& config, const Key& key, std::string_view value, const std::string& source) {
  const Status set = key.set(config, value, source);
  if (set) return {};
  return fail(ErrorKind::kInvalidArgument,
              text("The setting '", key.name, "' from ", source, " cannot be used: ", set.error().message));
}

const char* non_empty(const Variables& variables, const char* name) {
  const char* value = variables(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

Status apply_file(ClientConfig& config, const std::string& path, bool must_exist) {
  const auto entries = read_config_file(path);
  if (!entries) return !must_exist && entries.error().kind == ErrorKind::kNotFound ? Status() : fail(entries);
  for (const auto& entry : *entries) {
    const std::string source = text(path, ", line ", entry.line);
    const Key* key = find_key(entry.key);
    if (key == nullptr) {
      return fail(ErrorKind::kInvalidArgument,
                  text(source, ": there is no setting '", printable(entry.key, 64), "'; the settings are ",
                       key_names(), "."));
    }
    if (auto status = apply(config, *key, entry.value, source); !status) return status;
  }
  return {};
}

Status apply_default_file(ClientConfig& config, const Variables& variables) {
  if (const char* named = non_empty(variables, "OUTBOARD_CONFIG")) return apply_file(config, named, true);
  constexpr const char* kName = "/outboard/config.toml";
  if (const char* folder = non_empty(variables, "XDG_CONFIG_HOME"))
    return apply_file(config, std::string(folder) + kName, false);
  if (const char* home = non_empty(variables, "HOME"))
    return apply_file(config, std::string(home) + "/.config" + kName, false);
  return {};
}

}  // namespace

Result<uint32_t> parse_percent(std::string_view given) {
  const std::string_view number = given.ends_with('%') ? given.substr(0, given.size() - 1) : given;
  const auto value = parse_number(number, 0, 100);
  if (value) return static_cast<uint32_t>(*value);
  return fail(ErrorKind::kInvalidArgument,
              text("'", printable(given, 64), "' is not a percentage from 0 to 100."));
}

// From the weakest source to the strongest, each overwriting the one before.
Result<ClientConfig> load_client_config(const Variables& variables, std::span<const ConfigFlag> flags) {
  ClientConfig config;
  if (auto status = apply_default_file(config, variables); !status) return fail(status);
  for (const Key& key : kKeys) {
    const char* value = non_empty(variables, key.variable);
    if (value == nullptr) continue;
    if (auto status = apply(config, key, value, text("the variable ", key.variable)); !status)
      return fail(status);
  }
  for (const ConfigFlag& flag : flags) {
    const Key* key = find_key(flag.key);
    if (key == nullptr)
      return fail(ErrorKind::kInternal,
                  text("There is no setting '", flag.key, "' for the flag ", flag.flag, "."));
    if (auto status = apply(config, *key, flag.value, text("the flag ", flag.flag)); !status)
      return fail(status);
  }
  return config;
}

}  // namespace outboard
