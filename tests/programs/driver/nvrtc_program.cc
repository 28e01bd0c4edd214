// Compiles a kernel at run time with NVRTC and runs it through the driver API, as frameworks do.
#include "driver.h"

namespace {

// NVRTC's C interface, as far as it is used here; the names and values are its documented ones.
struct Nvrtc {
  using Program = struct NvrtcProgram*;
  int (*create)(Program*, const char* source, const char* name, int headers, const char* const*,
                const char* const*);
  int (*compile)(Program, int options, const char* const*);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  int (*ptx_size)(Program, size_t*);
  int (*ptx)(Program, char*);
  int (*add_name)(Program, const char*);
  int (*lowered_name)(Program, const char*, const char**);
  int (*destroy)(Program*);
};

template <typename Function>
void resolve(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    std::printf("NVRTC has no %s\nFAIL\n", name);
    std::exit(1);
  }
}

Nvrtc load(const char* path) {
  void* const library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    std::printf("%s\nFAIL\n", dlerror());
    std::exit(1);
  }
  Nvrtc nvrtc{};
  resolve(library, "nvrtcCreateProgram", nvrtc.create);
  resolve(library, "nvrtcCompileProgram", nvrtc.compile);
  resolve(library, "nvrtcGetProgramLogSize", nvrtc.log_size);
  resolve(library, "nvrtcGetProgramLog", nvrtc.log);
  resolve(library, "nvrtcGetPTXSize", nvrtc.ptx_size);
  resolve(library, "nvrtcGetPTX", nvrtc.ptx);
  resolve(library, "nvrtcAddNameExpression", nvrtc.add_name);
  resolve(library, "nvrtcGetLoweredName", nvrtc.lowered_name);
  resolve(library, "nvrtcDestroyProgram", nvrtc.destroy);
  return nvrtc;
}

constexpr char kSource[] = R"(
template <typename T, int kFactor>
__global__ void saxpy(T a, const T* x, T* y, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = a * x[i] + y[i] * kFactor;
}
)";

}  // namespace

int main(int argc, char** argv) {
  const Nvrtc nvrtc = load(argc > 1 ? argv[1] : OUTBOARD_TEST_NVRTC);
  Nvrtc::Program program = nullptr;
  EXPECT(nvrtc.create(&program, kSource, "saxpy.cu", 0, nullptr, nullptr) == 0);
  EXPECT(nvrtc.add_name(program, "saxpy<float, 3>") == 0);
  const char* const options[] = {"--gpu-architecture=compute_75", "--std=c++17"};
  if (nvrtc.compile(program, 2, options) != 0) {
    size_t bytes = 0;
    nvrtc.log_size(program, &bytes);
    std::string log(bytes, '\0');
    nvrtc.log(program, log.data());
    std::printf("%s\nFAIL\n", log.c_str());
    return 1;
  }
  const char* name = nullptr;
  EXPECT(nvrtc.lowered_name(program, "saxpy<float, 3>", &name) == 0);
  size_t bytes = 0;
  EXPECT(nvrtc.ptx_size(program, &bytes) == 0);
  std::string ptx(bytes, '\0');
  EXPECT(nvrtc.ptx(program, ptx.data()) == 0);

  open_device();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  const CUfunction saxpy = function_of(module, name);
  int count = 3000;
  float a = 2.5f;
  std::vector<float> x(count), y(count, 4.0f);
  for (int i = 0; i < count; ++i) x[i] = static_cast<float>(i);
  CUdeviceptr device_x = upload(x), device_y = upload(y);
  launch(saxpy, 12, 256, {&a, &device_x, &device_y, &count});
  const std::vector<float> got = download<float>(device_y, count);
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += got[i] != a * x[i] + 12.0f;
  std::printf("saxpy: %d of %d wrong\n", wrong, count);
  EXPECT(wrong == 0);
  EXPECT(nvrtc.destroy(&program) == 0);
  return verdict("nvrtc_program");
}
