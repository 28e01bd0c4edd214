// The exported NVML functions. Each is a few lines over Library and Source; a function that is not
// here does not exist for dlsym, which NVML's users check for, so nothing pretends.
#include <cstring>

#include "protocol/abi/nvml/exports.h"

using outboard::nvml::Device;
using outboard::nvml::give;
using outboard::nvml::library;
using outboard::nvml::Memory;
using outboard::nvml::MemoryV2;
using outboard::nvml::PciInfo;
using outboard::nvml::PciInfoV1;
using outboard::nvml::PciInfoV2;
using outboard::nvml::Process;
using outboard::nvml::ProcessUse;
using outboard::nvml::ProcessV1;
using outboard::nvml::Return;
using outboard::nvml::with_device;

namespace {

// NVML's list calls: *count is the capacity before and the need afterwards.
template <typename P, typename Fill>
Return list_processes(Device* device, unsigned* count, P* infos, Fill&& fill) {
  return with_device(device, [&](const Device& d) {
    if (!count || (*count > 0 && !infos)) return Return::kInvalidArgument;
    auto source = library().source();
    if (!source) return Return::kUninitialized;
    auto found = source->processes(d.index);
    if (!found) return outboard::nvml::to_return(found.error().kind);
    const unsigned capacity = *count;
    *count = static_cast<unsigned>(found->size());
    if (found->size() > capacity) return Return::kInsufficientSize;
    for (size_t i = 0; i < found->size(); ++i) fill(infos[i], (*found)[i]);
    return Return::kSuccess;
  });
}

Return list_processes_now(Device* device, unsigned* count, Process* infos) {
  return list_processes(device, count, infos, [](Process& out, const ProcessUse& in) {
    out = Process{in.pid, in.used_bytes, outboard::nvml::kNoInstance, outboard::nvml::kNoInstance};
  });
}

Return no_processes(Device* device, unsigned* count) {
  return with_device(device, [&](const Device&) { return give(count, 0u); });
}

}  // namespace

NVML_API Return nvmlInit() { return library().init(); }
NVML_API Return nvmlInit_v2() { return library().init(); }
NVML_API Return nvmlInitWithFlags(unsigned) { return library().init(); }
NVML_API Return nvmlShutdown() { return library().shutdown(); }
NVML_API const char* nvmlErrorString(Return value) { return outboard::nvml::return_text(value); }

NVML_API Return nvmlSystemGetDriverVersion(char* version, unsigned length) {
  auto source = library().source();
  return source ? outboard::nvml::copy_text(source->driver_version(), version, length)
                : Return::kUninitialized;
}

NVML_API Return nvmlSystemGetNVMLVersion(char* version, unsigned length) {
  auto source = library().source();
  if (!source) return Return::kUninitialized;
  return outboard::nvml::copy_text("13." + source->driver_version(), version, length);
}

NVML_API Return nvmlSystemGetCudaDriverVersion(int* version) {
  auto source = library().source();
  return source ? give(version, source->cuda_driver_version()) : Return::kUninitialized;
}
NVML_API Return nvmlSystemGetCudaDriverVersion_v2(int* version) {
  return nvmlSystemGetCudaDriverVersion(version);
}

NVML_API Return nvmlDeviceGetCount(unsigned* count) { return library().device_count(count); }
NVML_API Return nvmlDeviceGetCount_v2(unsigned* count) { return library().device_count(count); }
NVML_API Return nvmlDeviceGetHandleByIndex(unsigned index, Device** out) {
  return library().device_by_index(index, out);
}
NVML_API Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device** out) {
  return library().device_by_index(index, out);
}
NVML_API Return nvmlDeviceGetHandleByUUID(const char* uuid, Device** out) {
  return library().device_by_uuid(uuid, out);
}
NVML_API Return nvmlDeviceGetHandleByPciBusId(const char* id, Device** out) {
  return library().device_by_bus_id(id, out);
}
NVML_API Return nvmlDeviceGetHandleByPciBusId_v2(const char* id, Device** out) {
  return library().device_by_bus_id(id, out);
}

