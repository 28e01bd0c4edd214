// What every test program shares, whichever API it uses: it checks itself against host arithmetic
// and ends with one line, "PASS name" or "FAIL name".
#pragma once

#include <cstdio>

inline int g_failures = 0;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition) && ++g_failures <= 20) {                                  \
      std::printf("%s:%d: not so: %s\n", __FILE_NAME__, __LINE__, #condition); \
    }                                                                          \
  } while (0)

// The program's last line and its exit code.
inline int verdict(const char* name) {
  std::printf("%s %s\n", g_failures == 0 ? "PASS" : "FAIL", name);
  std::fflush(stdout);
  return g_failures == 0 ? 0 : 1;
}
