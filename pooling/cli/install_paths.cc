#include "pooling/cli/install_paths.h"

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <system_error>

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;

// The first of `folders` (below `base`) that holds `file`.
std::optional<fs::path> find_in(const fs::path& base, std::initializer_list<const char*> folders,
                                const char* file) {
  std::error_code ignored;
  for (const char* folder : folders) {
    const fs::path candidate = (base / folder).lexically_normal();
    if (fs::exists(candidate / file, ignored)) return candidate;
  }
  return std::nullopt;
}

}  // namespace

Result<InstallPaths> find_install_paths(const std::string& program) {
  std::error_code error;
  const fs::path own = program.empty() ? fs::read_symlink("/proc/self/exe", error) : fs::path(program);
  if (error) return fail(ErrorKind::kInternal, "/proc/self/exe cannot be read: " + error.message() + ".");
  const fs::path folder = own.parent_path();
  const auto library = find_in(folder, {"../lib/outboard", "../lib"}, "libcuda.so.1");
  if (!library) {
    return fail(ErrorKind::kNotFound, "our libcuda.so.1 is neither in " +
                                          (folder / "../lib/outboard").lexically_normal().string() +
                                          " nor in " + (folder / "../lib").lexically_normal().string() +
                                          "; build it with `make`, or install Outboard completely.");
  }
  const fs::path server = folder / "outboard-server";
  if (!fs::exists(server, error)) {
    return fail(ErrorKind::kNotFound, "outboard-server is not beside " + own.string() +
                                          "; build it with `make`, or install Outboard completely.");
  }
  return InstallPaths{folder.string(), library->string(), server.string()};
}

}  // namespace outboard::cli
