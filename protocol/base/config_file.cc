#include "protocol/base/config_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"

namespace outboard {
namespace {

Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    return fail(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kPermissionDenied,
                text("The configuration file '", path, "' cannot be read: ", std::strerror(errno), "."));
  }
  std::string content(limits::kConfigFileBytes + 1, '\0');
  size_t size_bytes = 0;
  ssize_t got = 0;
  do {
    got = ::read(fd, content.data() + size_bytes, content.size() - size_bytes);
    if (got > 0) size_bytes += static_cast<size_t>(got);
  } while ((got > 0 && size_bytes < content.size()) || (got < 0 && errno == EINTR));
  const int error = errno;
  ::close(fd);
  if (got < 0) {
    return fail(ErrorKind::kInvalidArgument,
                text("The configuration file '", path, "' cannot be read: ", std::strerror(error), "."));
  }
  if (size_bytes > limits::kConfigFileBytes) {
    return fail(ErrorKind::kInvalidArgument, text("The configuration file '", path, "' is larger than the ",
                                                  limits::kConfigFileBytes, " bytes that one may have."));
  }
  content.resize(size_bytes);
  return content;
}

}  // namespace

Result<std::vector<ConfigFileEntry>> read_config_file(const std::string& path) {
  const auto content = read_file(path);
  if (!content) return fail(content);
  const toml::parse_result parsed = toml::parse(std::string_view(*content), path);
  if (!parsed) {
    const auto where = parsed.error().source().begin;
    return fail(ErrorKind::kInvalidArgument, text(path, ", line ", where.line, ", column ", where.column,
                                                  ": this is not TOML: ", parsed.error().description(), "."));
  }
  std::vector<ConfigFileEntry> out;
  for (const auto& [key, node] : parsed.table()) {
    ConfigFileEntry entry{std::string(key.str()), {}, node.source().begin.line};
    if (const auto* string = node.as_string()) {
      entry.value = string->get();
    } else if (const auto* integer = node.as_integer()) {
      entry.value = std::to_string(integer->get());
    } else if (const auto* boolean = node.as_boolean()) {
      entry.value = boolean->get() ? "true" : "false";
    } else {
      return fail(ErrorKind::kInvalidArgument,
                  text(path, ", line ", entry.line, ": the value of '", printable(entry.key, 64),
                       "' must be a string, a whole number or a boolean."));
    }
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace outboard
