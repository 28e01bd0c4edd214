// What a driver tells a program beside results: its log, news of devices, and the settings of core
// dumps.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "driver.h"

namespace {

struct Heard {
  std::atomic<int> messages{0};
  std::atomic<bool> names_the_kernel{false};
};

void hear(void* data, CUlogLevel level, char* message, size_t length) {
  auto* heard = static_cast<Heard*>(data);
  const std::string text(message, length);
  EXPECT(level == CU_LOG_LEVEL_ERROR || level == CU_LOG_LEVEL_WARNING);
  if (text.find("cannot_run") != std::string::npos) heard->names_the_kernel = true;
  ++heard->messages;
}

// Something that a driver logs: PTX that it refuses.
void provoke() {
  CUmodule module = nullptr;
  const CUresult result =
      DRIVER(cuModuleLoadData)(&module, ".version 8.0\n.target sm_80\n.address_size 64\ncannot_run;\n");
  EXPECT(result != CUDA_SUCCESS);
}

bool wait_for(const std::atomic<int>& count, int wanted) {
  for (int i = 0; i < 1000 && count < wanted; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return count >= wanted;
}

void check_log() {
  CUlogIterator before = 0, again = 0;
  MUST(DRIVER(cuLogsCurrent)(&before, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsCurrent)(nullptr, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsCurrent)(&again, 1));
  char text[4096];
  size_t size = sizeof text;
  again = before;
  MUST(DRIVER(cuLogsDumpToMemory)(&again, text, &size, 0));
  EXPECT(size == 0 && text[0] == 0 && again == before);  // nothing since

  Heard heard;
  CUlogsCallbackHandle handle = nullptr;
  MUST(DRIVER(cuLogsRegisterCallback)(&hear, &heard, &handle));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsRegisterCallback)(nullptr, nullptr, &handle));
  provoke();
  EXPECT(wait_for(heard.messages, 1));

  size = sizeof text;
  MUST(DRIVER(cuLogsDumpToMemory)(&again, text, &size, 0));
  EXPECT(size > 10 && size == std::strlen(text) && text[size - 1] == '\n');
  EXPECT(std::strstr(text, "[E]") != nullptr);
  EXPECT(again != before);
  size_t rest = sizeof text;
  char nothing[16] = "x";
  rest = sizeof nothing;
  MUST(DRIVER(cuLogsDumpToMemory)(&again, nothing, &rest, 0));
  EXPECT(rest == 0 && nothing[0] == 0);
  // Too small for any message.
  CUlogIterator from = before;
  rest = 8;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsDumpToMemory)(&from, nothing, &rest, 0));
  EXPECT(rest == 0);

  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("outboard-log-" + std::to_string(getpid()));
  from = before;
  MUST(DRIVER(cuLogsDumpToFile)(&from, path.c_str(), 0));
  EXPECT(read_text(path.c_str()) == std::string(text, size));
  std::filesystem::remove(path);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsDumpToFile)(nullptr, "/no/such/folder/log", 0));

  MUST(DRIVER(cuLogsUnregisterCallback)(handle));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLogsUnregisterCallback)(handle));
  const int so_far = heard.messages;
  provoke();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT(heard.messages == so_far);
  std::printf("log done\n");
}

void ignore(CUasyncNotificationInfo*, void*, CUasyncCallbackHandle) {}

void check_device_news(CUdevice device) {
  CUasyncCallbackHandle handle = nullptr;
  MUST(DRIVER(cuDeviceRegisterAsyncNotification)(device, &ignore, nullptr, &handle));
  EXPECT(handle != nullptr);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDeviceRegisterAsyncNotification)(device, nullptr, nullptr, &handle));
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE,
               DRIVER(cuDeviceRegisterAsyncNotification)(1000, &ignore, nullptr, &handle));
  MUST(DRIVER(cuDeviceUnregisterAsyncNotification)(device, handle));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuDeviceUnregisterAsyncNotification)(device, handle));
  std::printf("news of devices done\n");
}

void check_core_dump_settings() {
  size_t size = 0;
  MUST(DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_GENERATION_FLAGS, nullptr, &size));
  EXPECT(size == 4);
  bool on = true;
  size = sizeof on;
  MUST(DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_ENABLE_ON_EXCEPTION, &on, &size));
  EXPECT(!on);
  MUST(DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_ENABLE_ON_EXCEPTION, &on, &size));
  on = true;
  EXPECT_ERROR(CUDA_ERROR_NOT_PERMITTED,
               DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_ENABLE_ON_EXCEPTION, &on, &size));
  EXPECT_ERROR(CUDA_ERROR_NOT_PERMITTED,
               DRIVER(cuCoredumpSetAttributeGlobal)(CU_COREDUMP_ENABLE_USER_TRIGGER, &on, &size));

  // A context's settings are the process's until it has its own.
  char global[] = "/tmp/global", own[] = "/tmp/own", found[1024];
  size = sizeof global;
  MUST(DRIVER(cuCoredumpSetAttributeGlobal)(CU_COREDUMP_FILE, global, &size));
  size = sizeof found;
  MUST(DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_FILE, found, &size));
  EXPECT(std::strcmp(found, global) == 0);
  size = sizeof own;
  MUST(DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_FILE, own, &size));
  size = sizeof found;
  MUST(DRIVER(cuCoredumpGetAttributeGlobal)(CU_COREDUMP_FILE, found, &size));
  EXPECT(std::strcmp(found, global) == 0);
  size = 4;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_FILE, found, &size));
  size = sizeof own;
  EXPECT_ERROR(CUDA_ERROR_NOT_PERMITTED, DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_PIPE, own, &size));

  // The lightweight switch stands for flags.
  size = sizeof on;
  MUST(DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_LIGHTWEIGHT, &on, &size));
  unsigned flags = 0;
  size = sizeof flags;
  MUST(DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_GENERATION_FLAGS, &flags, &size));
  EXPECT(flags == CU_COREDUMP_LIGHTWEIGHT_FLAGS);
  flags = 1u << 20;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuCoredumpSetAttribute)(CU_COREDUMP_GENERATION_FLAGS, &flags, &size));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuCoredumpGetAttribute)(CU_COREDUMP_MAX, &flags, &size));
  std::printf("core dump settings done\n");
}

}  // namespace

int main() {
  const CUdevice device = open_device();
  check_log();
  check_device_news(device);
  check_core_dump_settings();
  return verdict("driver_news");
}
