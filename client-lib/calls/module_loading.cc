#include "client-lib/calls/module_loading.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "client-lib/state/image.h"
#include "protocol/base/bytes.h"
#include "protocol/base/content_hash.h"
#include "protocol/base/limits.h"

namespace outboard::client::calls {
namespace {

using wire::Handle;
using wire::HandleKind;

// Options whose value is an address in the application.
bool is_address(CUjit_option option) {
  switch (option) {
    case CU_JIT_INFO_LOG_BUFFER:
    case CU_JIT_ERROR_LOG_BUFFER:
    case CU_JIT_GLOBAL_SYMBOL_NAMES:
    case CU_JIT_GLOBAL_SYMBOL_ADDRESSES:
    case CU_JIT_REFERENCED_KERNEL_NAMES:
    case CU_JIT_REFERENCED_VARIABLE_NAMES: return true;
    default: return false;
  }
}

// Sizes of the log buffers travel as fields of their own; WALL_TIME is only written by the driver.
bool is_answered_here(CUjit_option option) {
  return is_address(option) || option == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES ||
         option == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES || option == CU_JIT_WALL_TIME;
}

void describe(ModuleStore& store, ModuleInfo& module, const wire::FunctionDescription& description) {
  fill_function(*store.new_function(module, description.name), description);
}

}  // namespace

void fill_function(FunctionInfo& function, const wire::FunctionDescription& description) {
  function.layout_known = description.layout_known;
  function.parameters.clear();
  function.parameter_bytes = 0;
  for (const wire::ParameterLayout& parameter : description.parameters) {
    function.parameters.push_back({parameter.offset_bytes, parameter.size_bytes});
    function.parameter_bytes =
        std::max(function.parameter_bytes, parameter.offset_bytes + parameter.size_bytes);
  }
  for (const wire::FunctionAttribute& attribute : description.attributes) {
    function.attributes.set(attribute.id, attribute.value);
  }
}

CUresult JitArguments::from(unsigned count, CUjit_option* options, void** values, JitArguments* out) {
  if (count != 0 && (options == nullptr || values == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  out->options = std::span(options, count);
  out->values = values;
  return CUDA_SUCCESS;
}

void** JitArguments::find(CUjit_option option) const {
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i] == option) return &values[i];
  }
  return nullptr;
}

std::vector<wire::JitOption> JitArguments::numbers() const {
  std::vector<wire::JitOption> out;
  for (size_t i = 0; i < options.size(); ++i) {
    if (is_answered_here(options[i])) continue;
    out.push_back({static_cast<uint32_t>(options[i]), reinterpret_cast<uint64_t>(values[i])});
  }
  return out;
}

uint32_t JitArguments::log_bytes(CUjit_option buffer, CUjit_option size) const {
  void** address = find(buffer);
  void** bytes = find(size);
  if (address == nullptr || *address == nullptr || bytes == nullptr) return 0;
  // An unsigned int in a pointer's place: the upper half may hold anything.
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(*bytes));
}

void JitArguments::write_log(CUjit_option buffer, CUjit_option size, std::string_view log) const {
  const uint32_t room = log_bytes(buffer, size);
  if (room == 0) return;
  char* to = static_cast<char*>(*find(buffer));
  const size_t length = std::min<size_t>(log.size(), room - 1);
  std::memcpy(to, log.data(), length);
  to[length] = '\0';
  *find(size) = reinterpret_cast<void*>(length);
}

void JitArguments::write_logs(std::string_view info_log, std::string_view error_log) const {
  write_log(CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, info_log);
  write_log(CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, error_log);
}

namespace {

// Whether the server has the data already, under this number now. Servers that keep nothing are asked once.
CUresult offer(Client& client, std::span<const std::byte> data, uint32_t number, bool* known) {
  *known = false;
  if (!client.uploads().server_keeps()) return CUDA_SUCCESS;
  const ContentHash hash = content_hash(data);
  wire::OfferUploadReply reply;
  const CUresult result = client.call(wire::OfferUploadRequest{number, data.size(), hash}, reply);
  if (result != CUDA_SUCCESS) return result;
  *known = reply.known;
  if (!reply.keeps) client.uploads().server_keeps_nothing();
  return CUDA_SUCCESS;
}

}  // namespace

