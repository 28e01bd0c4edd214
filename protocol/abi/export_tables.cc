#include "protocol/abi/export_tables.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "protocol/abi/export_slots.h"

namespace outboard::abi {
namespace {

using Uuid = std::array<uint8_t, 16>;

struct KnownTable {
  const char* name;
  const void* const* (*words)();  // null: refused
  size_t significant_bytes;       // fewer than 16 where only a prefix of the UUID is known
  Uuid uuid;
};

// Refused: "requirements and logging", because the runtime goes its well-trodden way when it gets an
// error; NVRTC's, for the same reason; tables of profilers, optical flow and DLSS, which nothing
// here could serve.
constexpr KnownTable kKnown[] = {
    {"CONTEXT_LOCAL_STORAGE",
     &context_local_storage_table,
     16,
     {0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93}},
    {"CUDART_INTERFACE",
     &cudart_interface_table,
     16,
     {0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9}},
    {"TOOLS_RUNTIME_CALLBACK_HOOKS",
     &callback_hooks_table,
     16,
     {0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66}},
    {"TOOLS_TLS",
     &tools_tls_table,
     16,
     {0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc}},
    {"CONTEXT_CHECKS",
     &context_checks_table,
     16,
     {0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e}},
    {"INTEGRITY_CHECK",
     &integrity_table,
     16,
     {0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1, 0xf2}},
    {"ToolsContext",
     &tools_context_table,
     16,
     {0x21, 0x31, 0x8c, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8c, 0xa6, 0x41, 0xff, 0x73, 0x24, 0xc8, 0xf2}},
    {"ToolsModule",
     &tools_module_table,
     16,
     {0x6e, 0x16, 0x3f, 0xbe, 0xb9, 0x58, 0x44, 0x4d, 0x83, 0x5c, 0xe1, 0x82, 0xaf, 0xf1, 0x99, 0x1e}},
    {"map of multiprocessors",
     &sm_map_table,
     16,
     {0x17, 0x34, 0xdc, 0x26, 0x80, 0x0d, 0x47, 0x45, 0x87, 0x26, 0xc0, 0xf1, 0xe7, 0xdd, 0x8b, 0xca}},
    {"requirements and logging",
     nullptr,
     16,
     {0xf8, 0xcf, 0xf9, 0x51, 0x21, 0x46, 0x8b, 0x4e, 0xb9, 0xe2, 0xfb, 0x46, 0x9e, 0x7c, 0x0d, 0xd9}},
    {"NVRTC",
     nullptr,
     16,
     {0xda, 0x91, 0x51, 0xd3, 0x3a, 0xe6, 0xcc, 0x41, 0xa5, 0xc0, 0x4f, 0x26, 0xd5, 0x33, 0xe3, 0x28}},
    {"profiler 7cb63f9b", nullptr, 4, {0x7c, 0xb6, 0x3f, 0x9b}},
    {"profiler 127d4831", nullptr, 4, {0x12, 0x7d, 0x48, 0x31}},
    {"profiler 2c8e0ad8", nullptr, 4, {0x2c, 0x8e, 0x0a, 0xd8}},
    {"profiler a31746d1", nullptr, 4, {0xa3, 0x17, 0x46, 0xd1}},
    {"profiler a6b1ff99", nullptr, 4, {0xa6, 0xb1, 0xff, 0x99}},
    {"profiler d7bd8af8", nullptr, 4, {0xd7, 0xbd, 0x8a, 0xf8}},
    {"profiler cc529e94", nullptr, 4, {0xcc, 0x52, 0x9e, 0x94}},
    {"profiler bfdb432d", nullptr, 4, {0xbf, 0xdb, 0x43, 0x2d}},
    {"optical flow", nullptr, 4, {0x9a, 0xf0, 0x70, 0x7b}},
    {"DLSS", nullptr, 4, {0x7f, 0x92, 0x12, 0xd6}},
};

// The most wanted is first; about a dozen comparisons per library instance and table.
const KnownTable* find_known(const Uuid& uuid) {
  for (const KnownTable& known : kKnown) {
    if (std::equal(uuid.begin(), uuid.begin() + known.significant_bytes, known.uuid.begin())) return &known;
  }
  return nullptr;
}

std::string uuid_text(const Uuid& uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    char two[4];
    std::snprintf(two, sizeof two, "%02x", uuid[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += two;
  }
  return text;
}

}  // namespace

ExportTables::~ExportTables() { forget_installed_tables(this); }

void ExportTables::install() { set_installed_tables(this); }

CUresult ExportTables::get(const void** table, const CUuuid* id) {
  if (table == nullptr || id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *table = nullptr;
  Uuid uuid;
  std::transform(std::begin(id->bytes), std::end(id->bytes), uuid.begin(),
                 [](char byte) { return static_cast<uint8_t>(byte); });
  const KnownTable* const known = find_known(uuid);
  if (known == nullptr) return give_unknown(table, uuid);
  if (known->words == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  *table = known->words();
  return CUDA_SUCCESS;
}

CUresult ExportTables::give_unknown(const void** table, const Uuid& uuid) {
  const std::lock_guard lock(mutex_);
  auto place = std::ranges::find(unknown_, uuid);
  size_t number = static_cast<size_t>(place - unknown_.begin());
  if (place == unknown_.end()) {
    if (unknown_.size() < kUnknownTables) {
      unknown_.push_back(uuid);
    } else {
      number = kUnknownTables - 1;
    }
    note_once("The program asked for the private driver table " + uuid_text(uuid) +
              ", which is unknown; it gets one whose functions all return CUDA_ERROR_NOT_SUPPORTED.");
  }
  *table = unknown_table(number);
  return CUDA_SUCCESS;
}

CUresult ExportTables::unsupported_slot(std::string_view table, size_t slot) {
  const std::lock_guard lock(mutex_);
  note_once("The program called function " + std::to_string(slot) + " of the private driver table " +
            std::string(table) + ", which is not implemented; it gets CUDA_ERROR_NOT_SUPPORTED.");
  return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult ExportTables::unsupported_unknown_slot(size_t table, size_t slot) {
  std::string name = "of an unknown UUID";
  {
    const std::lock_guard lock(mutex_);
    if (table < unknown_.size()) name = uuid_text(unknown_[table]);
  }
  return unsupported_slot(name, slot);
}

// mutex_ is held.
void ExportTables::note_once(std::string message) {
  if (notes_.size() >= kMaxNotes || std::ranges::find(notes_, message) != notes_.end()) return;
  host_.note(message);
  notes_.push_back(std::move(message));
}

}  // namespace outboard::abi
