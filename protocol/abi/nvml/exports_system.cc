// NVML's functions about what surrounds a device: partitions, links, neighbours, events.
#include <chrono>
#include <set>
#include <thread>

#include "protocol/abi/nvml/exports.h"

using outboard::nvml::Device;
using outboard::nvml::EventData;
using outboard::nvml::FieldValue;
using outboard::nvml::give;
using outboard::nvml::library;
using outboard::nvml::Return;
using outboard::nvml::with_device;

namespace {

constexpr unsigned kMaxLinks = 18;        // NVML_NVLINK_MAX_LINKS
constexpr unsigned kFieldEccCurrent = 1;  // NVML_FI_DEV_ECC_CURRENT
constexpr int kTopologyInternal = 0;
constexpr int kP2pUnknown = 6;
constexpr int kP2pIndices = 6;

// Runs body(first, second) for two devices of ours.
template <typename Body>
Return with_devices(Device* first, Device* second, Body&& body) {
  return with_device(first, [&](const Device& one) {
    return with_device(second, [&](const Device& other) { return body(one, other); });
  });
}

// Event sets that exist. Nothing ever happens in them: no event can be registered.
struct EventSets {
  std::mutex mutex;
  std::set<const void*> all;
  uintptr_t next = 1;
};
EventSets& event_sets() {
  static auto* const sets = new EventSets;  // never destroyed: see library()
  return *sets;
}

Return wait_for_event(const void* set, unsigned timeout_ms) {
  if (!library().source()) return Return::kUninitialized;
  {
    std::lock_guard lock(event_sets().mutex);
    if (!event_sets().all.contains(set)) return Return::kInvalidArgument;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(timeout_ms));
  return Return::kTimeout;
}

}  // namespace

// --- Partitions (MIG): a lease is no partition. ---
NVML_API Return nvmlDeviceGetMigMode(Device* device, unsigned*, unsigned*) {
  return with_device(device, [](const Device&) { return Return::kNotSupported; });
}
NVML_API Return nvmlDeviceGetMaxMigDeviceCount(Device* device, unsigned* count) {
  return with_device(device, [&](const Device&) { return give(count, 0u); });
}
NVML_API Return nvmlDeviceIsMigDeviceHandle(Device* device, unsigned* is_mig) {
  return with_device(device, [&](const Device&) { return give(is_mig, 0u); });
}

// --- Links and neighbours. ---
NVML_API Return nvmlDeviceGetNvLinkState(Device* device, unsigned link, int*) {
  return with_device(device, [&](const Device&) {
    return link >= kMaxLinks ? Return::kInvalidArgument : Return::kNotSupported;
  });
}
NVML_API Return nvmlDeviceGetNvLinkCapability(Device* device, unsigned link, int, unsigned*) {
  return nvmlDeviceGetNvLinkState(device, link, nullptr);
}
NVML_API Return nvmlDeviceGetNvLinkVersion(Device* device, unsigned link, unsigned*) {
  return nvmlDeviceGetNvLinkState(device, link, nullptr);
}
NVML_API Return nvmlDeviceGetNvLinkRemotePciInfo(Device* device, unsigned link, void*) {
  return nvmlDeviceGetNvLinkState(device, link, nullptr);
}
NVML_API Return nvmlDeviceGetNvLinkRemotePciInfo_v2(Device* device, unsigned link, void*) {
  return nvmlDeviceGetNvLinkState(device, link, nullptr);
}
NVML_API Return nvmlDeviceGetNvLinkRemoteDeviceType(Device* device, unsigned link, unsigned*) {
  return nvmlDeviceGetNvLinkState(device, link, nullptr);
}

