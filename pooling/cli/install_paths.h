// Where the parts of Outboard lie, as seen from this program: a build tree or an installation.
#pragma once

#include <string>

#include "protocol/base/result.h"

namespace outboard::cli {

struct InstallPaths {
  std::string program_folder;  // that of this program
  std::string library_folder;  // holds our libcuda.so.1 and nothing that could hide other libraries
  std::string server_program;  // outboard-server
};

// Looks beside and above `program` (default: this program): in bin/ for the server, in
// bin/../lib/outboard (an installation) and bin/../lib (a build tree) for the libraries.
// kNotFound naming what is missing and where it was looked for.
Result<InstallPaths> find_install_paths(const std::string& program = "");

}  // namespace outboard::cli