CUresult upload(Client& client, std::span<const std::byte> data, uint32_t* number) {
  *number = client.uploads().next_number();
  bool known = false;
  if (const CUresult result = offer(client, data, *number, &known); result != CUDA_SUCCESS) return result;
  if (known) return CUDA_SUCCESS;
  for (uint64_t offset = 0; offset < data.size(); offset += limits::kBulkChunkBytes) {
    const auto chunk =
        data.subspan(offset, std::min<uint64_t>(limits::kBulkChunkBytes, data.size() - offset));
    const CUresult result = client.post(wire::UploadChunkRequest{*number, data.size(), offset}, chunk);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

CUresult load(Client& client, const LoadArguments& arguments, uint64_t* handle) {
  wire::LoadModuleRequest request;
  request.kind = arguments.kind == HandleKind::kLibrary ? 1 : 0;
  request.jit_options = arguments.jit.numbers();
  request.library_options = arguments.library_options;
  request.info_log_bytes = arguments.jit.info_log_bytes();
  request.error_log_bytes = arguments.jit.error_log_bytes();
  CallOptions options;
  if (arguments.image.size() > kInlineImageBytes) {
    const CUresult result = upload(client, arguments.image, &request.upload);
    if (result != CUDA_SUCCESS) return result;
  } else {
    options.bulk = arguments.image;
  }
  ModuleInfo* module = client.modules().new_module();
  module->kind = arguments.kind;
  if (const CUresult result = client.create_handle_with(arguments.kind, module, &request.module);
      result != CUDA_SUCCESS) {
    client.modules().retire(*module);
    return result;
  }
  wire::LoadModuleReply reply;
  Reply raw;
  const CUresult result = client.call(request, reply, raw, options);
  arguments.jit.write_logs(reply.info_log, reply.error_log);
  if (result != CUDA_SUCCESS) {
    client.forget_handle(arguments.kind, request.module);
    client.modules().retire(*module);
    if (!reply.error_log.empty()) {
      client.log().info(
          text("The server cannot load an image: ", printable(reply.error_log, limits::kMessageBytes)));
    }
    return result;
  }
  module->handle = request.module;
  if (arguments.kind == HandleKind::kModule) module->context = client.owning_context();
  module->enumerated = reply.enumerated;
  for (const wire::FunctionDescription& description : reply.functions) {
    describe(client.modules(), *module, description);
  }
  *handle = handle_value(arguments.kind, request.module);
  return CUDA_SUCCESS;
}

CUresult read_file(const char* path, std::vector<std::byte>* content) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
  const std::streamoff size = file.tellg();
  if (size < 0) return CUDA_ERROR_FILE_NOT_FOUND;
  if (static_cast<uint64_t>(size) > kMaxImageBytes) return CUDA_ERROR_INVALID_IMAGE;
  content->resize(static_cast<size_t>(size) + 1);
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(content->data()), size)) return CUDA_ERROR_FILE_NOT_FOUND;
  content->back() = std::byte{0};
  return CUDA_SUCCESS;
}

CUresult measure(Client& client, const void* image, std::span<const std::byte>* bytes,
                 std::vector<std::byte>* joined) {
  if (image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto measured = measure_image(image);
  if (!measured) {
    client.log().info(text("An image cannot be loaded. ", measured.error().message));
    return CUDA_ERROR_INVALID_IMAGE;
  }
  *bytes = measured->bytes;
  if (measured->prelinked.empty()) return CUDA_SUCCESS;
  // Each fat binary says its own length, so they travel one after the other.
  joined->assign(bytes->begin(), bytes->end());
  for (const auto& part : measured->prelinked) joined->insert(joined->end(), part.begin(), part.end());
  if (joined->size() > kMaxImageBytes) return CUDA_ERROR_INVALID_IMAGE;
  *bytes = *joined;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
