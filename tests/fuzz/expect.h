// What a fuzz target demands besides not crashing.
#pragma once

#include <cstdio>
#include <cstdlib>

#define OUTBOARD_EXPECT(condition)                                                        \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
