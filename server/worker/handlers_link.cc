// The driver's linker.
#include <cstring>
#include <string>

#include "protocol/base/limits.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/image_check.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

using wire::HandleKind;

template <typename Reply>
void take_logs(Worker& worker, CUlinkState state, Reply& reply) {
  const JitOptions* options = worker.session().links.find(reinterpret_cast<uintptr_t>(state));
  if (options == nullptr) return;
  reply.info_log = options->info_log();
  reply.error_log = options->error_log();
}

}  // namespace

CUresult handle(Worker& worker, const wire::LinkCreateRequest& request, wire::LinkCreateReply&) {
  auto options = std::make_unique<JitOptions>(request.info_log_bytes, request.error_log_bytes);
  for (const wire::JitOption& option : request.jit_options) {
    if (!options->add(option.id, option.value)) return CUDA_ERROR_INVALID_VALUE;
  }
  CUlinkState state = nullptr;
  const CUresult created =
      worker.driver().cuLinkCreate_v2(options->count(), options->options(), options->values(), &state);
  if (created != CUDA_SUCCESS) return created;
  worker.session().links.add(reinterpret_cast<uintptr_t>(state), std::move(options));
  if (Status named = worker.name_object(HandleKind::kLinkState, request.link, state); !named) {
    return worker.violation(named.error().message);
  }
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::LinkAddDataRequest& request, std::span<const std::byte> bulk,
                wire::LinkAddDataReply& reply) {
  const auto state = worker.native_as<CUlinkState>(HandleKind::kLinkState, request.link);
  if (!state) return CUDA_ERROR_INVALID_HANDLE;
  std::vector<std::byte> uploaded;
  if (request.upload != 0) {
    uploaded = worker.session().take_upload(request.upload);
    bulk = uploaded;
  }
  const bool has_inner_sizes = request.type == CU_JIT_INPUT_FATBINARY || request.type == CU_JIT_INPUT_CUBIN;
  if (bulk.empty() || (has_inner_sizes && !image_is_bounded(bulk))) return CUDA_ERROR_INVALID_IMAGE;
  // These options have no logs of their own: the ones of the link as a whole are used.
  std::vector<CUjit_option> ids;
  std::vector<void*> values;
  for (const wire::JitOption& option : request.jit_options) {
    if (!JitOptions::is_number(option.id)) return CUDA_ERROR_INVALID_VALUE;
    ids.push_back(static_cast<CUjit_option>(option.id));
    values.push_back(reinterpret_cast<void*>(static_cast<uintptr_t>(option.value)));
  }
  const std::string name(request.name);
  std::vector<std::byte> image(bulk.begin(), bulk.end());  // the driver's parameter is not const
  const CUresult added = worker.driver().cuLinkAddData_v2(
      *state, static_cast<CUjitInputType>(request.type), image.data(), image.size(), name.c_str(),
      static_cast<unsigned>(ids.size()), ids.data(), values.data());
  take_logs(worker, *state, reply);
  return added;
}

CUresult handle(Worker& worker, const wire::LinkCompleteRequest& request, wire::LinkCompleteReply& reply,
                BulkBuffer& bulk) {
  const auto state = worker.native_as<CUlinkState>(HandleKind::kLinkState, request.link);
  if (!state) return CUDA_ERROR_INVALID_HANDLE;
  void* image = nullptr;
  size_t size_bytes = 0;
  const CUresult completed = worker.driver().cuLinkComplete(*state, &image, &size_bytes);
  take_logs(worker, *state, reply);
  if (completed != CUDA_SUCCESS) return completed;
  if (size_bytes > limits::kBulkBytes) return CUDA_ERROR_NOT_SUPPORTED;
  bulk = worker.session().bulk_pool.take(size_bytes);
  std::memcpy(bulk.bytes().data(), image, size_bytes);
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::LinkDestroyRequest& request, wire::LinkDestroyReply&) {
  const auto state = worker.native_as<CUlinkState>(HandleKind::kLinkState, request.link);
  if (!state) return CUDA_ERROR_INVALID_HANDLE;
  const CUresult destroyed = worker.driver().cuLinkDestroy(*state);
  if (destroyed == CUDA_SUCCESS) {
    worker.forget_object(HandleKind::kLinkState, request.link);
    worker.session().links.remove(reinterpret_cast<uintptr_t>(*state));
  }
  return destroyed;
}

}  // namespace outboard::server
