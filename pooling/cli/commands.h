// The commands of `outboard`. Each returns the exit code of the program; messages for people go to
// standard error, results to standard output.
#pragma once

#include <string>
#include <string_view>

#include "pooling/cli/options.h"

namespace outboard::cli {

int run_command(const RunOptions& options);
int devices_command(const DevicesOptions& options);
int smi_command(const SmiOptions& options);
int doctor_command(const DoctorOptions& options);  // 1 when a check failed
int version_command(const VersionOptions& options);

void say(std::string_view message);  // "outboard: MESSAGE" on standard error

}  // namespace outboard::cli
