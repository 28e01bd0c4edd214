// Loading code, for modules and libraries alike.
#pragma once

#include <span>
#include <string_view>

#include "client-lib/session/client.h"
#include "protocol/wire/messages_module_gen.h"

namespace outboard::client::calls {

// The option arrays of cuModuleLoadDataEx and its relatives, as the application passed them.
struct JitArguments {
  std::span<CUjit_option> options;
  void** values = nullptr;

  // The value of an option, null if it was not given.
  void** find(CUjit_option option) const;
  // Options that are numbers travel; those that are addresses are answered here.
  std::vector<wire::JitOption> numbers() const;
  // Room in the caller's log buffers, 0 without one.
  uint32_t info_log_bytes() const {
    return log_bytes(CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
  }
  uint32_t error_log_bytes() const {
    return log_bytes(CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  }
  // Copies the logs into the caller's buffers, cut and zero-terminated, and writes back how much of
  // them was filled.
  void write_logs(std::string_view info_log, std::string_view error_log) const;

  // CUDA_ERROR_INVALID_VALUE when arrays are missing that the count announces.
  static CUresult from(unsigned count, CUjit_option* options, void** values, JitArguments* out);

 private:
  uint32_t log_bytes(CUjit_option buffer, CUjit_option size) const;
  void write_log(CUjit_option buffer, CUjit_option size, std::string_view log) const;
};

struct LoadArguments {
  wire::HandleKind kind = wire::HandleKind::kModule;
  std::span<const std::byte> image;
  JitArguments jit;
  std::vector<wire::JitOption> library_options;
};

// Takes over what the server tells of a function.
void fill_function(FunctionInfo& function, const wire::FunctionDescription& description);

// Smaller images travel as bulk of the command that needs them; to ask whether the server knows one
// already would cost more than it saves. At most limits::kBulkChunkBytes.
inline constexpr uint64_t kInlineImageBytes = 256 * 1024;

// Sends an image ahead of the command that needs it, under a number (never 0); or only its hash, if the
// server has kept it from another time.
CUresult upload(Client& client, std::span<const std::byte> data, uint32_t* number);

// On success *handle is the application's value of the new module or library.
CUresult load(Client& client, const LoadArguments& arguments, uint64_t* handle);

// CUDA_ERROR_FILE_NOT_FOUND, or the content with a terminating zero (PTX needs it).
CUresult read_file(const char* path, std::vector<std::byte>* content);

// Measures what the application passed; CUDA_ERROR_INVALID_IMAGE with a line in the log. *bytes lies
// in the application's memory, or in *joined where relocatable device code comes in several pieces.
CUresult measure(Client& client, const void* image, std::span<const std::byte>* bytes,
                 std::vector<std::byte>* joined);

}  // namespace outboard::client::calls
