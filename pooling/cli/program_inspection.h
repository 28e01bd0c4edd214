// Whether a program can be given our libcuda.so.1, judged from its file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::cli {

struct ProgramFacts {
  std::string path;  // as found
  bool is_elf = false;
  bool is_64_bit = false;
  bool is_x86_64 = false;
  bool has_loader = false;             // PT_INTERP: the dynamic loader starts it, so LD_LIBRARY_PATH counts
  bool is_shared_object_only = false;  // ET_DYN without PT_INTERP: a library or a static PIE
  bool gains_privileges = false;       // setuid or setgid: the loader ignores LD_LIBRARY_PATH
  std::string script_interpreter;      // "#!/usr/bin/env python3": what follows "#!"
  std::vector<std::string> needed;     // DT_NEEDED
  std::string rpath;                   // DT_RPATH without DT_RUNPATH: searched before LD_LIBRARY_PATH
  std::string runpath;                 // DT_RUNPATH: searched after it
};

// `program` as a shell would find it: a path, or a name in PATH.
// kNotFound when there is no such file, kPermissionDenied when it cannot be read.
Result<ProgramFacts> inspect_program(const std::string& program);

// Why this program would not use our libcuda.so.1, as one sentence; empty when it will, or may.
std::string remote_obstacle(const ProgramFacts& facts);

}  // namespace outboard::cli
