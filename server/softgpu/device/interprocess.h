// What crosses processes: events that several record and wait for, and memory of others.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/shared_file.h"

namespace outboard::softgpu {

class AllocationTable;
class Device;

// The state of an event that processes share. Recordings are numbered; who waits, waits for the number
// that was the last one when it asked.
class SharedEvent {
 public:
  struct State;
  SharedEvent(std::shared_ptr<State> state, const SharedName& name) : state_(std::move(state)), name_(name) {}

  // Opens another process's. Errors as those of SharedFile::Part::open.
  static CUresult open(const SharedName& name, std::shared_ptr<SharedEvent>* event);

  const SharedName& name() const { return name_; }
  uint32_t begin_recording();
  void complete(uint32_t number);
  uint32_t recorded() const;
  // Also if the process that recorded last is gone: so is its work.
  bool reached(uint32_t number) const;
  void wait(uint32_t number) const;

 private:
  const std::shared_ptr<State> state_;
  const SharedName name_;
};

// A recording under way; it is complete when this is gone, however that comes about.
class SharedRecording {
 public:
  explicit SharedRecording(std::shared_ptr<SharedEvent> event)
      : event_(std::move(event)), number_(event_->begin_recording()) {}
  ~SharedRecording() { event_->complete(number_); }
  SharedRecording(const SharedRecording&) = delete;
  SharedRecording& operator=(const SharedRecording&) = delete;

  uint32_t number() const { return number_; }

 private:
  const std::shared_ptr<SharedEvent> event_;
  const uint32_t number_;
};

// This process's shareable events.
class SharedEvents {
 public:
  // Null when the system has no room or there are as many as SharedFile can name.
  std::shared_ptr<SharedEvent> create();

 private:
  struct File;
  std::mutex mutex_;
  std::shared_ptr<File> file_;
};

// Other processes' memory that is mapped here. Any thread.
class ImportedMemory {
 public:
  explicit ImportedMemory(AllocationTable& table);

  // Opened again in the same context, or by the same pool, it is the same address, and one more to close.
  // Memory of a pool (its handle, else 0) has no context (0).
  CUresult open(const SharedName& name, uint64_t context, const Device& device, uint64_t pool,
                uint64_t* address);
  // Nothing may use the memory any more.
  CUresult close(uint64_t address);
  void close_all(uint64_t context);

 private:
  struct Mapping {
    SharedName name;
    uint64_t owner = 0;  // context or pool
    unsigned references = 1;
    void* at = nullptr;
    uint64_t bytes = 0;
  };

  AllocationTable& table_;
  std::mutex mutex_;
  std::map<uint64_t, Mapping> mappings_;  // by the address that was given out
  uint64_t next_hint_;
};

}  // namespace outboard::softgpu
