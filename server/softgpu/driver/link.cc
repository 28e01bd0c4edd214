// Linking PTX: texts are collected and compiled together when the program asks for the result. What
// it gets is an image that only this driver can load: PTX texts in a container of our own making.
#include <cstring>
#include <fstream>
#include <iterator>

#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/program.h"
#include "server/softgpu/image/linked.h"
#include "server/softgpu/ptx/parser.h"

using namespace outboard::softgpu;

namespace {

class LinkState : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kLinkState;

  LinkState(unsigned count, CUjit_option* options, void** values)
      : option_names_(options, options + count), options(count, option_names_.data(), values) {}

  std::vector<std::string> units;
  bool has_library = false;  // with more in it, perhaps, than the program uses
  std::vector<std::byte> result;

 private:
  std::vector<CUjit_option> option_names_;

 public:
  JitOptions options;  // its values are the caller's: logs and their sizes are written there
};

template <typename F>
CUresult with_link(CUlinkState handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto state = find<LinkState>(platform, handle);
    return state == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(platform, *state);
  });
}

// What no other text can mend is said at once, and the text left out.
CUresult check_syntax(const std::string& text, const LinkState& state) {
  ptx::Diagnostics findings(ptx::CompileOptions().max_errors);
  (void)ptx::Parser(text, findings).parse();
  if (!findings.failed()) return CUDA_SUCCESS;
  state.options.write_logs("", findings.errors());
  note("PTX that was given to the linker cannot be read: " + findings.first().message);
  return compile_error_code(findings.first().kind);
}

CUresult add(const Platform& platform, LinkState& state, CUjitInputType type,
             std::span<const std::byte> data) {
  if (type > CU_JIT_INPUT_LIBRARY) return CUDA_ERROR_NOT_SUPPORTED;  // LTO-IR
  const bool host = type == CU_JIT_INPUT_OBJECT || type == CU_JIT_INPUT_LIBRARY;
  auto image = host ? image::open_objects(data, platform.compute_capability())
                    : image::open_image(data, platform.compute_capability());
  if (!image) {
    state.options.write_logs("", image.error().message);
    note(image.error().message);
    return type == CU_JIT_INPUT_PTX ? CUDA_ERROR_INVALID_PTX : image_error_code(image.error().kind);
  }
  for (const std::string& unit : image->ptx_units) {
    if (const CUresult result = check_syntax(unit, state); result != CUDA_SUCCESS) return result;
  }
  state.has_library |= host;
  for (std::string& unit : image->ptx_units) state.units.push_back(std::move(unit));
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuLinkCreate_v2(unsigned int count, CUjit_option* options, void** values, CUlinkState* handle) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || (count != 0 && (options == nullptr || values == nullptr)))
      return CUDA_ERROR_INVALID_VALUE;
    auto state = std::make_shared<LinkState>(count, options, values);
    *handle = reinterpret_cast<CUlinkState>(context.platform().handles().add(std::move(state)));
    return CUDA_SUCCESS;
  });
}
CUresult cuLinkCreate(unsigned int count, CUjit_option* options, void** values, CUlinkState* handle) {
  return cuLinkCreate_v2(count, options, values, handle);
}

CUresult cuLinkAddData_v2(CUlinkState handle, CUjitInputType type, void* data, size_t bytes, const char*,
                          unsigned int, CUjit_option*, void**) {
  return with_link(handle, [&](const Platform& platform, LinkState& state) -> CUresult {
    if (data == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    return add(platform, state, type, {static_cast<const std::byte*>(data), bytes});
  });
}
CUresult cuLinkAddData(CUlinkState handle, CUjitInputType type, void* data, size_t bytes, const char* name,
                       unsigned int count, CUjit_option* options, void** values) {
  return cuLinkAddData_v2(handle, type, data, bytes, name, count, options, values);
}

CUresult cuLinkAddFile_v2(CUlinkState handle, CUjitInputType type, const char* path, unsigned int,
                          CUjit_option*, void**) {
  return with_link(handle, [&](const Platform& platform, LinkState& state) -> CUresult {
    if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::ifstream file(path, std::ios::binary);
    if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
    const std::vector<char> data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return add(platform, state, type, std::as_bytes(std::span(data)));
  });
}
CUresult cuLinkAddFile(CUlinkState handle, CUjitInputType type, const char* path, unsigned int count,
                       CUjit_option* options, void** values) {
  return cuLinkAddFile_v2(handle, type, path, count, options, values);
}

CUresult cuLinkComplete(CUlinkState handle, void** cubin, size_t* bytes) {
  return with_link(handle, [&](const Platform&, LinkState& state) -> CUresult {
    if (cubin == nullptr) return CUDA_ERROR_INVALID_VALUE;
    image::Image image;
    image.ptx_units = state.units;
    image.summary = "linked PTX";
    // Errors are found here, where the caller has its logs, not when the result is loaded.
    std::shared_ptr<const ptx::Program> program;
    if (const CUresult result = compile_image(image, !state.has_library, state.options, &program);
        result != CUDA_SUCCESS)
      return result;
    state.result = image::make_linked_image(state.units);
    *cubin = state.result.data();
    if (bytes != nullptr) *bytes = state.result.size();
    return CUDA_SUCCESS;
  });
}

CUresult cuLinkDestroy(CUlinkState handle) {
  return with_platform([&](Platform& platform) {
    const auto state = platform.handles().remove<LinkState>(reinterpret_cast<uint64_t>(handle));
    return state == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
  });
}

}  // extern "C"
