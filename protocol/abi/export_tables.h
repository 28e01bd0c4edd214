// The private tables that cuGetExportTable hands out.
//
// Sizes, slots and meanings were observed in what CUDA 13.0's runtime and libraries request and call;
// [R] marks what is known from public sources only.
//
// The slots are plain C functions without a user pointer, so the tables of a process can refer to
// one owner only: install() says which. That is the nature of this interface, not a choice. A test
// may install one instance after another. What the tables point to must outlive every call, also
// those from exit handlers: a libcuda.so.1 never destroys its instance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/abi/context_local_storage.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/abi/integrity.h"

namespace outboard::abi {

// What the tables need of the driver that they belong to. Called from application threads, several
// at once. Before cuInit, or in a forked child, answers are CUDA_ERROR_NOT_INITIALIZED.
class ExportTableHost {
 public:
  virtual ~ExportTableHost() = default;

  // The handle of the device's primary context, active or not, without retaining it.
  virtual CUresult primary_context(CUdevice device, CUcontext* context) = 0;
  // This thread's current context, null if none. Asked before almost every runtime call: be fast,
  // take no lock. Cannot fail; null where the driver is not initialised.
  virtual CUcontext current_context() noexcept = 0;
  // As cuCtxGetId; `context` is never null.
  virtual CUresult context_id(CUcontext context, uint64_t* id) = 0;
  virtual CUresult context_device(CUcontext context, CUdevice* device) = 0;
  // As cuDriverGetVersion.
  virtual CUresult driver_version(int* version) = 0;
  // Of the visible devices in ordinal order: exactly what the application would be told by
  // cuDeviceGetUuid and cuDeviceGetAttribute.
  virtual CUresult device_identities(std::vector<DeviceIdentity>* devices) = 0;
  // As cuModuleLoadData in the current context; `image` is a fatbin wrapper or a fatbin header.
  virtual CUresult load_module(const void* image, CUmodule* module) = 0;
  // Every function of the module, as cuModuleEnumerateFunctions.
  virtual CUresult module_functions(CUmodule module, std::vector<CUfunction>* functions) = 0;
  // As cuStreamGetId; CU_STREAM_LEGACY and CU_STREAM_PER_THREAD are possible, null is not.
  virtual CUresult stream_id(CUcontext context, CUstream stream, uint64_t* id) = 0;
  // A full sentence for the log, at most once per unknown table and slot.
  virtual void note(std::string_view message) = 0;
};

class ExportTables {
 public:
  // `host` is borrowed and must live as long as this.
  explicit ExportTables(ExportTableHost& host) : host_(host) {}
  ~ExportTables();
  ExportTables(const ExportTables&) = delete;
  ExportTables& operator=(const ExportTables&) = delete;

  // From now on the tables of this process refer to this instance.
  void install();

  // cuGetExportTable; works before cuInit. Tables nobody knows are given out with slots that
  // return CUDA_ERROR_NOT_SUPPORTED, because some callers use the result without looking at the
  // error; profilers' tables, and those whose callers want an error, are refused with
  // CUDA_ERROR_NOT_SUPPORTED and a null table. CUDA_ERROR_INVALID_VALUE for null arguments.
  CUresult get(const void** table, const CUuuid* id);

  // The owner of contexts calls storage().drop_context() when one is reset or destroyed.
  ContextLocalStorage& storage() { return storage_; }
  ExportTableHost& host() { return host_; }

  // Tables of unknown UUIDs that can be told apart in the log; more of them share the last.
  static constexpr size_t kUnknownTables = 8;
  // Slots of such a table, its size word included.
  static constexpr size_t kUnknownTableWords = 96;

  // A slot that we do not implement was called: says so once.
  CUresult unsupported_slot(std::string_view table, size_t slot);
  CUresult unsupported_unknown_slot(size_t table, size_t slot);

 private:
  using Uuid = std::array<uint8_t, 16>;
  static constexpr size_t kMaxNotes = 256;  // after so many different notes, silence

  CUresult give_unknown(const void** table, const Uuid& uuid);
  void note_once(std::string message);

  ExportTableHost& host_;
  ContextLocalStorage storage_;
  std::mutex mutex_;           // guards what follows; never taken by a working slot
  std::vector<Uuid> unknown_;  // index = number of the table given out
  std::vector<std::string> notes_;
};

}  // namespace outboard::abi
