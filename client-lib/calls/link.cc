// Linking several images into one. The logs that the application asked for when it created the link
// are written as parts are added, so the option arrays are kept, as the driver keeps them.
#include <memory>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/module_loading.h"
#include "client-lib/session/client.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_link_gen.h"

namespace outboard::client::calls {
namespace {

using wire::HandleKind;

// Payload of a link's handle; lives until cuLinkDestroy.
struct LinkInfo {
  wire::Handle handle;
  std::vector<CUjit_option> options;
  void** values = nullptr;        // the application's: the driver's interface demands that they stay valid
  void* info_log_room = nullptr;  // what the values were before what was filled was written there
  void* error_log_room = nullptr;
  std::vector<std::byte> image;  // what cuLinkComplete gave out

  JitArguments jit() {
    JitArguments arguments;
    arguments.options = options;
    arguments.values = values;
    return arguments;
  }
  // Each call fills the buffers anew, so it has all of their room.
  void write_logs(std::string_view info_log, std::string_view error_log) {
    const JitArguments arguments = jit();
    if (void** room = arguments.find(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES)) *room = info_log_room;
    if (void** room = arguments.find(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)) *room = error_log_room;
    arguments.write_logs(info_log, error_log);
  }
};

LinkInfo* find_link(Client& client, CUlinkState state) {
  return static_cast<LinkInfo*>(find_payload(client, state));
}

CUresult add(Client& client, LinkInfo& link, CUjitInputType type, std::span<const std::byte> data,
             const char* name, const JitArguments& jit) {
  wire::LinkAddDataRequest request;
  request.link = link.handle;
  request.type = static_cast<uint32_t>(type);
  if (name != nullptr) request.name = name;
  request.jit_options = jit.numbers();
  CallOptions options;
  if (data.size() > kInlineImageBytes) {
    const CUresult result = upload(client, data, &request.upload);
    if (result != CUDA_SUCCESS) return result;
  } else {
    options.bulk = data;
  }
  wire::LinkAddDataReply reply;
  Reply raw;
  const CUresult result = client.call(request, reply, raw, options);
  link.write_logs(reply.info_log, reply.error_log);
  return result;
}

}  // namespace

CUresult cuLinkCreate_v2(Client& client, unsigned int numOptions, CUjit_option* options, void** optionValues,
                         CUlinkState* stateOut) {
  if (stateOut == nullptr) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numOptions, options, optionValues, &jit); r != CUDA_SUCCESS)
    return r;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  auto link = std::make_unique<LinkInfo>();
  link->options.assign(jit.options.begin(), jit.options.end());
  link->values = optionValues;
  if (void** room = jit.find(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES)) link->info_log_room = *room;
  if (void** room = jit.find(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)) link->error_log_room = *room;
  if (const CUresult r = client.create_handle_with(HandleKind::kLinkState, link.get(), &link->handle);
      r != CUDA_SUCCESS) {
    return r;
  }
  wire::LinkCreateReply reply;
  const CUresult result = client.call(
      wire::LinkCreateRequest{link->handle, jit.numbers(), jit.info_log_bytes(), jit.error_log_bytes()},
      reply);
  if (result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kLinkState, link->handle);
    return result;
  }
  *stateOut = to_application<CUlinkState>(link.release()->handle);
  return CUDA_SUCCESS;
}

CUresult cuLinkAddData_v2(Client& client, CUlinkState state, CUjitInputType type, void* data, size_t size,
                          const char* name, unsigned int numOptions, CUjit_option* options,
                          void** optionValues) {
  LinkInfo* link = find_link(client, state);
  if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (data == nullptr || size == 0) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numOptions, options, optionValues, &jit); r != CUDA_SUCCESS)
    return r;
  return add(client, *link, type, {static_cast<const std::byte*>(data), size}, name, jit);
}

CUresult cuLinkAddFile_v2(Client& client, CUlinkState state, CUjitInputType type, const char* path,
                          unsigned int numOptions, CUjit_option* options, void** optionValues) {
  LinkInfo* link = find_link(client, state);
  if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numOptions, options, optionValues, &jit); r != CUDA_SUCCESS)
    return r;
  std::vector<std::byte> content;
  if (const CUresult result = read_file(path, &content); result != CUDA_SUCCESS) return result;
  // Only text needs the zero that read_file appends.
  if (type != CU_JIT_INPUT_PTX) content.pop_back();
  return add(client, *link, type, content, path, jit);
}

CUresult cuLinkComplete(Client& client, CUlinkState state, void** cubinOut, size_t* sizeOut) {
  LinkInfo* link = find_link(client, state);
  if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (cubinOut == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::LinkCompleteReply reply;
  Reply raw;
  const CUresult result = client.call(wire::LinkCompleteRequest{link->handle}, reply, raw, {});
  link->write_logs(reply.info_log, reply.error_log);
  if (result != CUDA_SUCCESS) return result;
  link->image = std::move(raw.bulk);
  *cubinOut = link->image.data();
  if (sizeOut != nullptr) *sizeOut = link->image.size();
  return CUDA_SUCCESS;
}

CUresult cuLinkDestroy(Client& client, CUlinkState state) {
  const std::unique_ptr<LinkInfo> link(find_link(client, state));
  if (link == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  client.forget_handle(HandleKind::kLinkState, link->handle);
  return client.post(wire::LinkDestroyRequest{link->handle});
}

}  // namespace outboard::client::calls
