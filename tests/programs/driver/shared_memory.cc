// Managed memory and mapped host memory: host code and kernels work on the same addresses.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/programs/driver/driver.h"

namespace {

CUfunction g_advance, g_follow, g_answer;

uint32_t advanced(uint32_t value) { return value * 3 + 1; }

void advance(uint32_t* values, uint64_t stride, uint32_t count, CUstream stream = nullptr) {
  launch(g_advance, (count + 255) / 256, 256, {&values, &stride, &count}, stream);
}

uint32_t* managed(size_t bytes, unsigned flags = CU_MEM_ATTACH_GLOBAL) {
  CUdeviceptr address = 0;
  MUST(DRIVER(cuMemAllocManaged)(&address, bytes, flags));
  return reinterpret_cast<uint32_t*>(address);
}

void free_managed(void* memory) { MUST(DRIVER(cuMemFree_v2)(reinterpret_cast<CUdeviceptr>(memory))); }

void synchronize() { MUST(DRIVER(cuCtxSynchronize)()); }

// Host and device take turns: all of it, then single values here and there.
void turns(size_t count) {
  uint32_t* values = managed(count * 4);
  std::vector<uint32_t> expected(count);
  for (size_t i = 0; i < count; ++i) values[i] = expected[i] = static_cast<uint32_t>(i * 7);
  size_t wrong = 0;
  for (int turn = 0; turn < 4; ++turn) {
    advance(values, 1, static_cast<uint32_t>(count));
    synchronize();
    for (uint32_t& value : expected) value = advanced(value);
    // Read first in the one turn, written without a look in the other.
    if (turn % 2 == 0) {
      for (size_t i = 0; i < count; ++i) wrong += values[i] != expected[i];
    }
    for (size_t i = static_cast<size_t>(turn); i < count; i += 5001)
      values[i] = expected[i] = 1000u + static_cast<uint32_t>(i);
  }
  advance(values, 1, static_cast<uint32_t>(count));
  synchronize();
  for (size_t i = 0; i < count; ++i) wrong += values[i] != advanced(expected[i]);
  std::printf("turns over %zu values: %zu wrong\n", count, wrong);
  EXPECT(wrong == 0);
  free_managed(values);
}

// 256 MiB of which a value per megabyte is used, and more from the device than from the host.
void sparse() {
  constexpr size_t kBytes = size_t{256} << 20;
  constexpr uint64_t kStride = (1 << 20) / 4;
  uint32_t* values = managed(kBytes);
  for (uint32_t i = 0; i < 256; i += 3) values[i * kStride] = i;
  for (uint32_t i = 0; i < 256; ++i) {
    if (i % 3 != 0) MUST(DRIVER(cuMemsetD32_v2)(reinterpret_cast<CUdeviceptr>(values + i * kStride), i, 1));
  }
  advance(values, kStride, 256);
  advance(values, kStride, 256);
  synchronize();
  int wrong = 0;
  for (uint32_t i = 0; i < 256; i += 2) wrong += values[i * kStride] != advanced(advanced(i));
  for (uint32_t i = 1; i < 256; i += 2) values[i * kStride] += 5;
  advance(values, kStride, 256);
  synchronize();
  for (uint32_t i = 0; i < 256; ++i)
    wrong += values[i * kStride] != advanced(advanced(advanced(i)) + (i % 2 == 1 ? 5 : 0));
  std::printf("sparse use: %d wrong\n", wrong);
  EXPECT(wrong == 0);
  free_managed(values);
}

// Threads meet in the same pages after a wait, reading and writing.
void threads() {
  constexpr uint32_t kCount = 3 << 20;
  constexpr uint32_t kThreads = 8;
  uint32_t* values = managed(kCount * 4);
  for (uint32_t i = 0; i < kCount; ++i) values[i] = i;
  std::atomic<uint32_t> wrong{0};
  for (uint32_t turn = 0; turn < 3; ++turn) {
    advance(values, 1, kCount);
    synchronize();
    std::vector<std::thread> all;
    for (uint32_t t = 0; t < kThreads; ++t) {
      all.emplace_back([&, t] {
        for (uint32_t i = t; i < kCount; i += kThreads * 13) {
          if (values[i] != advanced(turn == 0 ? i : i + turn)) ++wrong;
        }
        for (uint32_t i = t; i < kCount; i += kThreads) values[i] = i + turn + 1;
      });
    }
    for (std::thread& thread : all) thread.join();
  }
  std::printf("threads: %u wrong\n", wrong.load());
  EXPECT(wrong == 0);
  free_managed(values);
}

void copies() {
  constexpr size_t kCount = 100000;
  uint32_t* values = managed(kCount * 4);
  const auto address = reinterpret_cast<CUdeviceptr>(values);
  std::vector<uint32_t> host(kCount);
  for (size_t i = 0; i < kCount; ++i) host[i] = static_cast<uint32_t>(i ^ 0x5555);
  MUST(DRIVER(cuMemcpyHtoD_v2)(address, host.data(), kCount * 4));
  EXPECT(std::memcmp(values, host.data(), kCount * 4) == 0);
  MUST(DRIVER(cuMemsetD32_v2)(address + 400, 77, 1000));
  synchronize();
  EXPECT(values[99] == host[99] && values[100] == 77 && values[1099] == 77 && values[1100] == host[1100]);
  values[100] = 78;
  std::vector<uint32_t> back(kCount);
  MUST(DRIVER(cuMemcpyDtoH_v2)(back.data(), address, kCount * 4));
  EXPECT(back[100] == 78 && back[101] == 77 && back[kCount - 1] == host[kCount - 1]);
  // From managed to plain device memory and back by addresses alone.
  CUdeviceptr device = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&device, kCount * 4));
  values[5] = 555;
  MUST(DRIVER(cuMemcpy)(device, address, kCount * 4));
  std::memset(values, 0, kCount * 4);
  MUST(DRIVER(cuMemcpy)(address, device, kCount * 4));
  EXPECT(values[5] == 555 && values[100] == 78);
  // Host pointers of copies may be managed memory as well.
  MUST(DRIVER(cuMemcpyDtoH_v2)(values + 1000, device, 4000));
  EXPECT(values[1005] == 555);
  values[0] = 4321;
  MUST(DRIVER(cuMemcpyHtoD_v2)(device, values, 4));
  MUST(DRIVER(cuMemcpyDtoH_v2)(back.data(), device, 8));
  EXPECT(back[0] == 4321);
  MUST(DRIVER(cuMemFree_v2)(device));
  free_managed(values);
  std::printf("copies\n");
}

