// Texture objects of every resource: arrays with filters, layers, volumes, cubes, mipmaps, linear
// memory. What fetches give is computed on the host from the formulas of the programming guide.
#include <cmath>

#include "program.h"

constexpr int kWidth = 16, kHeight = 8, kDepth = 4;
constexpr int kLookups = 512;

struct Texture {
  cudaTextureObject_t object = 0;
  Texture(const cudaResourceDesc& resource, const cudaTextureDesc& description) {
    MUST(cudaCreateTextureObject(&object, &resource, &description, nullptr));
  }
  ~Texture() { MUST(cudaDestroyTextureObject(object)); }
  Texture(const Texture&) = delete;
};

cudaResourceDesc of_array(cudaArray_t array) {
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  return resource;
}

cudaTextureDesc rules(cudaTextureAddressMode mode, cudaTextureFilterMode filter, bool normalized,
                      cudaTextureReadMode reading = cudaReadModeElementType) {
  cudaTextureDesc description{};
  for (cudaTextureAddressMode& axis : description.addressMode) axis = mode;
  description.filterMode = filter;
  description.normalizedCoords = normalized;
  description.readMode = reading;
  return description;
}

float value(int x, int y, int z) { return static_cast<float>(x + 16 * y + 128 * z); }

// Weight of the second of two texels, in 256ths.
struct Pair {
  int first;
  float weight;
};
Pair split(float position) {
  const float steps = std::floor((position - 0.5f) * 256 + 0.5f);
  return {static_cast<int>(std::floor(steps / 256)), steps / 256 - std::floor(steps / 256)};
}
int wrap(int i, int n) { return ((i % n) + n) % n; }
int clamp(int i, int n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

__global__ void look_2d(cudaTextureObject_t texture, const float2* at, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex2D<float>(texture, at[i].x, at[i].y);
}
__global__ void look_2d_bytes(cudaTextureObject_t texture, const float2* at, float4* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex2D<float4>(texture, at[i].x, at[i].y);
}
__global__ void look_3d(cudaTextureObject_t texture, const float2* at, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex3D<float>(texture, at[i].x, at[i].y, (i % 32) * 0.125f);
}
__global__ void look_layers(cudaTextureObject_t texture, const float2* at, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex2DLayered<float>(texture, at[i].x, at[i].y, i % kDepth);
}
__global__ void look_cube(cudaTextureObject_t texture, const float2* at, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float s = at[i].x, t = at[i].y;
  // One direction per face.
  const float3 to[6] = {{1, -t, -s}, {-1, -t, s}, {s, 1, t}, {s, -1, -t}, {s, -t, 1}, {-s, -t, -1}};
  out[i] = texCubemap<float>(texture, to[i % 6].x, to[i % 6].y, to[i % 6].z);
}
__global__ void look_levels(cudaTextureObject_t texture, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = i % 2 ? tex2DLod<float>(texture, 0.5f, 0.5f, i / 64.0f)
                 : tex2DGrad<float>(texture, 0.5f, 0.5f, make_float2(ldexpf(1.0f / kWidth, i % 3), 0),
                                    make_float2(0, 0));
}
__global__ void gather(cudaTextureObject_t texture, const float2* at, float4* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex2Dgather<float4>(texture, at[i].x, at[i].y, 0);
}
__global__ void look_linear(cudaTextureObject_t texture, int2* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = tex1Dfetch<int2>(texture, i);
}

std::vector<float2> places(float scale_x, float scale_y) {
  Random random(7);
  std::vector<float2> list(kLookups);
  // Multiples of 1/64 beyond the image on all sides: their products with its size are exact.
  for (float2& at : list) {
    at.x = (static_cast<int>(random.below(192)) - 64) / 64.0f * scale_x;
    at.y = (static_cast<int>(random.below(192)) - 64) / 64.0f * scale_y;
  }
  return list;
}

template <typename T, typename... Arguments>
std::vector<T> run(void (*kernel)(cudaTextureObject_t, Arguments...), const Texture& texture,
                   const std::vector<float2>* at) {
  DeviceArray<T> out(kLookups);
  if constexpr (sizeof...(Arguments) == 2) {
    DeviceArray<float2> device(*at);
    kernel<<<kLookups / 64, 64>>>(texture.object, device.data(), out.data());
  } else {
    kernel<<<kLookups / 64, 64>>>(texture.object, out.data());
  }
  MUST(cudaGetLastError());
  return out.get();
}

cudaArray_t float_image(int width, int height) {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaArray_t array = nullptr;
  MUST(cudaMallocArray(&array, &format, width, height, cudaArrayTextureGather));
  std::vector<float> values;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) values.push_back(value(x, y, 0));
  }
  MUST(cudaMemcpy2DToArray(array, 0, 0, values.data(), width * sizeof(float), width * sizeof(float), height,
                           cudaMemcpyHostToDevice));
  return array;
}

