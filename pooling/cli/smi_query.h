// What `outboard smi` prints, from a server's welcome: the table, the list, and the fields of
// --query-gpu. Names and units are those of nvidia-smi, which scripts know.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pooling/cli/options.h"
#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"

namespace outboard::cli {

// The familiar table, with the processes of this user below it. `now` stands in its first line.
std::string smi_table(const wire::WelcomeInfo& welcome, std::string_view now);
// "GPU 0: NAME (UUID: GPU-...)", a line for each device.
std::string smi_list(const wire::WelcomeInfo& welcome);
// Comma-separated values: one line for each device, after one of names unless told otherwise.
// kInvalidArgument names a field that does not exist and lists those that do.
Result<std::string> smi_query(const wire::WelcomeInfo& welcome, const std::vector<std::string>& fields,
                              const SmiFormat& format);

}  // namespace outboard::cli
