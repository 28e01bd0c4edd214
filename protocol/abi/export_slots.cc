// The runtime's own tables: CUDART_INTERFACE, hooks, thread's context, context checks, integrity.
#include "protocol/abi/export_slots.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "protocol/abi/unsupported_slots.h"

namespace outboard::abi {
namespace {

std::atomic<ExportTables*> g_installed{nullptr};

constexpr char kCudartName[] = "CUDART_INTERFACE";
constexpr char kHooksName[] = "TOOLS_RUNTIME_CALLBACK_HOOKS";
constexpr char kTlsName[] = "TOOLS_TLS";
constexpr char kChecksName[] = "CONTEXT_CHECKS";
constexpr char kIntegrityName[] = "INTEGRITY_CHECK";

// Runs `body(tables)`, or returns NOT_INITIALIZED where nothing is installed.
template <typename Body>
CUresult with_tables(Body body) {
  ExportTables* const tables = installed_tables();
  return tables ? body(*tables) : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult load_wrapper(CUmodule* module, const void* image) {
  if (module == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_tables([&](ExportTables& tables) { return tables.host().load_module(image, module); });
}

// CUDART_INTERFACE
CUresult module_from_wrapper(CUmodule* module, const void* wrapper) { return load_wrapper(module, wrapper); }
CUresult module_from_wrapper_ext(CUmodule* module, const void* wrapper, void*, void*, void*) {
  return load_wrapper(module, wrapper);
}
CUresult module_from_header_ext(const void* header, CUmodule* module, void*, void*, void*) {
  return load_wrapper(module, header);
}
CUresult primary_context(CUcontext* context, CUdevice device) {
  if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_tables([&](ExportTables& tables) { return tables.host().primary_context(device, context); });
}
CUresult accept_size(size_t) { return CUDA_SUCCESS; }
CUresult load_compilers() { return CUDA_SUCCESS; }

// TOOLS_RUNTIME_CALLBACK_HOOKS: buffers that a profiler would fill; without one they stay zero.
// Whether the counts are bytes or words is not known, so the room is for words.
constexpr size_t kHookCountA = 1024;
constexpr size_t kHookCountB = 14;
void* g_hooks_a[kHookCountA];
void* g_hooks_b[kHookCountB];

CUresult hooks_a(void** buffer, size_t* count) {
  *buffer = g_hooks_a;
  *count = kHookCountA;
  return CUDA_SUCCESS;
}
CUresult hooks_b(void** buffer, size_t* count) {
  *buffer = g_hooks_b;
  *count = kHookCountB;
  return CUDA_SUCCESS;
}

// TOOLS_TLS
CUresult thread_context(CUcontext* context) {
  if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_tables([&](ExportTables& tables) {
    *context = tables.host().current_context();
    return CUDA_SUCCESS;
  });
}

// CONTEXT_CHECKS
CUresult check_context(CUcontext, uint32_t* problem, const void**) {
  if (problem != nullptr) *problem = 0;
  return CUDA_SUCCESS;
}
uint32_t no_checks() { return 0; }

// INTEGRITY_CHECK
CUresult integrity(uint32_t version, uint64_t unix_seconds, uint64_t* answer) {
  if (answer == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_tables([&](ExportTables& tables) -> CUresult {
    int driver_version = 0;
    if (const CUresult result = tables.host().driver_version(&driver_version); result != CUDA_SUCCESS)
      return result;
    std::vector<DeviceIdentity> devices;
    if (const CUresult result = tables.host().device_identities(&devices); result != CUDA_SUCCESS)
      return result;
    IntegrityQuestion question;
    question.driver_version = static_cast<uint32_t>(driver_version);
    question.version = version;
    question.process_id = static_cast<uint32_t>(getpid());
    question.thread_low_bits = static_cast<uint32_t>(pthread_self());
    question.cudart_table = reinterpret_cast<uint64_t>(cudart_interface_table());
    question.integrity_table = reinterpret_cast<uint64_t>(integrity_table());
    question.integrity_function = reinterpret_cast<uint64_t>(integrity_table()[1]);
    question.unix_seconds = unix_seconds;
    question.devices = devices;
    std::ranges::copy(integrity_answer(question), answer);
    return CUDA_SUCCESS;
  });
}

}  // namespace

ExportTables* installed_tables() { return g_installed.load(std::memory_order_acquire); }

void set_installed_tables(ExportTables* tables) { g_installed.store(tables, std::memory_order_release); }

void forget_installed_tables(const ExportTables* tables) {
  ExportTables* expected = const_cast<ExportTables*>(tables);
  g_installed.compare_exchange_strong(expected, nullptr);
}

// Function-local statics of trivially destructible type: built at first use, never destroyed, so
// that they serve calls from exit handlers too.
const void* const* cudart_interface_table() {
  static const auto words = [] {
    auto table = named_table<kCudartName, kCudartInterfaceWords>();
    table[1] = slot_address(&module_from_wrapper);
    table[2] = slot_address(&primary_context);
    table[6] = slot_address(&module_from_wrapper_ext);
    table[7] = slot_address(&accept_size);
    table[8] = slot_address(&module_from_header_ext);
    table[12] = slot_address(&load_compilers);
    return table;
  }();
  return words.data();
}

const void* const* callback_hooks_table() {
  static const auto words = [] {
    auto table = named_table<kHooksName, kCallbackHooksWords>();
    table[2] = slot_address(&hooks_a);
    table[6] = slot_address(&hooks_b);
    return table;
  }();
  return words.data();
}

const void* const* tools_tls_table() {
  static const auto words = [] {
    auto table = named_table<kTlsName, kToolsTlsWords>();
    table[2] = slot_address(&thread_context);
    return table;
  }();
  return words.data();
}

const void* const* context_checks_table() {
  static const auto words = [] {
    auto table = named_table<kChecksName, kContextChecksWords>();
    table[2] = slot_address(&check_context);
    table[3] = slot_address(&no_checks);
    return table;
  }();
  return words.data();
}

const void* const* integrity_table() {
  static const auto words = [] {
    auto table = named_table<kIntegrityName, kIntegrityWords>();
    table[1] = slot_address(&integrity);
    return table;
  }();
  return words.data();
}

}  // namespace outboard::abi