void check_two_dimensions() {
  cudaArray_t array = float_image(kWidth, kHeight);
  const Texture clamped(of_array(array), rules(cudaAddressModeClamp, cudaFilterModeLinear, false));
  const Texture wrapped(of_array(array), rules(cudaAddressModeWrap, cudaFilterModeLinear, true));
  const Texture points(of_array(array), rules(cudaAddressModeBorder, cudaFilterModePoint, true));
  const std::vector<float2> texels = places(kWidth, kHeight), fractions = places(1, 1);
  const std::vector<float> a = run<float>(look_2d, clamped, &texels),
                           b = run<float>(look_2d, wrapped, &fractions),
                           c = run<float>(look_2d, points, &fractions);
  const std::vector<float4> four = run<float4>(gather, clamped, &texels);
  const auto blend = [](float2 at, int (*place)(int, int)) {
    const Pair x = split(at.x), y = split(at.y);
    double sum = 0;
    for (int corner = 0; corner < 4; ++corner) {
      const int i = corner & 1, j = corner >> 1;
      sum += double(i ? x.weight : 1 - x.weight) * (j ? y.weight : 1 - y.weight) *
             value(place(x.first + i, kWidth), place(y.first + j, kHeight), 0);
    }
    return static_cast<float>(sum);
  };
  for (int i = 0; i < kLookups; ++i) {
    EXPECT(a[i] == blend(texels[i], clamp));
    EXPECT(b[i] == blend({fractions[i].x * kWidth, fractions[i].y * kHeight}, wrap));
    const int x = std::floor(fractions[i].x * kWidth), y = std::floor(fractions[i].y * kHeight);
    const bool inside = x >= 0 && x < kWidth && y >= 0 && y < kHeight;
    EXPECT(c[i] == (inside ? value(x, y, 0) : 0));
    const int left = split(texels[i].x).first, top = split(texels[i].y).first;
    EXPECT(four[i].x == value(clamp(left, kWidth), clamp(top + 1, kHeight), 0));
    EXPECT(four[i].z == value(clamp(left + 1, kWidth), clamp(top, kHeight), 0));
  }
  cudaResourceDesc resource{};
  cudaTextureDesc description{};
  MUST(cudaGetTextureObjectResourceDesc(&resource, wrapped.object));
  MUST(cudaGetTextureObjectTextureDesc(&description, wrapped.object));
  EXPECT(resource.res.array.array == array);
  EXPECT(description.addressMode[1] == cudaAddressModeWrap && description.normalizedCoords == 1);
  MUST(cudaFreeArray(array));
  std::printf("2D done, sums %.3f %.3f %.3f\n", a[3], b[5], c[7]);
}

