// A flat TOML file as texts. Only this file's .cc knows toml++.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard {

struct ConfigFileEntry {
  std::string key;
  std::string value;  // of a string, its content; of an integer or boolean, its text
  uint32_t line = 0;
};

// kNotFound when there is no such file; kInvalidArgument, with line and column, when it is not TOML
// or has values other than strings, integers and booleans at its top level; also when it is larger
// than limits::kConfigFileBytes.
Result<std::vector<ConfigFileEntry>> read_config_file(const std::string& path);

}  // namespace outboard