NVML_API Return nvmlDeviceGetIndex(Device* device, unsigned* index) {
  return with_device(device, [&](const Device& d) { return give(index, static_cast<unsigned>(d.index)); });
}
NVML_API Return nvmlDeviceGetMinorNumber(Device* device, unsigned* minor) {
  return nvmlDeviceGetIndex(device, minor);
}

NVML_API Return nvmlDeviceGetName(Device* device, char* name, unsigned length) {
  return with_device(device,
                     [&](const Device& d) { return outboard::nvml::copy_text(d.facts.name, name, length); });
}

NVML_API Return nvmlDeviceGetUUID(Device* device, char* uuid, unsigned length) {
  return with_device(device, [&](const Device& d) {
    return outboard::nvml::copy_text(outboard::nvml::uuid_text(d.facts.uuid), uuid, length);
  });
}

NVML_API Return nvmlDeviceGetPciInfo_v3(Device* device, PciInfo* pci) {
  return with_device(device, [&](const Device& d) {
    if (!pci) return Return::kInvalidArgument;
    *pci = PciInfo{};
    pci->domain = d.facts.pci_domain;
    pci->bus = d.facts.pci_bus;
    pci->device = d.facts.pci_device;
    outboard::nvml::copy_text(outboard::nvml::bus_id_text(d.facts, true), pci->bus_id_legacy,
                              sizeof pci->bus_id_legacy);
    outboard::nvml::copy_text(outboard::nvml::bus_id_text(d.facts, false), pci->bus_id, sizeof pci->bus_id);
    return Return::kSuccess;
  });
}
NVML_API Return nvmlDeviceGetPciInfo(Device* device, PciInfoV1* pci) {
  PciInfo whole;
  const Return got = nvmlDeviceGetPciInfo_v3(device, pci ? &whole : nullptr);
  if (got != Return::kSuccess) return got;
  std::memcpy(pci->bus_id, whole.bus_id_legacy, sizeof pci->bus_id);
  pci->domain = whole.domain;
  pci->bus = whole.bus;
  pci->device = whole.device;
  pci->pci_device_id = whole.pci_device_id;
  return got;
}
NVML_API Return nvmlDeviceGetPciInfo_v2(Device* device, PciInfoV2* pci) {
  const Return got = nvmlDeviceGetPciInfo(device, pci ? &pci->first : nullptr);
  if (got == Return::kSuccess) pci->pci_subsystem_id = 0;
  return got;
}

NVML_API Return nvmlDeviceGetMemoryInfo(Device* device, Memory* memory) {
  return with_device(device, [&](const Device& d) {
    if (!memory) return Return::kInvalidArgument;
    auto source = library().source();
    if (!source) return Return::kUninitialized;
    auto use = source->memory(d.index);
    if (!use) return outboard::nvml::to_return(use.error().kind);
    *memory = Memory{use->total_bytes, use->total_bytes - use->used_bytes, use->used_bytes};
    return Return::kSuccess;
  });
}

NVML_API Return nvmlDeviceGetMemoryInfo_v2(Device* device, MemoryV2* memory) {
  if (memory && memory->version != outboard::nvml::kMemoryV2Version) return Return::kArgumentVersionMismatch;
  Memory plain{};
  const Return got = nvmlDeviceGetMemoryInfo(device, memory ? &plain : nullptr);
  if (got == Return::kSuccess) *memory = MemoryV2{memory->version, plain.total, 0, plain.free, plain.used};
  return got;
}