// Only of a device and itself is the way known; the server's buses are not this machine's.
NVML_API Return nvmlDeviceGetTopologyCommonAncestor(Device* first, Device* second, int* level) {
  return with_devices(first, second, [&](const Device& one, const Device& other) {
    return one.index == other.index ? give(level, kTopologyInternal) : Return::kNotSupported;
  });
}
NVML_API Return nvmlDeviceOnSameBoard(Device* first, Device* second, int* same) {
  return with_devices(first, second, [&](const Device& one, const Device& other) {
    return give(same, one.index == other.index ? 1 : 0);
  });
}
NVML_API Return nvmlDeviceGetP2PStatus(Device* first, Device* second, int index, int* status) {
  return with_devices(first, second, [&](const Device&, const Device&) {
    return index < 0 || index > kP2pIndices ? Return::kInvalidArgument : give(status, kP2pUnknown);
  });
}

// --- Events. ---
NVML_API Return nvmlEventSetCreate(const void** set) {
  if (!library().source()) return Return::kUninitialized;
  if (set == nullptr) return Return::kInvalidArgument;
  std::lock_guard lock(event_sets().mutex);
  *set = reinterpret_cast<const void*>(event_sets().next++);
  event_sets().all.insert(*set);
  return Return::kSuccess;
}
NVML_API Return nvmlEventSetFree(const void* set) {
  if (!library().source()) return Return::kUninitialized;
  std::lock_guard lock(event_sets().mutex);
  return event_sets().all.erase(set) != 0 ? Return::kSuccess : Return::kInvalidArgument;
}
NVML_API Return nvmlDeviceGetSupportedEventTypes(Device* device, unsigned long long* types) {
  return with_device(device, [&](const Device&) { return give(types, 0ull); });
}
NVML_API Return nvmlDeviceRegisterEvents(Device* device, unsigned long long types, const void*) {
  return with_device(device,
                     [&](const Device&) { return types == 0 ? Return::kSuccess : Return::kNotSupported; });
}
NVML_API Return nvmlEventSetWait(const void* set, EventData*, unsigned timeout_ms) {
  return wait_for_event(set, timeout_ms);
}
NVML_API Return nvmlEventSetWait_v2(const void* set, EventData*, unsigned timeout_ms) {
  return wait_for_event(set, timeout_ms);
}

// --- Fields: each has its own result. ---
NVML_API Return nvmlDeviceGetFieldValues(Device* device, int count, FieldValue* values) {
  return with_device(device, [&](const Device& known) {
    if (count < 0 || (count > 0 && values == nullptr)) return Return::kInvalidArgument;
    for (int i = 0; i < count; ++i) {
      FieldValue& field = values[i];
      field.timestamp_us = 0;
      field.latency_us = 0;
      field.result = Return::kNotSupported;
      if (field.field_id != kFieldEccCurrent) continue;
      field.result = Return::kSuccess;
      field.value_type = outboard::nvml::kValueUnsigned;
      field.value.unsigned_value = known.facts.ecc ? 1 : 0;
    }
    return Return::kSuccess;
  });
}

NVML_API Return nvmlDeviceGetEccMode(Device* device, unsigned* current, unsigned* pending) {
  return with_device(device, [&](const Device& known) {
    if (current == nullptr || pending == nullptr) return Return::kInvalidArgument;
    *current = *pending = known.facts.ecc ? 1 : 0;
    return Return::kSuccess;
  });
}

// --- The machine. ---
NVML_API Return nvmlGetExcludedDeviceCount(unsigned* count) {
  return library().source() ? give(count, 0u) : Return::kUninitialized;
}
NVML_API Return nvmlUnitGetCount(unsigned* count) {
  return library().source() ? give(count, 0u) : Return::kUninitialized;
}
NVML_API Return nvmlUnitGetHandleByIndex(unsigned, void**) {
  return library().source() ? Return::kInvalidArgument : Return::kUninitialized;
}
NVML_API Return nvmlUnitGetDevices(void*, unsigned*, Device**) {
  return library().source() ? Return::kInvalidArgument : Return::kUninitialized;
}
NVML_API Return nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
  const auto source = library().source();
  if (!source) return Return::kUninitialized;
  const std::string found = outboard::nvml::process_name(*source, pid);
  return found.empty() ? Return::kNotFound : outboard::nvml::copy_text(found, name, length);
}