// While one stream works on its memory, host code uses memory that is not attached to it.
void attached() {
  constexpr uint32_t kCount = 50000;
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  uint32_t* streams = managed(kCount * 4, CU_MEM_ATTACH_HOST);
  uint32_t* hosts = managed(kCount * 4, CU_MEM_ATTACH_HOST);
  for (uint32_t i = 0; i < kCount; ++i) streams[i] = hosts[i] = i;
  MUST(DRIVER(cuStreamAttachMemAsync)(stream, reinterpret_cast<CUdeviceptr>(streams), 0,
                                      CU_MEM_ATTACH_SINGLE));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  int wrong = 0;
  for (int turn = 0; turn < 10; ++turn) {
    advance(streams, 1, kCount, stream);
    for (uint32_t i = 0; i < kCount; ++i) wrong += hosts[i]++ != i + static_cast<uint32_t>(turn);
  }
  MUST(DRIVER(cuStreamSynchronize)(stream));
  for (uint32_t i = 0; i < kCount; i += 7) {
    uint32_t expected = i;
    for (int turn = 0; turn < 10; ++turn) expected = advanced(expected);
    wrong += streams[i] != expected;
  }
  EXPECT(wrong == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuStreamAttachMemAsync)(stream, reinterpret_cast<CUdeviceptr>(streams) + 4, 0,
                                              CU_MEM_ATTACH_GLOBAL));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuStreamAttachMemAsync)(stream, reinterpret_cast<CUdeviceptr>(streams), 0, 8));
  free_managed(streams);
  free_managed(hosts);
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  std::printf("attached: %d wrong\n", wrong);
}

