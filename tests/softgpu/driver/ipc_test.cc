// Memory and events shared with another process, which is this program again: its half are the tests of
// IpcPeer, which run only when they are asked for by name.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

constexpr size_t kCount = 5000;
constexpr unsigned kShareable = CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING;

struct Handles {
  CUipcMemHandle memory{};
  CUipcEventHandle event{};
};

std::string to_hex(const Handles& handles) {
  std::string text;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&handles);
  for (size_t i = 0; i < sizeof handles; ++i) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

Handles from_hex(const std::string& text) {
  Handles handles;
  auto* bytes = reinterpret_cast<unsigned char*>(&handles);
  for (size_t i = 0; i < sizeof handles && 2 * i + 1 < text.size(); ++i)
    bytes[i] = static_cast<unsigned char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  return handles;
}

// A stream that stands still until it is let go.
class Gate {
 public:
  void close(CUstream stream) {
    EXPECT_EQ(cuLaunchHostFunc(
                  stream,
                  [](void* gate) {
                    while (!static_cast<Gate*>(gate)->open_.load()) std::this_thread::yield();
                  },
                  this),
              CUDA_SUCCESS);
  }
  void open() { open_.store(true); }

 private:
  std::atomic<bool> open_{false};
};

class IpcTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    function("scale");
    ASSERT_EQ(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  }

  Handles share(CUdeviceptr address) {
    Handles handles;
    EXPECT_EQ(cuEventCreate(&event_, kShareable), CUDA_SUCCESS);
    EXPECT_EQ(cuIpcGetMemHandle(&handles.memory, address), CUDA_SUCCESS);
    EXPECT_EQ(cuIpcGetEventHandle(&handles.event, event_), CUDA_SUCCESS);
    return handles;
  }

  // Runs the peer's test of that name; its standard input and output are pipes of ours.
  void start_peer(const std::string& name, const Handles& handles) {
    int to[2], from[2];
    ASSERT_EQ(pipe(to), 0);
    ASSERT_EQ(pipe(from), 0);
    const std::string filter = "--gtest_filter=IpcPeer.DISABLED_" + name;
    const std::string hex = to_hex(handles);
    peer_ = fork();
    if (peer_ == 0) {
      dup2(to[0], 10);
      dup2(from[1], 11);
      close(to[1]);
      close(from[0]);
      setenv("OUTBOARD_TEST_HANDLES", hex.c_str(), 1);
      execl("/proc/self/exe", "peer", filter.c_str(), "--gtest_also_run_disabled_tests", "--gtest_brief=1",
            nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    to_peer_ = to[1];
    from_peer_ = from[0];
  }
  void tell_peer() { ASSERT_EQ(::write(to_peer_, "x", 1), 1); }
  // False if the peer has ended instead.
  bool hear_peer() {
    char byte = 0;
    return ::read(from_peer_, &byte, 1) == 1;
  }
  int end_peer() {
    int status = -1;
    waitpid(peer_, &status, 0);
    close(to_peer_);
    close(from_peer_);
    return status;
  }

  CUstream stream_ = nullptr;
  CUevent event_ = nullptr;
  pid_t peer_ = 0;
  int to_peer_ = -1, from_peer_ = -1;
};

class IpcPeer : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    alarm(60);  // never outlives a parent that has given up
    const char* text = std::getenv("OUTBOARD_TEST_HANDLES");
    ASSERT_NE(text, nullptr);
    handles_ = from_hex(text);
    ASSERT_EQ(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  }
  static void tell() { ASSERT_EQ(::write(11, "x", 1), 1); }
  static void hear() {
    char byte = 0;
    ASSERT_EQ(::read(10, &byte, 1), 1);
  }
  Handles handles_;
  CUstream stream_ = nullptr;
};

