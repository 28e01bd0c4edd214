// What the private export tables ask of this driver.
#pragma once

#include "protocol/abi/export_tables.h"

namespace outboard::softgpu {

class Driver;

class TableHost final : public abi::ExportTableHost {
 public:
  explicit TableHost(Driver& driver) : driver_(driver) {}

  CUresult primary_context(CUdevice device, CUcontext* context) override;
  CUcontext current_context() noexcept override;
  CUresult context_id(CUcontext context, uint64_t* id) override;
  CUresult context_device(CUcontext context, CUdevice* device) override;
  CUresult driver_version(int* version) override;
  CUresult device_identities(std::vector<abi::DeviceIdentity>* devices) override;
  CUresult load_module(const void* image, CUmodule* module) override;
  CUresult module_functions(CUmodule module, std::vector<CUfunction>* functions) override;
  CUresult stream_id(CUcontext context, CUstream stream, uint64_t* id) override;
  void note(std::string_view message) override;

 private:
  Driver& driver_;
};

}  // namespace outboard::softgpu
