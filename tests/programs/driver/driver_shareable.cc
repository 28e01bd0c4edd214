// Two processes share physical memory and a pool by descriptors; the other one is this program again, and
// gets them over a socket (SCM_RIGHTS), as programs that share memory do.
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "driver.h"

extern char** environ;

namespace {

constexpr size_t kBytes = size_t{4} << 20;
constexpr uint32_t kCount = 100'000;
constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
constexpr int kSocket = 5;  // of the other process

// What goes over the socket beside the two descriptors.
struct Letter {
  CUmemPoolPtrExportData pointer;
  CUmemFabricHandle fabric;
  int has_fabric = 0;
};

void* as_handle(int file) { return reinterpret_cast<void*>(static_cast<intptr_t>(file)); }

void send_letter(int to, const Letter& letter, const int (&files)[2]) {
  iovec part{const_cast<Letter*>(&letter), sizeof letter};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof files)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof files);
  std::memcpy(CMSG_DATA(header), files, sizeof files);
  EXPECT(sendmsg(to, &message, 0) == static_cast<ssize_t>(sizeof letter));
}

Letter receive_letter(int from, int (&files)[2]) {
  Letter letter{};
  iovec part{&letter, sizeof letter};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof files)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  EXPECT(recvmsg(from, &message, 0) == static_cast<ssize_t>(sizeof letter));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  EXPECT(header != nullptr && header->cmsg_type == SCM_RIGHTS);
  if (header != nullptr) std::memcpy(files, CMSG_DATA(header), sizeof files);
  return letter;
}

void tell(int socket) { EXPECT(::write(socket, "x", 1) == 1); }
void hear(int socket) {
  char byte = 0;
  EXPECT(::read(socket, &byte, 1) == 1);
}

CUdeviceptr map(CUmemGenericAllocationHandle memory) {
  CUdeviceptr address = 0;
  MUST(DRIVER(cuMemAddressReserve)(&address, kBytes, 0, 0, 0));
  MUST(DRIVER(cuMemMap)(address, kBytes, 0, memory, 0));
  const CUmemAccessDesc access{.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0},
                               .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  MUST(DRIVER(cuMemSetAccess)(address, kBytes, &access, 1));
  return address;
}

void unmap(CUdeviceptr address) {
  MUST(DRIVER(cuMemUnmap)(address, kBytes));
  MUST(DRIVER(cuMemAddressFree)(address, kBytes));
}

void scale(CUdeviceptr memory) {
  const std::vector<float> factors{2, 3, 5, 7};
  CUmodule module = nullptr;
  CUdeviceptr constant = 0;
  size_t bytes = 0;
  uint32_t count = kCount;
  MUST(DRIVER(cuModuleLoadData)(&module, read_text(OUTBOARD_TEST_PTX).c_str()));
  MUST(DRIVER(cuModuleGetGlobal_v2)(&constant, &bytes, module, "factors"));
  MUST(DRIVER(cuMemcpyHtoD_v2)(constant, factors.data(), bytes));
  launch(function_of(module, "scale"), (kCount + 255) / 256, 256, {&memory, &count}, nullptr);
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
}

std::vector<float> numbers(float first) {
  std::vector<float> made(kCount);
  for (uint32_t i = 0; i < kCount; ++i) made[i] = first + static_cast<float>(i);
  return made;
}

bool are_scaled(CUdeviceptr memory, float first) {
  const float factors[4] = {2, 3, 5, 7};
  const auto seen = download<float>(memory, kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    if (seen[i] != (first + static_cast<float>(i)) * factors[i % 4]) return false;
  }
  return true;
}

bool are_plain(CUdeviceptr memory, float first) { return download<float>(memory, kCount) == numbers(first); }

