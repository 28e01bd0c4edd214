// Tables that the libraries use: ToolsContext (cuBLAS), ToolsModule (cuFFT), the unnamed one of
// cuBLASLt on compute capability 9.0, and those of unknown UUIDs.
#include "protocol/abi/export_slots.h"
#include "protocol/abi/unsupported_slots.h"

namespace outboard::abi {
namespace {

constexpr char kContextName[] = "ToolsContext";
constexpr char kModuleName[] = "ToolsModule";
constexpr char kSmMapName[] = "1734dc26 (map of multiprocessors)";

// ToolsContext
CUresult context_device(CUcontext context, CUdevice* device) {  // [R]
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (context == nullptr) context = tables->host().current_context();
  return context ? tables->host().context_device(context, device) : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult context_id(CUcontext context, uint64_t* id) {
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (context == nullptr) context = tables->host().current_context();
  return context ? tables->host().context_id(context, id) : CUDA_ERROR_INVALID_CONTEXT;
}

// A driver has its own object behind a stream handle. Callers only pass it back to private_stream_id,
// so ours is the public handle with the null stream resolved.
CUresult private_stream(CUcontext, CUstream stream, void** result, int per_thread) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (stream == nullptr) {
    stream = reinterpret_cast<CUstream>(
        static_cast<uintptr_t>(per_thread ? 2 : 1));  // CU_STREAM_PER_THREAD : _LEGACY
  }
  *result = stream;
  return CUDA_SUCCESS;
}

CUresult private_stream_id(CUcontext context, void* stream, uint64_t* id) {
  ExportTables* const tables = installed_tables();
  if (tables == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (id == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (context == nullptr) context = tables->host().current_context();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  return tables->host().stream_id(context, static_cast<CUstream>(stream), id);
}

// ToolsModule. The third argument of the callback is not known; its callers ignore it. Returns how many
// functions were visited: cuFFT takes anything but 1 for a failure, as its modules have one each.
using FunctionVisitor = void (*)(void* opaque, CUfunction function, uint64_t unknown);

int each_function(CUcontext, CUmodule module, FunctionVisitor visit, void* opaque) {
  ExportTables* const tables = installed_tables();
  if (tables == nullptr || visit == nullptr) return 0;
  std::vector<CUfunction> functions;
  if (tables->host().module_functions(module, &functions) != CUDA_SUCCESS) return 0;
  for (const CUfunction function : functions) visit(opaque, function, 0);
  return static_cast<int>(functions.size());
}

using UnknownTable = TableWords<ExportTables::kUnknownTableWords>;

template <size_t... Tables>
std::array<UnknownTable, sizeof...(Tables)> unknown_tables(std::index_sequence<Tables...>) {
  return {numbered_table<Tables>(std::make_index_sequence<ExportTables::kUnknownTableWords>())...};
}

}  // namespace

const void* const* tools_context_table() {
  static const auto words = [] {
    auto table = named_table<kContextName, kToolsContextWords>();
    table[3] = slot_address(&context_device);
    table[4] = slot_address(&context_id);
    table[39] = slot_address(&private_stream_id);
    table[51] = slot_address(&private_stream);
    return table;
  }();
  return words.data();
}

const void* const* tools_module_table() {
  static const auto words = [] {
    auto table = named_table<kModuleName, kToolsModuleWords>();
    table[7] = slot_address(&each_function);
    return table;
  }();
  return words.data();
}

const void* const* sm_map_table() {
  static const auto words = named_table<kSmMapName, kSmMapWords>();
  return words.data();
}

const void* const* unknown_table(size_t number) {
  static const auto tables = unknown_tables(std::make_index_sequence<ExportTables::kUnknownTables>());
  return tables[number < tables.size() ? number : tables.size() - 1].data();
}

}  // namespace outboard::abi