NVML_API Return nvmlDeviceGetComputeRunningProcesses_v3(Device* device, unsigned* count, Process* infos) {
  return list_processes_now(device, count, infos);
}
NVML_API Return nvmlDeviceGetComputeRunningProcesses_v2(Device* device, unsigned* count, Process* infos) {
  return list_processes_now(device, count, infos);
}
NVML_API Return nvmlDeviceGetComputeRunningProcesses(Device* device, unsigned* count, ProcessV1* infos) {
  return list_processes(device, count, infos,
                        [](ProcessV1& out, const ProcessUse& in) { out = ProcessV1{in.pid, in.used_bytes}; });
}
NVML_API Return nvmlDeviceGetGraphicsRunningProcesses_v3(Device* device, unsigned* count, Process*) {
  return no_processes(device, count);
}
NVML_API Return nvmlDeviceGetGraphicsRunningProcesses_v2(Device* device, unsigned* count, Process*) {
  return no_processes(device, count);
}
NVML_API Return nvmlDeviceGetGraphicsRunningProcesses(Device* device, unsigned* count, ProcessV1*) {
  return no_processes(device, count);
}

NVML_API Return nvmlDeviceGetMPSComputeRunningProcesses_v3(Device* device, unsigned* count, Process*) {
  return no_processes(device, count);
}
NVML_API Return nvmlDeviceGetMPSComputeRunningProcesses_v2(Device* device, unsigned* count, Process*) {
  return no_processes(device, count);
}
NVML_API Return nvmlDeviceGetMPSComputeRunningProcesses(Device* device, unsigned* count, ProcessV1*) {
  return no_processes(device, count);
}

NVML_API Return nvmlDeviceGetCudaComputeCapability(Device* device, int* major, int* minor) {
  return with_device(device, [&](const Device& d) {
    if (!major || !minor) return Return::kInvalidArgument;
    *major = d.facts.compute_major;
    *minor = d.facts.compute_minor;
    return Return::kSuccess;
  });
}

NVML_API Return nvmlDeviceGetMemoryBusWidth(Device* device, unsigned* bits) {
  return with_device(device, [&](const Device& d) {
    return d.facts.memory_bus_bits == 0 ? Return::kNotSupported : give(bits, d.facts.memory_bus_bits);
  });
}

// Features that a remote or software device does not have, said in NVML's own terms.
NVML_API Return nvmlDeviceGetPersistenceMode(Device* device, unsigned* mode) {
  return with_device(device, [&](const Device&) { return give(mode, 0u); });
}
NVML_API Return nvmlDeviceGetComputeMode(Device* device, unsigned* mode) {
  return with_device(device, [&](const Device&) { return give(mode, 0u); });
}
NVML_API Return nvmlDeviceGetDisplayMode(Device* device, unsigned* mode) {
  return with_device(device, [&](const Device&) { return give(mode, 0u); });
}
NVML_API Return nvmlDeviceGetDisplayActive(Device* device, unsigned* active) {
  return with_device(device, [&](const Device&) { return give(active, 0u); });
}
NVML_API Return nvmlDeviceGetMultiGpuBoard(Device* device, unsigned* multiple) {
  return with_device(device, [&](const Device&) { return give(multiple, 0u); });
}
NVML_API Return nvmlDeviceGetVirtualizationMode(Device* device, unsigned* mode) {
  return with_device(device, [&](const Device&) { return give(mode, 0u); });
}
NVML_API Return nvmlDeviceGetBrand(Device* device, unsigned* brand) {
  return with_device(device, [&](const Device&) { return give(brand, 0u); });  // unknown
}
NVML_API Return nvmlDeviceGetArchitecture(Device* device, unsigned* architecture) {
  return with_device(device, [&](const Device& d) {
    return give(architecture, outboard::nvml::architecture(d.facts.compute_major, d.facts.compute_minor));
  });
}
NVML_API Return nvmlDeviceGetHandleBySerial(const char* serial, Device**) {
  if (!library().source()) return Return::kUninitialized;
  return serial == nullptr ? Return::kInvalidArgument : Return::kNotFound;  // no device tells one
}
