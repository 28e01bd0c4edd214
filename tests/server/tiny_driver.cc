// The smallest library that a worker takes for a driver: one device that can do nothing. What it
// does wrong is chosen by the environment, as no test can reach into a worker process.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

bool asked_for(const char* fault) {
  const char* wanted = std::getenv("TINY_DRIVER_FAULT");
  return wanted != nullptr && std::strcmp(wanted, fault) == 0;
}

// Dies of it even where a sanitizer catches the signal.
void crash() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

}  // namespace

EXPORT int cuInit(unsigned) {
  if (asked_for("crash in init")) crash();
  return asked_for("no device") ? 100 : 0;
}
EXPORT int cuDeviceGetCount(int* count) { return *count = 1, 0; }
EXPORT int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
EXPORT int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
EXPORT int cuDeviceGetName(char* name, int, int) { return std::strcpy(name, "Tiny device"), 0; }
EXPORT int cuCtxSetCurrent(void*) { return 0; }
// What a driver does that finds an assertion failed: it tells whoever looks at the terminal.
EXPORT int cuStreamSynchronize(void*) {
  std::fputs("tiny.cu:1: kernel: Assertion `false` failed.\n", stderr);
  return 710;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) {
  // Only a session's worker asks this; a probe does not.
  if (asked_for("crash in session")) crash();
  return *bytes = 1 << 20, 0;
}
