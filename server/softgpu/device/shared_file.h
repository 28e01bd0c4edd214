// How processes of one user show one another parts of their memory: a file without a path whose parts
// get names. A name is worth nothing without its secret, and nothing any more once it is withdrawn or
// the process has ended.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

// What the opaque handles of cuIpc hold.
struct SharedName {
  uint64_t magic = 0;
  int32_t pid = 0;
  int32_t file = 0;  // descriptor in that process
  uint32_t entry = 0;
  uint32_t device = 0;  // physical; who publishes may fill it in
  uint64_t secret[2] = {};

  bool operator==(const SharedName&) const = default;
};
static_assert(sizeof(SharedName) <= sizeof(CUipcMemHandle) && sizeof(SharedName) <= sizeof(CUipcEventHandle));

class SharedFile {
 public:
  static constexpr uint32_t kMaxEntries = 4096;

  // Of `bytes`, a multiple of the page size. Null when the system gives no such file.
  static std::unique_ptr<SharedFile> create(uint64_t bytes);
  ~SharedFile();
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  int descriptor() const { return descriptor_; }
  // Gives a part of the file a name. False when kMaxEntries have one.
  bool publish(uint64_t begin, uint64_t bytes, SharedName* name);
  void withdraw(const SharedName& name);

  // A part of another process's file.
  class Part {
   public:
    Part() = default;
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    // CUDA_ERROR_INVALID_VALUE if it is no name, CUDA_ERROR_INVALID_HANDLE if nothing has that name
    // now, CUDA_ERROR_INVALID_CONTEXT if it is a name of this very process.
    CUresult open(const SharedName& name);
    // Maps the pages of the part; null when the system has no room. `hint` may be 0.
    void* map(uint64_t hint) const;
    uint64_t offset_in_page() const;
    uint64_t bytes() const { return bytes_; }
    uint64_t mapped_bytes() const;

   private:
    int descriptor_ = -1;
    uint64_t begin_ = 0;
    uint64_t bytes_ = 0;
  };

 private:
  struct Entry;
  SharedFile(int descriptor, Entry* entries) : descriptor_(descriptor), entries_(entries) {}

  const int descriptor_;
  Entry* const entries_;  // in the file, behind its content
  std::mutex mutex_;
};

}  // namespace outboard::softgpu