// Bytes that are read as fractions, in memory with a pitch; and words in a row.
void check_linear_memory() {
  std::vector<uchar4> pixels;
  for (int i = 0; i < kWidth * kHeight; ++i) {
    const auto byte = [&](int channel) { return static_cast<unsigned char>(i * 5 + channel * 50); };
    pixels.push_back(make_uchar4(byte(0), byte(1), byte(2), byte(3)));
  }
  void* memory = nullptr;
  size_t pitch = 0;
  MUST(cudaMallocPitch(&memory, &pitch, kWidth * sizeof(uchar4), kHeight));
  MUST(cudaMemcpy2D(memory, pitch, pixels.data(), kWidth * sizeof(uchar4), kWidth * sizeof(uchar4), kHeight,
                    cudaMemcpyHostToDevice));
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypePitch2D;
  resource.res.pitch2D = {memory, cudaCreateChannelDesc<uchar4>(), kWidth, kHeight, pitch};
  const std::vector<float2> texels = places(kWidth, kHeight);
  {
    const Texture texture(
        resource, rules(cudaAddressModeClamp, cudaFilterModePoint, false, cudaReadModeNormalizedFloat));
    const std::vector<float4> got = run<float4>(look_2d_bytes, texture, &texels);
    for (int i = 0; i < kLookups; ++i) {
      const uchar4 want =
          pixels[clamp(std::floor(texels[i].y), kHeight) * kWidth + clamp(std::floor(texels[i].x), kWidth)];
      EXPECT(got[i].x == want.x / 255.0f && got[i].y == want.y / 255.0f && got[i].w == want.w / 255.0f);
    }
  }
  MUST(cudaFree(memory));
  std::vector<int2> words;
  for (int i = 0; i < 300; ++i) words.push_back(make_int2(i * 3, -i));
  DeviceArray<int2> row(words);
  resource = {};
  resource.resType = cudaResourceTypeLinear;
  resource.res.linear = {row.data(), cudaCreateChannelDesc<int2>(), row.bytes()};
  const Texture texture(resource, cudaTextureDesc{});
  const std::vector<int2> got = run<int2>(look_linear, texture, nullptr);
  for (int i = 0; i < kLookups; ++i) {
    EXPECT(got[i].x == (i < 300 ? i * 3 : 0));
    EXPECT(got[i].y == (i < 300 ? -i : 0));
  }
  std::printf("linear memory done\n");
}

cudaArray_t make_3d(int width, int height, int depth, unsigned flags) {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaArray_t array = nullptr;
  MUST(cudaMalloc3DArray(&array, &format, make_cudaExtent(width, height, depth), flags));
  std::vector<float> values;
  for (int i = 0; i < width * height * depth; ++i)
    values.push_back(value(i % width, i / width % height, i / (width * height)));
  cudaMemcpy3DParms copy{};
  copy.srcPtr = make_cudaPitchedPtr(values.data(), width * sizeof(float), width, height);
  copy.dstArray = array;
  copy.extent = make_cudaExtent(width, height, depth);
  copy.kind = cudaMemcpyHostToDevice;
  MUST(cudaMemcpy3D(&copy));
  return array;
}

void check_depth() {
  const std::vector<float2> texels = places(kWidth, kHeight);
  cudaArray_t volume = make_3d(kWidth, kHeight, kDepth, 0);
  cudaArray_t layers = make_3d(kWidth, kHeight, kDepth, cudaArrayLayered);
  {
    const Texture texture(of_array(volume), rules(cudaAddressModeClamp, cudaFilterModeLinear, false));
    const std::vector<float> got = run<float>(look_3d, texture, &texels);
    for (int i = 0; i < kLookups; ++i) {
      const Pair p[3] = {split(texels[i].x), split(texels[i].y), split((i % 32) * 0.125f)};
      double sum = 0;
      for (int corner = 0; corner < 8; ++corner) {
        const int at[3] = {corner & 1, corner >> 1 & 1, corner >> 2};
        double weight = 1;
        for (int k = 0; k < 3; ++k) weight *= at[k] ? p[k].weight : 1 - p[k].weight;
        sum += weight * value(clamp(p[0].first + at[0], kWidth), clamp(p[1].first + at[1], kHeight),
                              clamp(p[2].first + at[2], kDepth));
      }
      EXPECT(got[i] == static_cast<float>(sum));
    }
    const Texture by_layer(of_array(layers), rules(cudaAddressModeClamp, cudaFilterModePoint, false));
    const std::vector<float> flat = run<float>(look_layers, by_layer, &texels);
    for (int i = 0; i < kLookups; ++i)
      EXPECT(flat[i] == value(clamp(std::floor(texels[i].x), kWidth), clamp(std::floor(texels[i].y), kHeight),
                              i % kDepth));
  }
  MUST(cudaFreeArray(volume));
  MUST(cudaFreeArray(layers));
  std::printf("volume and layers done\n");
}

