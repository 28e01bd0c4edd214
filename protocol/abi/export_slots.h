// The tables' words: addresses of C functions that answer through the installed ExportTables.
// Word 0 is the table's size in bytes, except in context local storage, which ends with a null word.
#pragma once

#include <array>
#include <cstddef>

namespace outboard::abi {

class ExportTables;

// Null until ExportTables::install().
ExportTables* installed_tables();
void set_installed_tables(ExportTables* tables);
// Clears it if it is `tables`, so that a destroyed instance is never called.
void forget_installed_tables(const ExportTables* tables);

// Sizes in words. [R]: newer drivers have more; no caller of CUDA 13.0 looks beyond these.
inline constexpr size_t kCudartInterfaceWords = 13;
inline constexpr size_t kCallbackHooksWords = 7;
inline constexpr size_t kToolsTlsWords = 4;
inline constexpr size_t kContextLocalStorageWords = 4;
inline constexpr size_t kContextChecksWords = 4;
inline constexpr size_t kIntegrityWords = 3;
inline constexpr size_t kToolsContextWords = 93;
inline constexpr size_t kToolsModuleWords = 57;
inline constexpr size_t kSmMapWords = 64;  // size unknown; slot 4 is called

const void* const* cudart_interface_table();
const void* const* callback_hooks_table();
const void* const* tools_tls_table();
const void* const* context_local_storage_table();
const void* const* context_checks_table();
const void* const* integrity_table();
const void* const* tools_context_table();
const void* const* tools_module_table();
const void* const* sm_map_table();
const void* const* unknown_table(size_t number);

}  // namespace outboard::abi