int other_process() {
  open_device();
  int files[2] = {-1, -1};
  Letter letter = receive_letter(kSocket, files);
  CUmemGenericAllocationHandle memory = 0, again = 0, named = 0;
  MUST(DRIVER(cuMemImportFromShareableHandle)(&memory, as_handle(files[0]), kPosix));
  MUST(DRIVER(cuMemImportFromShareableHandle)(&again, as_handle(files[0]), kPosix));
  if (letter.has_fabric != 0) {
    MUST(DRIVER(cuMemImportFromShareableHandle)(&named, &letter.fabric, CU_MEM_HANDLE_TYPE_FABRIC));
    MUST(DRIVER(cuMemRelease)(named));
    letter.fabric.data[30] ^= 1;
    EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
                 DRIVER(cuMemImportFromShareableHandle)(&named, &letter.fabric, CU_MEM_HANDLE_TYPE_FABRIC));
  }
  CUmemoryPool pool = nullptr;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemPoolImportFromShareableHandle)(&pool, as_handle(files[0]), kPosix, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemImportFromShareableHandle)(&named, as_handle(files[1]), kPosix));
  MUST(DRIVER(cuMemPoolImportFromShareableHandle)(&pool, as_handle(files[1]), kPosix, 0));
  close(files[0]);
  close(files[1]);
  const CUdeviceptr mapped = map(memory);
  MUST(DRIVER(cuMemRelease)(again));
  CUdeviceptr pooled = 0;
  MUST(DRIVER(cuMemPoolImportPointer)(&pooled, pool, &letter.pointer));
  EXPECT(are_plain(mapped, 1));
  EXPECT(are_plain(pooled, 2));
  scale(mapped);
  scale(pooled);
  letter.pointer.reserved[45] ^= 1;
  CUdeviceptr invented = 0;
  EXPECT(DRIVER(cuMemPoolImportPointer)(&invented, pool, &letter.pointer) != CUDA_SUCCESS);
  // What was imported can be exported again.
  int reexported = -1;
  MUST(DRIVER(cuMemExportToShareableHandle)(&reexported, memory, kPosix, 0));
  MUST(DRIVER(cuMemImportFromShareableHandle)(&again, as_handle(reexported), kPosix));
  close(reexported);
  MUST(DRIVER(cuMemRelease)(again));
  std::printf("the other process is done\n");
  std::fflush(stdout);
  tell(kSocket);
  hear(kSocket);  // the maker has let go of its memory
  EXPECT(are_scaled(mapped, 1));
  MUST(DRIVER(cuMemFreeAsync)(pooled, nullptr));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
  MUST(DRIVER(cuMemPoolDestroy)(pool));
  MUST(DRIVER(cuMemRelease)(memory));
  EXPECT(are_scaled(mapped, 1));
  unmap(mapped);
  tell(kSocket);
  return g_failures == 0 ? 0 : 1;
}

pid_t start_other(char* program, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, kSocket);
  char other[] = "other";
  char* const arguments[] = {program, other, nullptr};
  pid_t process = 0;
  EXPECT(posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  return process;
}

void what_is_no_export() {
  CUmemGenericAllocationHandle memory = 0;
  const int file = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemImportFromShareableHandle)(&memory, as_handle(file), kPosix));
  close(file);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemImportFromShareableHandle)(&memory, as_handle(file), kPosix));
}

CUmemGenericAllocationHandle create(int types) {
  CUmemAllocationProp wanted{};
  wanted.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0};
  wanted.requestedHandleTypes = static_cast<CUmemAllocationHandleType>(types);
  CUmemGenericAllocationHandle memory = 0;
  MUST(DRIVER(cuMemCreate)(&memory, kBytes, &wanted, 0));
  return memory;
}

CUmemoryPool create_pool() {
  CUmemPoolProps wanted{};
  wanted.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0};
  wanted.handleTypes = kPosix;
  CUmemoryPool pool = nullptr;
  MUST(DRIVER(cuMemPoolCreate)(&pool, &wanted));
  return pool;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return other_process();
  open_device();
  what_is_no_export();
  int fabric = 0;
  MUST(DRIVER(cuDeviceGetAttribute)(&fabric, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED, 0));
  const CUmemGenericAllocationHandle memory =
      create(fabric != 0 ? kPosix | CU_MEM_HANDLE_TYPE_FABRIC : kPosix);
  const CUdeviceptr mapped = map(memory);
  const CUmemoryPool pool = create_pool();
  CUdeviceptr pooled = 0;
  MUST(DRIVER(cuMemAllocFromPoolAsync)(&pooled, kCount * sizeof(float), pool, nullptr));
  MUST(DRIVER(cuMemcpyHtoD_v2)(mapped, numbers(1).data(), kCount * sizeof(float)));
  MUST(DRIVER(cuMemcpyHtoD_v2)(pooled, numbers(2).data(), kCount * sizeof(float)));

  Letter letter{};
  letter.has_fabric = fabric;
  if (fabric != 0)
    MUST(DRIVER(cuMemExportToShareableHandle)(&letter.fabric, memory, CU_MEM_HANDLE_TYPE_FABRIC, 0));
  int files[2] = {-1, -1};
  MUST(DRIVER(cuMemExportToShareableHandle)(&files[0], memory, kPosix, 0));
  MUST(DRIVER(cuMemPoolExportToShareableHandle)(&files[1], pool, kPosix, 0));
  MUST(DRIVER(cuMemPoolExportPointer)(&letter.pointer, pooled));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));

  int pair[2];
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const pid_t process = start_other(argv[0], pair[1]);
  close(pair[1]);
  send_letter(pair[0], letter, files);
  close(files[0]);
  close(files[1]);
  hear(pair[0]);
  EXPECT(are_scaled(mapped, 1));
  EXPECT(are_scaled(pooled, 2));
  unmap(mapped);
  MUST(DRIVER(cuMemRelease)(memory));
  tell(pair[0]);
  hear(pair[0]);
  MUST(DRIVER(cuMemFreeAsync)(pooled, nullptr));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
  MUST(DRIVER(cuMemPoolDestroy)(pool));
  int status = -1;
  EXPECT(waitpid(process, &status, 0) == process && status == 0);
  return verdict("driver_shareable");
}
