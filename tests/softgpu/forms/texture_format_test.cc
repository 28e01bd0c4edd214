// Texel formats, queries, references and samplers, and what is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/softgpu/forms/form_runner.h"
#include "tests/softgpu/forms/texture_model.h"

namespace outboard::softgpu::exec {
namespace {

struct Format {
  TexelType type;
  uint32_t bytes;  // of a channel
};
constexpr Format kFormats[] = {{TexelType::kUnsigned8, 1},  {TexelType::kUnsigned16, 2},
                               {TexelType::kUnsigned32, 4}, {TexelType::kSigned8, 1},
                               {TexelType::kSigned16, 2},   {TexelType::kSigned32, 4},
                               {TexelType::kHalf, 2},       {TexelType::kFloat, 4}};

// One row of texels from raw channels, in memory of its own.
std::shared_ptr<TextureView> make_row(const Format& format, uint32_t channels,
                                      const std::vector<uint32_t>& raw) {
  auto memory = std::make_shared<std::vector<uint8_t>>();
  for (uint32_t value : raw) {
    for (uint32_t i = 0; i < format.bytes; ++i) memory->push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  auto view = std::make_shared<TextureView>();
  view->type = format.type;
  view->channels = channels;
  view->texel_bytes = channels * format.bytes;
  const auto width = static_cast<uint32_t>(raw.size() / channels);
  view->levels.push_back(
      {reinterpret_cast<std::byte*>(memory->data()), width, 1, 1, memory->size(), memory->size()});
  view->owner = memory;
  return view;
}

const std::vector<uint32_t> kRaw = {0,          1,          0x7f,       0x80,   0x81,       0xff,
                                    0x7fff,     0x8000,     0x8001,     0xffff, 0x7fffffff, 0x80000000,
                                    0xffffffff, 0x3f800000, 0xc2f6e979, 0x3c00, 0x0001,     0xfbff,
                                    0x7c00,     0x00000001, 0x7f800000, 40,     10,         200};

// What a channel gives: as it is, or as a float.
uint32_t expected(const Format& format, uint32_t raw, bool gives_float, bool srgb) {
  const auto number = [](double value) { return static_cast<uint32_t>(bits_of(static_cast<float>(value))); };
  const auto s8 = static_cast<int8_t>(raw);
  const auto s16 = static_cast<int16_t>(raw);
  switch (format.type) {
    case TexelType::kUnsigned8: {
      raw &= 0xff;
      const double part = raw / 255.0;
      if (srgb) return number(part <= 0.04045 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4));
      return gives_float ? number(part) : raw;
    }
    case TexelType::kUnsigned16: return gives_float ? number((raw & 0xffff) / 65535.0) : raw & 0xffff;
    case TexelType::kSigned8:
      return gives_float ? number(std::fmax(s8 / 127.0, -1)) : static_cast<uint32_t>(int32_t{s8});
    case TexelType::kSigned16:
      return gives_float ? number(std::fmax(s16 / 32767.0, -1)) : static_cast<uint32_t>(int32_t{s16});
    case TexelType::kHalf: return number(static_cast<double>(value_of<_Float16>(raw & 0xffff)));
    default: return raw;
  }
}

FormResult fetch_row(const std::shared_ptr<TextureView>& view, const std::string& type, Isa isa) {
  FormCase test;
  test.views = {view};
  test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                 {"b32", row_of([](uint32_t lane) { return lane; })}};
  test.outputs = {"b32", "b32", "b32", "b32"};
  test.code = "tex.1d.v4." + type + ".s32 {%o0, %o1, %o2, %o3}, [%i0, {%i1}];";
  return run_form(test, isa);
}

TEST(TextureFormats, EveryTypeAndNumberOfChannels) {
  for (const Format& format : kFormats) {
    for (uint32_t channels : {1u, 2u, 4u}) {
      for (int reading = 0; reading < 3; ++reading) {
        const bool is_float = format.type == TexelType::kHalf || format.type == TexelType::kFloat;
        const bool gives_float = is_float || (reading > 0 && format.bytes < 4), srgb = reading == 2;
        auto view = make_row(format, channels, kRaw);
        view->gives_float = gives_float;
        view->srgb = srgb;
        for (Isa isa : available_isas()) {
          const FormResult result = fetch_row(view, gives_float ? "f32" : "u32", isa);
          ASSERT_EQ(result.code, 0) << result.message;
          for (uint32_t texel = 0; texel < view->levels[0].width; ++texel) {
            for (uint32_t c = 0; c < 4; ++c) {
              const auto got = static_cast<uint32_t>(result.outputs[c][texel]);
              uint32_t want = c < 3 ? 0 : gives_float ? 0x3f80'0000 : 1;
              const bool curved = srgb && c < 3 && format.type == TexelType::kUnsigned8;
              if (c < channels) want = expected(format, kRaw[texel * channels + c], gives_float, curved);
              if (curved && c < channels) {
                ASSERT_NEAR(value_of<float>(got), value_of<float>(want), 1e-6) << texel;
              } else {
                ASSERT_EQ(got, want) << "type " << static_cast<int>(format.type) << " channels " << channels
                                     << " texel " << texel << " channel " << c << " float " << gives_float;
              }
            }
          }
        }
      }
    }
  }
}

// Half results of integers keep the low bits; outside of linear memory there are zeros.
TEST(TextureFormats, HalvesOfIntegersAndLinearMemory) {
  auto view = make_row(kFormats[1], 1, {5, 60000, 7});
  view->linear = true;
  FormCase test;
  test.views = {view};
  test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                 {"b32", row_of([](uint32_t lane) { return static_cast<int>(lane) - 2; })}};
  test.outputs = {"b16", "b16", "b16", "b16"};
  test.code = "tex.1d.v4.f16.s32 {%o0, %o1, %o2, %o3}, [%i0, {%i1}];";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    const uint64_t want[] = {0, 0, 5, 60000, 7, 0};
    for (uint32_t lane = 0; lane < 6; ++lane) {
      EXPECT_EQ(result.outputs[0][lane] & 0xffff, want[lane]) << lane;
      EXPECT_EQ(result.outputs[3][lane] & 0xffff, want[lane] != 0 ? 1u : 0u) << lane;
    }
  }
}