TEST_F(IpcTest, MemoryAndEventsCrossProcesses) {
  // Neighbours in the same pages keep what they hold, and stay private.
  const CUdeviceptr before = numbers(128), address = numbers(kCount), after = numbers(128);
  const Handles handles = share(address);
  EXPECT_EQ(read(address, kCount).back(), kCount);
  Handles again;
  EXPECT_EQ(cuIpcGetMemHandle(&again.memory, address + 4), CUDA_SUCCESS);  // anywhere inside
  EXPECT_EQ(std::memcmp(&again.memory, &handles.memory, sizeof again.memory), 0);

  start_peer("Exchanges", handles);
  ASSERT_TRUE(hear_peer());  // the peer has recorded behind its kernel
  EXPECT_EQ(cuEventSynchronize(event_), CUDA_SUCCESS);
  const auto scaled = read(address, kCount);
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(scaled[i], 3 * (i + 1)) << i;

  Gate gate;
  gate.close(stream_);
  EXPECT_EQ(cuMemsetD32Async(address, 77, kCount, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuEventRecord(event_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(event_), CUDA_ERROR_NOT_READY);
  tell_peer();
  ASSERT_TRUE(hear_peer());  // the peer has seen that it is not ready, and queued a wait for it
  gate.open();
  EXPECT_EQ(end_peer(), 0);
  EXPECT_EQ(read(before, 128)[127], 128u);
  EXPECT_EQ(read(after, 128)[0], 1u);
  EXPECT_EQ(cuMemFree_v2(address), CUDA_SUCCESS);
}

TEST_F(IpcPeer, DISABLED_Exchanges) {
  CUdeviceptr address = 0, again = 0;
  CUevent event = nullptr;
  ASSERT_EQ(cuIpcOpenMemHandle_v2(&address, handles_.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
            CUDA_SUCCESS);
  ASSERT_EQ(cuIpcOpenMemHandle_v2(&again, handles_.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS), CUDA_SUCCESS);
  EXPECT_EQ(address, again);
  EXPECT_EQ(cuIpcCloseMemHandle(again), CUDA_SUCCESS);
  CUdeviceptr base = 0;
  size_t bytes = 0;
  EXPECT_EQ(cuMemGetAddressRange_v2(&base, &bytes, address + 8), CUDA_SUCCESS);
  EXPECT_EQ(base, address);
  EXPECT_GE(bytes, kCount * sizeof(uint32_t));
  EXPECT_EQ(cuMemFree_v2(address), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuIpcOpenEventHandle(&event, handles_.event), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(event), CUDA_SUCCESS);  // never recorded
  EXPECT_EQ(read(address, kCount).back(), kCount);
  EXPECT_EQ(scale(address, 3, kCount, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuEventRecord(event, stream_), CUDA_SUCCESS);
  tell();
  hear();
  EXPECT_EQ(cuEventQuery(event), CUDA_ERROR_NOT_READY);
  void* pinned = nullptr;  // a copy to other memory would wait at once
  ASSERT_EQ(cuMemHostAlloc(&pinned, kCount * sizeof(uint32_t), 0), CUDA_SUCCESS);
  const auto* values = static_cast<const uint32_t*>(pinned);
  EXPECT_EQ(cuStreamWaitEvent(stream_, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuMemcpyDtoHAsync_v2(pinned, address, kCount * sizeof(uint32_t), stream_), CUDA_SUCCESS);
  tell();
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(event), CUDA_SUCCESS);
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(values[i], 77u) << i;
  EXPECT_EQ(cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(cuIpcCloseMemHandle(address), CUDA_SUCCESS);
  EXPECT_EQ(cuIpcCloseMemHandle(address), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(scale(address, 3, 1, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST_F(IpcTest, HandlesOfWhatIsGoneOpenNothing) {
  const CUdeviceptr address = numbers(kCount);
  const Handles handles = share(address);
  EXPECT_EQ(cuMemFree_v2(address), CUDA_SUCCESS);
  EXPECT_EQ(cuEventDestroy_v2(event_), CUDA_SUCCESS);
  // The successor at the same place is nobody else's, and has another name.
  const CUdeviceptr successor = numbers(kCount);
  Handles fresh;
  EXPECT_EQ(cuIpcGetMemHandle(&fresh.memory, successor), CUDA_SUCCESS);
  EXPECT_NE(std::memcmp(&fresh.memory, &handles.memory, sizeof fresh.memory), 0);
  start_peer("FindsNothing", handles);
  EXPECT_EQ(end_peer(), 0);
}

TEST_F(IpcPeer, DISABLED_FindsNothing) {
  CUdeviceptr address = 0;
  CUevent event = nullptr;
  EXPECT_EQ(cuIpcOpenMemHandle_v2(&address, handles_.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuIpcOpenEventHandle(&event, handles_.event), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(IpcTest, ADeadProcessesRecordingIsOver) {
  const Handles handles = share(numbers(kCount));
  start_peer("DiesWhileRecording", handles);
  EXPECT_FALSE(hear_peer());
  EXPECT_EQ(cuEventSynchronize(event_), CUDA_SUCCESS);  // before anybody has waited for the process
  EXPECT_EQ(WEXITSTATUS(end_peer()), 9);
}

TEST_F(IpcPeer, DISABLED_DiesWhileRecording) {
  static Gate gate;
  CUevent event = nullptr;
  ASSERT_EQ(cuIpcOpenEventHandle(&event, handles_.event), CUDA_SUCCESS);
  gate.close(stream_);
  ASSERT_EQ(cuEventRecord(event, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(event), CUDA_ERROR_NOT_READY);
  _exit(HasFailure() ? 1 : 9);
}

TEST_F(IpcTest, WhatCannotBeShared) {
  const CUdeviceptr address = numbers(kCount);
  const Handles handles = share(address);
  CUdeviceptr other = 0;
  CUevent event = nullptr;
  EXPECT_EQ(cuIpcOpenMemHandle_v2(&other, handles.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
            CUDA_ERROR_INVALID_CONTEXT);  // of this very process
  EXPECT_EQ(cuIpcOpenEventHandle(&event, handles.event), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(cuIpcOpenMemHandle_v2(&other, handles.memory, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuIpcOpenMemHandle_v2(&other, CUipcMemHandle{}, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuIpcCloseMemHandle(address), CUDA_ERROR_INVALID_VALUE);
  CUipcMemHandle memory{};
  ASSERT_EQ(cuMemAllocManaged(&other, 64, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(other % 4096, 0u);  // what the host may write to shares no page with what can be exchanged
  EXPECT_EQ(cuIpcGetMemHandle(&memory, other), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuIpcGetMemHandle(&memory, 64), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuEventCreate(&event, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);  // it would be timed
  ASSERT_EQ(cuEventCreate(&event, 0), CUDA_SUCCESS);
  CUipcEventHandle handle{};
  EXPECT_EQ(cuIpcGetEventHandle(&handle, event), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(IpcTest, SharingWhileKernelsWrite) {
  // Pages are exchanged under running work: nothing that it writes gets lost.
  constexpr size_t kWords = 1 << 20;
  const CUdeviceptr address = allocate(kWords * sizeof(uint32_t));
  ASSERT_EQ(cuMemsetD32_v2(address, 1, kWords), CUDA_SUCCESS);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(scale(address, 3, kWords, stream_), CUDA_SUCCESS);
  CUipcMemHandle handle{};
  EXPECT_EQ(cuIpcGetMemHandle(&handle, address), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  const auto values = read(address, kWords);
  for (size_t i = 0; i < kWords; ++i) ASSERT_EQ(values[i], 6561u) << i;
}

}  // namespace
}  // namespace outboard::softgpu