void attributes() {
  uint32_t* values = managed(100000);
  const auto address = reinterpret_cast<CUdeviceptr>(values);
  unsigned is_managed = 0, type = 0;
  void* host = nullptr;
  CUdeviceptr device = 0;
  MUST(DRIVER(cuPointerGetAttribute)(&is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, address + 50));
  MUST(DRIVER(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address + 50));
  MUST(DRIVER(cuPointerGetAttribute)(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, address + 50));
  MUST(DRIVER(cuPointerGetAttribute)(&device, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, address + 50));
  EXPECT(is_managed == 1 && type == CU_MEMORYTYPE_DEVICE);
  EXPECT(reinterpret_cast<CUdeviceptr>(host) == address + 50 && device == address + 50);
  int mostly = 7, accessed[2] = {5, 5};
  MUST(DRIVER(cuMemRangeGetAttribute)(&mostly, sizeof mostly, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, address,
                                      100000));
  void* data[] = {&mostly, accessed};
  size_t sizes[] = {sizeof mostly, sizeof accessed};
  CUmem_range_attribute wanted[] = {CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY};
  MUST(DRIVER(cuMemRangeGetAttributes)(data, sizes, wanted, 2, address, 100000));
  EXPECT(mostly == 0 && accessed[0] == CU_DEVICE_INVALID && accessed[1] == CU_DEVICE_INVALID);
  EXPECT_ERROR(
      CUDA_ERROR_INVALID_VALUE,
      DRIVER(cuMemRangeGetAttribute)(&mostly, sizeof mostly, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, 64, 100));
  CUdeviceptr unused = 0;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemAllocManaged)(&unused, 100, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemAllocManaged)(&unused, 0, CU_MEM_ATTACH_GLOBAL));
  free_managed(values);
  std::printf("attributes\n");
}

uint32_t* pinned(size_t bytes, unsigned flags) {
  void* memory = nullptr;
  MUST(DRIVER(cuMemHostAlloc)(&memory, bytes, flags));
  return static_cast<uint32_t*>(memory);
}

// A kernel gets a host pointer: with and without having said so before.
void host_pointers(unsigned flags, bool ask) {
  constexpr uint32_t kCount = 20000;
  uint32_t* values = pinned(kCount * 4, flags);
  std::vector<uint32_t> expected(kCount);
  for (uint32_t i = 0; i < kCount; ++i) values[i] = expected[i] = i;
  if (ask) {
    CUdeviceptr device = 0;
    MUST(DRIVER(cuMemHostGetDevicePointer_v2)(&device, values + 3, 0));
    EXPECT(device == reinterpret_cast<CUdeviceptr>(values + 3));
  }
  uint32_t wrong = 0;
  for (int turn = 0; turn < 3; ++turn) {
    advance(values, 1, kCount);
    synchronize();
    for (uint32_t i = 0; i < kCount; ++i) {
      expected[i] = advanced(expected[i]);
      wrong += values[i] != expected[i];
    }
    values[turn] = expected[static_cast<size_t>(turn)] = 99;
  }
  // Still good for copies, in both directions.
  CUdeviceptr device = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&device, kCount * 4));
  MUST(DRIVER(cuMemcpyHtoD_v2)(device, values, kCount * 4));
  std::memset(values, 0, kCount * 4);
  MUST(DRIVER(cuMemcpyDtoH_v2)(values, device, kCount * 4));
  for (uint32_t i = 0; i < kCount; ++i) wrong += values[i] != expected[i];
  MUST(DRIVER(cuMemFree_v2)(device));
  MUST(DRIVER(cuMemFreeHost)(values));
  std::printf("host pointers, flags %u: %u wrong\n", flags, wrong);
  EXPECT(wrong == 0);
}

// Memory of the program's own, with unaligned ends, at whatever address the device has it.
void registered() {
  constexpr uint32_t kCount = 10000;
  std::vector<uint32_t> memory(kCount + 3), expected(kCount);
  uint32_t* values = memory.data() + 3;
  for (uint32_t i = 0; i < kCount; ++i) values[i] = expected[i] = i * 11;
  MUST(DRIVER(cuMemHostRegister_v2)(values, kCount * 4, CU_MEMHOSTREGISTER_DEVICEMAP));
  CUdeviceptr address = 0, inside = 0;
  MUST(DRIVER(cuMemHostGetDevicePointer_v2)(&address, values, 0));
  MUST(DRIVER(cuMemHostGetDevicePointer_v2)(&inside, values + 40, 0));
  EXPECT(inside == address + 160);
  auto* device = reinterpret_cast<uint32_t*>(address);
  uint32_t wrong = 0;
  for (uint32_t turn = 0; turn < 3; ++turn) {
    advance(device, 1, kCount);
    synchronize();
    for (uint32_t i = 0; i < kCount; ++i) {
      expected[i] = advanced(expected[i]);
      wrong += values[i] != expected[i];
    }
    values[turn * 50] = expected[turn * 50] = 7;
  }
  // A copy from the host address has what the kernel before it in the stream wrote.
  CUdeviceptr other = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&other, 400));
  advance(device, 1, kCount);
  MUST(DRIVER(cuMemcpyHtoD_v2)(other, values, 400));
  const std::vector<uint32_t> copied = download<uint32_t>(other, 100);
  for (uint32_t i = 0; i < 100; ++i) wrong += copied[i] != advanced(expected[i]);
  MUST(DRIVER(cuMemFree_v2)(other));
  MUST(DRIVER(cuMemHostUnregister)(values));
  for (uint32_t i = 0; i < kCount; ++i) wrong += values[i] != advanced(expected[i]);
  std::printf("registered: %u wrong\n", wrong);
  EXPECT(wrong == 0);
}