struct Query {
  const char* name;
  uint32_t want;
};

void check_queries(const std::string& prefix, const std::vector<Query>& queries,
                   const std::shared_ptr<TextureView>& view, const char* rest = "") {
  for (const Query& query : queries) {
    FormCase test;
    test.views = {view};
    test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                   {"b32", row_of([](uint32_t) { return 1; })}};
    test.outputs = {"b32"};
    test.code = prefix + query.name + ".b32 %o0, [%i0]" + rest + ";";
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << test.code << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(result.outputs[0][lane], query.want) << test.code;
    }
  }
}

TEST(TextureQueries, Textures) {
  Sampler sampler;
  sampler.address[1] = AddressMode::kWrap;
  sampler.address[2] = AddressMode::kBorder;
  sampler.filter = Filter::kLinear;
  auto view =
      make_view(model_levels(3, 16, 8, 4, true, [](int, int, int, int, int) { return 0; }), true, sampler);
  view->is_volume = true;
  // Channel types and orders are OpenCL's numbers.
  check_queries("txq.",
                {{"width", 16},
                 {"height", 8},
                 {"depth", 4},
                 {"channel_data_type", 0x10de},
                 {"channel_order", 0x10b5},
                 {"normalized_coords", 0},
                 {"array_size", 1},
                 {"num_mipmap_levels", 3},
                 {"num_samples", 1},
                 {"force_unnormalized_coords", 1},
                 {"filter_mode", 1},
                 {"addr_mode_0", 3},
                 {"addr_mode_1", 0},
                 {"addr_mode_2", 4}},
                view);
  check_queries("txq.level.", {{"width", 8}, {"height", 4}, {"depth", 2}}, view, ", %i1");
  auto layered = make_row(kFormats[0], 2, {1, 2, 3, 4});
  layered->layered = true;
  layered->levels[0].depth = 12;
  layered->sampler.normalized = true;
  layered->sampler.address[0] = AddressMode::kMirror;
  check_queries("txq.",
                {{"array_size", 12},
                 {"depth", 1},
                 {"channel_data_type", 0x10da},
                 {"channel_order", 0x10b2},
                 {"normalized_coords", 1},
                 {"addr_mode_0", 1},
                 {"filter_mode", 0}},
                layered);
  layered->cube = true;
  layered->gives_float = true;
  check_queries("txq.", {{"array_size", 2}, {"channel_data_type", 0x10d2}}, layered);
}

TEST(TextureQueries, Surfaces) {
  auto view = make_row(kFormats[4], 1, {1, 2, 3, 4, 5});
  view->kind = ViewKind::kSurface;
  check_queries("suq.",
                {{"width", 5},
                 {"height", 1},
                 {"depth", 1},
                 {"array_size", 1},
                 {"channel_data_type", 0x10d8},
                 {"channel_order", 0x10b0},
                 {"memory_layout", 0}},
                view);
}

std::shared_ptr<TextureView> of_kind(ViewKind kind) {
  auto view = make_row(kFormats[7], 1, {0x3f80'0000, 0x4000'0000});
  view->kind = kind;
  view->gives_float = true;
  return view;
}

TEST(TextureQueries, KindsOfObjects) {
  const char* names[] = {"texref", "surfref", "samplerref"};  // in the order of ViewKind
  for (int asked = 0; asked < 3; ++asked) {
    FormCase test;
    for (ViewKind kind : {ViewKind::kTexture, ViewKind::kSurface, ViewKind::kSampler})
      test.views.push_back(of_kind(kind));
    // The last one names nothing.
    test.inputs = {{"b64", row_of([](uint32_t lane) { return view_handle(lane % 4); })}};
    test.outputs = {"pred"};
    test.code = std::string("istypep.") + names[asked] + " %o0, %i0;";
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane)
        EXPECT_EQ(result.outputs[0][lane], lane % 4 == static_cast<uint32_t>(asked) ? 1u : 0u)
            << test.code << lane;
    }
  }
}

