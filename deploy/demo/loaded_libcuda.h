// Which libcuda this process has loaded: the demo shows that it is not NVIDIA's.
#pragma once

#include <link.h>

#include <cstring>
#include <string>

inline std::string loaded_libcuda() {
  std::string path = "(none)";
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* found) {
        if (info->dlpi_name == nullptr || std::strstr(info->dlpi_name, "/libcuda.so") == nullptr) return 0;
        *static_cast<std::string*>(found) = info->dlpi_name;
        return 1;
      },
      &path);
  return path;
}