// Pointers to managed and mapped memory that lie in managed memory.
void pointers_in_memory() {
  constexpr uint32_t kCount = 64;
  uint32_t* values = managed(kCount * 4);
  uint32_t* mapped = pinned(kCount * 4, CU_MEMHOSTALLOC_DEVICEMAP);
  auto** from = reinterpret_cast<uint32_t**>(managed(kCount * sizeof(void*)));
  uint32_t* to = pinned(kCount * 4, 0);
  for (uint32_t i = 0; i < kCount; ++i) {
    values[i] = i;
    mapped[i] = 1000 + i;
    from[i] = i % 2 == 0 ? values + i : mapped + i;
    to[i] = 0;
  }
  uint32_t count = kCount;
  launch(g_follow, 1, kCount, {&to, &from, &count});
  synchronize();
  int wrong = 0;
  for (uint32_t i = 0; i < kCount; ++i) wrong += to[i] != (i % 2 == 0 ? i : 1000 + i);
  std::printf("pointers in memory: %d wrong\n", wrong);
  EXPECT(wrong == 0);
  free_managed(values);
  free_managed(from);
  MUST(DRIVER(cuMemFreeHost)(mapped));
  MUST(DRIVER(cuMemFreeHost)(to));
}

// Host and kernel talk while the kernel runs; the words share a page.
void conversation() {
  auto* words = pinned(4096, CU_MEMHOSTALLOC_DEVICEMAP);
  std::memset(words, 0, 4096);
  launch(g_answer, 1, 1, {&words});
  auto* live = reinterpret_cast<volatile uint32_t*>(words);
  while (live[1] != 1) usleep(100);
  live[0] = 41;
  while (live[2] != 42) usleep(100);
  synchronize();
  EXPECT(live[0] == 41 && live[1] == 1 && live[2] == 42);
  MUST(DRIVER(cuMemFreeHost)(words));
  std::printf("conversation\n");
}

// A function that the stream calls sees what was before it, and what follows sees what it wrote.
void in_stream_order() {
  constexpr uint32_t kCount = 200000;
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  static uint32_t* values = managed(kCount * 4);
  static uint32_t wrong = 0;
  for (uint32_t i = 0; i < kCount; ++i) values[i] = i;
  advance(values, 1, kCount, stream);
  MUST(DRIVER(cuLaunchHostFunc)(
      stream,
      [](void*) {
        for (uint32_t i = 0; i < kCount; i += 3) {
          wrong += values[i] != advanced(i);
          values[i] = i + 1;
        }
      },
      nullptr));
  advance(values, 1, kCount, stream);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  for (uint32_t i = 0; i < kCount; ++i) wrong += values[i] != advanced(i % 3 == 0 ? i + 1 : advanced(i));
  std::printf("in stream order: %u wrong\n", wrong);
  EXPECT(wrong == 0);
  free_managed(values);
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
}

// A child has a life without the device; its parent goes on.
void fork_in_between() {
  constexpr uint32_t kCount = 1 << 20;
  uint32_t* values = managed(kCount * 4);
  for (uint32_t i = 0; i < kCount; ++i) values[i] = i;
  advance(values, 1, kCount);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) _exit(DRIVER(cuCtxSynchronize)() == CUDA_ERROR_NOT_INITIALIZED ? 7 : 8);
  int status = 0;
  EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  synchronize();
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < kCount; ++i) wrong += values[i] != advanced(i);
  std::printf("fork: %u wrong\n", wrong);
  EXPECT(wrong == 0);
  free_managed(values);
}

}  // namespace

int main() {
  open_device();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, read_text(OUTBOARD_TEST_SHARED_PTX).c_str()));
  g_advance = function_of(module, "advance");
  g_follow = function_of(module, "follow");
  g_answer = function_of(module, "answer");
  attributes();
  turns(1000);
  turns(3'000'000);
  sparse();
  threads();
  copies();
  attached();
  host_pointers(0, false);
  host_pointers(CU_MEMHOSTALLOC_DEVICEMAP, false);
  host_pointers(CU_MEMHOSTALLOC_PORTABLE, true);
  registered();
  pointers_in_memory();
  conversation();
  in_stream_order();
  fork_in_between();
  MUST(DRIVER(cuModuleUnload)(module));
  return verdict("shared_memory");
}
