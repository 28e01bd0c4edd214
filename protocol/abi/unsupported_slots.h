// Fills the slots of a table that nothing implements with functions that say so and return
// CUDA_ERROR_NOT_SUPPORTED. One function per slot, so that the log can name table and slot.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "protocol/abi/export_slots.h"
#include "protocol/abi/export_tables.h"

namespace outboard::abi {

template <size_t Words>
using TableWords = std::array<const void*, Words>;

template <const char* Name, size_t Slot>
CUresult unsupported_named_slot() {
  ExportTables* const tables = installed_tables();
  return tables ? tables->unsupported_slot(Name, Slot) : CUDA_ERROR_NOT_SUPPORTED;
}

template <size_t Table, size_t Slot>
CUresult unsupported_numbered_slot() {
  ExportTables* const tables = installed_tables();
  return tables ? tables->unsupported_unknown_slot(Table, Slot) : CUDA_ERROR_NOT_SUPPORTED;
}

template <typename Function>
const void* slot_address(Function* function) {
  return reinterpret_cast<const void*>(function);
}

inline const void* size_word(size_t words) { return reinterpret_cast<const void*>(words * sizeof(void*)); }

// Word 0 is the size; every other word is an unsupported slot, to be overwritten where we have more.
template <const char* Name, size_t... Slots>
TableWords<sizeof...(Slots)> named_table(std::index_sequence<Slots...>) {
  TableWords<sizeof...(Slots)> words{slot_address(&unsupported_named_slot<Name, Slots>)...};
  words[0] = size_word(sizeof...(Slots));
  return words;
}

template <const char* Name, size_t Words>
TableWords<Words> named_table() {
  return named_table<Name>(std::make_index_sequence<Words>());
}

template <size_t Table, size_t... Slots>
TableWords<sizeof...(Slots)> numbered_table(std::index_sequence<Slots...>) {
  TableWords<sizeof...(Slots)> words{slot_address(&unsupported_numbered_slot<Table, Slots>)...};
  words[0] = size_word(sizeof...(Slots));
  return words;
}

}  // namespace outboard::abi