// References by name and by address; a sampler replaces the texture's own rules.
TEST(TextureReferences, NamesAndSamplers) {
  auto texture = make_view(model_levels(1, 4, 1, 1, false, [](int, int x, int, int, int) { return x; }), true,
                           Sampler{});
  auto sampler = of_kind(ViewKind::kSampler);
  sampler->sampler.filter = Filter::kLinear;
  sampler->sampler.normalized = true;
  FormCase test;
  test.views = {texture, sampler};
  test.declarations =
      ".global .texref image0; .global .samplerref rules1 = { addr_mode_0 = wrap, filter_mode = linear, "
      "force_unnormalized_coords = 0, addr_mode_1 = clamp_ogl };";
  test.outputs = {"b32", "b32", "b32", "b32"};
  test.inputs = {{"b32", row_of([](uint32_t) { return 2.0f; })}};
  test.code =
      "mov.u64 %d0, image0; mov.u64 %d1, rules1;\n"
      "tex.1d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [image0, {%i0}];\n"
      "tex.1d.v4.f32.f32 {%o1, %s0, %s1, %s2}, [image0, rules1, {%i0}];\n"
      "tex.1d.v4.f32.f32 {%o2, %s0, %s1, %s2}, [%d0, %d1, {%i0}];\n"
      "txq.filter_mode.b32 %o3, [rules1];";
  for (Isa isa : available_isas()) {
    // The texture's coordinates are not normalised, so the sampler's are not either.
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    EXPECT_EQ(value_of<float>(result.outputs[0][0]), 2.0f);
    EXPECT_EQ(value_of<float>(result.outputs[1][0]), 1.5f);
    EXPECT_EQ(value_of<float>(result.outputs[2][0]), 1.5f);
    EXPECT_EQ(result.outputs[3][0], 1u);
  }
}

TEST(TextureErrors, AtRunTime) {
  struct Case {
    uint64_t handle;
    const char* code;
    const char* says;
    int result;
  };
  auto freed = of_kind(ViewKind::kTexture);
  freed->memory = {0x1000, 0x2000, true};
  for (const Case& c :
       {Case{99, "tex.1d.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}];", "handle of no texture", 719},
        Case{view_handle(0), "tex.1d.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}];", "no texture", 719},
        Case{view_handle(0), "txq.width.b32 %o0, [%i0];", "no texture", 719},
        Case{view_handle(1), "suq.width.b32 %o0, [%i0];", "no surface", 719},
        Case{view_handle(1), "tex.1d.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}];", "not all allocated",
             700}}) {
    FormCase test;
    test.views = {of_kind(ViewKind::kSurface), freed};
    test.inputs = {{"b64", row_of([&](uint32_t) { return c.handle; })},
                   {"b32", row_of([](uint32_t) { return 0; })}};
    test.outputs = {"b32"};
    test.code = c.code;
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      EXPECT_EQ(result.code, c.result) << c.code;
      EXPECT_NE(result.message.find(c.says), std::string::npos) << c.code << ": " << result.message;
    }
  }
}

TEST(TextureErrors, AtCompileTime) {
  const std::pair<const char*, const char*> cases[] = {
      {"tex.2dms.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1, %i1, %i1}];",
       "this form of 'tex' is not supported"},
      {"tex.cube.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1, %i1, %i1}];",
       "this form of 'tex' is not supported"},
      {"tex.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1}], 0f3f800000;", "depth"},
      {"tex.1d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}], 0f3f800000;", "depth"},
      {"tex.cube.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1, %i1, %i1}], %i1;", "depth"},
      {"tld4.r.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1}], %i1;", "depth"},
      {"tex.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}];", "vector of 2 coordinates"},
      {"tex.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i1, {%i1, %i1}];", "no 64-bit register"},
      {"tex.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0];", "takes [object"},
      {"tex.2d.v4.f32.f32 {%o0, %s0, %s1, %s2}, [mem, {%i1, %i1}, {%i1, %i1}, 1];", "takes [object"},
      {"ld.global.u32 %o0, [image0];", "it is no memory"}};
  for (const auto& [code, says] : cases) {
    FormCase test;
    test.inputs = {{"b64", Row{}}, {"b32", Row{}}};
    test.outputs = {"b32"};
    test.declarations = ".global .texref image0;";
    test.code = code;
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_EQ(result.code, 1) << code;
    EXPECT_NE(result.message.find(says), std::string::npos) << code << ": " << result.message;
  }
  FormCase array;
  array.declarations = ".global .texref images[4];";
  EXPECT_NE(run_form(array, Isa::kBest).message.find("a reference stands alone"), std::string::npos);
  array.declarations = ".global .samplerref rules = { filter_mode = cubic };";
  EXPECT_NE(run_form(array, Isa::kBest).message.find("cannot have this value"), std::string::npos);
}

}  // namespace
}  // namespace outboard::softgpu::exec