void check_cube() {
  constexpr int kSize = 8;
  cudaArray_t cube = make_3d(kSize, kSize, 6, cudaArrayCubemap);
  std::vector<float2> centres;
  for (int i = 0; i < kLookups; ++i)
    centres.push_back(
        make_float2((i / 6 % kSize + 0.5f) * 2 / kSize - 1, (i / 48 % kSize + 0.5f) * 2 / kSize - 1));
  {
    const Texture texture(of_array(cube), rules(cudaAddressModeWrap, cudaFilterModePoint, true));
    const std::vector<float> got = run<float>(look_cube, texture, &centres);
    for (int i = 0; i < kLookups; ++i) EXPECT(got[i] == value(i / 6 % kSize, i / 48 % kSize, i % 6));
  }
  MUST(cudaFreeArray(cube));
  std::printf("cube done\n");
}

void check_levels() {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaMipmappedArray_t mipmap = nullptr;
  MUST(cudaMallocMipmappedArray(&mipmap, &format, make_cudaExtent(kWidth, kWidth, 0), 4));
  for (int level = 0; level < 4; ++level) {
    cudaArray_t array = nullptr;
    MUST(cudaGetMipmappedArrayLevel(&array, mipmap, level));
    const int size = kWidth >> level;
    const std::vector<float> values(size * size, 100.0f * level);
    MUST(cudaMemcpy2DToArray(array, 0, 0, values.data(), size * sizeof(float), size * sizeof(float), size,
                             cudaMemcpyHostToDevice));
  }
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeMipmappedArray;
  resource.res.mipmap.mipmap = mipmap;
  cudaTextureDesc description = rules(cudaAddressModeClamp, cudaFilterModeLinear, true);
  description.mipmapFilterMode = cudaFilterModeLinear;
  description.maxMipmapLevelClamp = 2.5f;
  {
    const Texture texture(resource, description);
    const std::vector<float> got = run<float>(look_levels, texture, nullptr);
    for (int i = 0; i < kLookups; ++i) {
      const float level = std::fmin(i % 2 ? i / 64.0f : i % 3, 2.5f);
      EXPECT(got[i] == 100.0f * level);
    }
  }
  MUST(cudaFreeMipmappedArray(mipmap));
  std::printf("levels done\n");
}

void check_errors() {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<int>();
  cudaArray_t array = nullptr;
  MUST(cudaMallocArray(&array, &format, 8, 8));
  const cudaResourceDesc resource = of_array(array);
  const cudaTextureDesc linear = rules(cudaAddressModeClamp, cudaFilterModeLinear, false);
  cudaTextureObject_t object = 0;
  EXPECT(cudaCreateTextureObject(&object, &resource, &linear, nullptr) != cudaSuccess);
  cudaGetLastError();
  MUST(cudaFreeArray(array));
  std::printf("errors done\n");
}

int main() {
  check_two_dimensions();
  check_linear_memory();
  check_depth();
  check_cube();
  check_levels();
  check_errors();
  return verdict("textures");
}
