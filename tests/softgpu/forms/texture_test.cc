// tex, tld4, txq, suq and istypep, against the model in texture_model.h.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/softgpu/forms/form_runner.h"
#include "tests/softgpu/forms/texture_model.h"

namespace outboard::softgpu::exec {
namespace {

constexpr int kWidth = 8, kHeight = 4, kDepth = 4, kLayers = 3, kLevels = 3;
constexpr const char* kNames[] = {"1d", "2d", "3d", "a1d", "a2d", "cube", "acube"};

const float kInfinity = HUGE_VALF;
const std::vector<float> kPositions = {-1.5f, -0.5f,  0.0f,   0.25f,  0.5f,  1.0f,      3.75f,      7.5f,
                                       8.0f,  10.5f,  1e10f,  -1e10f, NAN,   kInfinity, -kInfinity, 1e-40f,
                                       -0.0f, 2.498f, 2.502f, 3.999f, 4.25f, 17.0f,     -9.25f};
// Multiples of 1/64: their products with sizes are exact.
const std::vector<float> kFractions = {
    -1.25f, -0.0625f,  0.0f,       0.03125f, 0.5f,      0.71875f, 1.0f,       1.3125f, 2.5f,   0.984375f,
    NAN,    kInfinity, -kInfinity, 1e-40f,   0.265625f, 1e20f,    -3.015625f, 0.25f,   0.125f, 1.984375f};

double value_at(int level, int x, int y, int z, int c) { return level * 200 + x + 8 * y + 32 * z + c * 1000; }

struct Texture {
  std::vector<ModelImage> levels;
  std::shared_ptr<TextureView> view;
  Sampler sampler;
};

Texture make_texture(Geometry g, bool is_float, const Sampler& sampler) {
  Texture texture;
  const uint32_t axes = coordinate_count(g);
  const bool volume = g == Geometry::k3d;
  texture.levels = model_levels(kLevels, kWidth, axes > 1 ? kHeight : 1,
                                volume          ? kDepth
                                : is_layered(g) ? kLayers
                                                : 1,
                                volume, value_at);
  texture.sampler = sampler;
  texture.view = make_view(texture.levels, is_float, sampler);
  texture.view->layered = is_layered(g);
  texture.view->is_volume = volume;
  return texture;
}

Row handles(size_t index = 0) {
  return row_of([&](uint32_t) { return view_handle(index); });
}

// Destination of a result type: registers, and how to read one lane's channel from them.
struct ResultType {
  std::string text;  // ".v4.f32"
  std::vector<const char*> outputs;
  uint64_t channel(const FormResult& result, uint32_t lane, uint32_t c) const {
    if (outputs.size() == 4) return result.outputs[c][lane] & (outputs[0][1] == '1' ? 0xffff : 0xffff'ffff);
    return result.outputs[c / 2][lane] >> (c % 2 * 16) & 0xffff;
  }
  bool halves() const { return text.find("f16") != std::string::npos; }
  bool floats() const { return text.find(".f") != std::string::npos; }
  uint64_t expected(double value) const {
    if (halves()) return bits_of(static_cast<_Float16>(static_cast<float>(value)));
    return floats() ? bits_of(static_cast<float>(value)) : static_cast<uint32_t>(value);
  }
};
const std::vector<ResultType> kResults = {{".v4.f32", {"b32", "b32", "b32", "b32"}},
                                          {".v4.u32", {"b32", "b32", "b32", "b32"}},
                                          {".v4.s32", {"b32", "b32", "b32", "b32"}},
                                          {".v4.f16", {"b16", "b16", "b16", "b16"}},
                                          {".v2.f16x2", {"b32", "b32"}}};

std::string outputs_text(const ResultType& type) {
  std::string text = "{";
  for (size_t i = 0; i < type.outputs.size(); ++i) text += (i ? ", %o" : "%o") + std::to_string(i);
  return text + "}";
}

// Adds an input and returns its name.
std::string add(FormCase& test, const char* type, const Row& row) {
  test.inputs.push_back({type, row});
  return "%i" + std::to_string(test.inputs.size() - 1);
}

// "{a, b}", with a fourth element behind three.
std::string vector(const std::vector<std::string>& names) {
  std::string text = "{";
  for (const std::string& name : names) text += (text.size() > 1 ? ", " : "") + name;
  return text + (names.size() == 3 ? ", " + names[0] + "}" : "}");
}

struct Sweep {
  Geometry geometry;
  bool integers;
  std::string level;  // "", "base.", "level.", "grad."
  ResultType result;
  bool offsets = false;
};

// 32 requests of the form, and what the model says about each.
void run_sweep(const Sweep& sweep, const Sampler& sampler) {
  const Texture texture = make_texture(sweep.geometry, sweep.result.floats(), sampler);
  const uint32_t axes = coordinate_count(sweep.geometry);
  const char* ctype = sweep.integers ? ".s32" : ".f32";
  FormCase test;
  test.views = {texture.view};
  test.outputs = sweep.result.outputs;
  std::vector<ModelRequest> requests(32);
  const std::string handle = add(test, "b64", handles());
  std::vector<std::string> place;
  if (is_layered(sweep.geometry)) {
    for (uint32_t lane = 0; lane < 32; ++lane) requests[lane].layer = lane % 7 == 6 ? 0xffff'fff0u : lane % 4;
    place.push_back(add(test, "b32", row_of([&](uint32_t lane) { return requests[lane].layer; })));
  }
  const std::vector<float>& values = sampler.normalized ? kFractions : kPositions;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    requests[lane].geometry = sweep.geometry;
    requests[lane].integers = sweep.integers;
    for (uint32_t i = 0; i < axes; ++i) {
      requests[lane].at[i] = values[(lane * (2 * i + 1) + 5 * i) % values.size()];
      requests[lane].texel[i] = static_cast<int>(lane * (i + 1) % 13) - 2;
    }
  }
  for (uint32_t i = 0; i < axes; ++i) {
    place.push_back(add(test, "b32", row_of([&](uint32_t lane) {
                          return sweep.integers ? static_cast<uint32_t>(requests[lane].texel[i])
                                                : static_cast<uint32_t>(bits_of(requests[lane].at[i]));
                        })));
  }
  std::string rest;
  if (sweep.level == "level.") {
    const float levels[] = {0, 1, 2, 0.5f, 1.25f, -3, 9, 1.75f, 0.75f};
    rest = ", " + add(test, "b32", row_of([&](uint32_t lane) {
                        const float level = levels[lane % 9];
                        requests[lane].level =
                            sweep.integers ? static_cast<int>(level) : level + sampler.level_bias;
                        return sweep.integers ? static_cast<uint32_t>(static_cast<int>(level))
                                              : static_cast<uint32_t>(bits_of(level));
                      }));
  } else if (sweep.level == "grad.") {
    // One step along x in one of the gradients is 2 to the power n texels long, the others are shorter.
    std::vector<std::string> gradients[2];
    const float scale = sampler.normalized ? 1.0f / kWidth : 1.0f;
    for (int which = 0; which < 2; ++which) {
      for (uint32_t i = 0; i < axes; ++i) {
        gradients[which].push_back(add(test, "b32", row_of([&](uint32_t lane) {
                                         const float power = std::ldexp(1.0f, static_cast<int>(lane % 5) - 1);
                                         if (i == 0 && which == static_cast<int>(lane % 2))
                                           return power * scale;
                                         return i == 0 && which == 0 ? -power * scale / 4 : 0.0f;
                                       })));
      }
    }
    for (uint32_t lane = 0; lane < 32; ++lane) {
      requests[lane].level = static_cast<int>(lane % 5) - 1 + static_cast<double>(sampler.level_bias);
      // Fetches by integers read a level as it is.
      if (sweep.integers)
        requests[lane].level =
            std::fmin(std::fmax(requests[lane].level, sampler.min_level), sampler.max_level);
    }
    rest = ", " + vector(gradients[0]) + ", " + vector(gradients[1]);
  }
  if (sweep.offsets) {
    std::vector<std::string> names;
    for (uint32_t i = 0; i < axes; ++i) {
      for (uint32_t lane = 0; lane < 32; ++lane)
        requests[lane].offset[i] = static_cast<int>((lane + i) % 16) - 8;
      names.push_back(add(test, "b32", row_of([&](uint32_t lane) { return requests[lane].offset[i]; })));
    }
    rest += ", " + (axes == 1 ? names[0] : vector(names));
  }
  const std::string opcode =
      "tex." + sweep.level + kNames[static_cast<size_t>(sweep.geometry)] + sweep.result.text + ctype;
  test.code =
      opcode + " " + outputs_text(sweep.result) + ", [" + handle + ", " + vector(place) + "]" + rest + ";";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << "\n" << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const Colour want = model_sample(texture.levels, sampler, requests[lane]);
      for (uint32_t c = 0; c < 4; ++c) {
        ASSERT_EQ(sweep.result.channel(result, lane, c), sweep.result.expected(want[c]))
            << opcode << " lane " << lane << " channel " << c << " at " << requests[lane].at[0] << ","
            << requests[lane].at[1] << "," << requests[lane].at[2] << " level " << requests[lane].level
            << " wanted " << want[c] << " got " << value_of<float>(sweep.result.channel(result, lane, c))
            << " normalized " << sampler.normalized << " mode " << static_cast<int>(sampler.address[0]);
      }
    }
  }
}

Sampler make_sampler(AddressMode mode, Filter filter, bool normalized) {
  Sampler sampler;
  sampler.address[0] = sampler.address[1] = sampler.address[2] = mode;
  sampler.filter = filter;
  sampler.level_filter = filter;
  sampler.normalized = normalized;
  sampler.max_level = 10;
  for (int i = 0; i < 4; ++i) sampler.border[i] = static_cast<float>(5000 + i);
  return sampler;
}

constexpr Geometry kPlain[] = {Geometry::k1d, Geometry::k2d, Geometry::k3d, Geometry::kLayered1d,
                               Geometry::kLayered2d};

TEST(TextureForms, FiltersAndAddressModes) {
  for (Geometry geometry : kPlain) {
    for (bool normalized : {false, true}) {
      for (Filter filter : {Filter::kPoint, Filter::kLinear}) {
        for (AddressMode mode :
             {AddressMode::kWrap, AddressMode::kClamp, AddressMode::kMirror, AddressMode::kBorder}) {
          for (bool offsets : {false, true})
            run_sweep({geometry, false, "", kResults[0], offsets}, make_sampler(mode, filter, normalized));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(TextureForms, EveryResultLevelAndCoordinateType) {
  for (Geometry geometry : kPlain) {
    for (const ResultType& result : kResults) {
      for (bool integers : {false, true}) {
        for (std::string level : {"", "base.", "level.", "grad."}) {
          const Filter filter = result.floats() ? Filter::kLinear : Filter::kPoint;
          Sampler sampler = make_sampler(AddressMode::kClamp, filter, false);
          run_sweep({geometry, integers, level, result, false}, sampler);
          if (!result.floats())
            for (float& channel : sampler.border) channel = 0;
          for (AddressMode& mode : sampler.address) mode = AddressMode::kBorder;
          sampler.normalized = true;
          run_sweep({geometry, integers, level, result, true}, sampler);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(TextureForms, LevelsHaveBiasLimitsAndFilters) {
  for (std::string level : {"base.", "level.", "grad."}) {
    for (Filter between : {Filter::kPoint, Filter::kLinear}) {
      Sampler sampler = make_sampler(AddressMode::kWrap, Filter::kLinear, true);
      sampler.level_filter = between;
      sampler.level_bias = 0.375f;
      sampler.min_level = 0.25f;
      sampler.max_level = 1.5f;
      run_sweep({Geometry::k2d, false, level, kResults[0], false}, sampler);
      run_sweep({Geometry::k3d, false, level, kResults[0], false}, sampler);
    }
  }
}

TEST(TextureForms, Gather) {
  for (Geometry geometry : {Geometry::k2d, Geometry::kLayered2d}) {
    for (AddressMode mode :
         {AddressMode::kWrap, AddressMode::kClamp, AddressMode::kMirror, AddressMode::kBorder}) {
      for (uint32_t channel = 0; channel < 4; ++channel) {
        for (const ResultType& type : {kResults[0], kResults[1], kResults[2]}) {
          for (bool offsets : {false, true}) {
            Sampler sampler = make_sampler(mode, Filter::kPoint, true);
            if (!type.floats())
              for (float& part : sampler.border) part = 0;
            const Texture texture = make_texture(geometry, type.floats(), sampler);
            std::vector<ModelRequest> requests(32);
            for (uint32_t lane = 0; lane < 32; ++lane) {
              requests[lane].geometry = geometry;
              requests[lane].layer = lane % 4;
              requests[lane].at = {kFractions[lane % kFractions.size()],
                                   kFractions[lane * 3 % kFractions.size()], 0};
              if (offsets)
                requests[lane].offset = {static_cast<int>(lane % 5) - 2, static_cast<int>(lane % 3) - 1, 0};
            }
            FormCase test;
            test.views = {texture.view};
            test.outputs = {"b32", "b32", "b32", "b32", "pred"};
            const std::string handle = add(test, "b64", handles());
            std::vector<std::string> place, shift;
            if (is_layered(geometry))
              place.push_back(add(test, "b32", row_of([&](uint32_t lane) { return requests[lane].layer; })));
            for (int i = 0; i < 2; ++i) {
              place.push_back(add(test, "b32", row_of([&](uint32_t lane) { return requests[lane].at[i]; })));
              shift.push_back(
                  add(test, "b32", row_of([&](uint32_t lane) { return requests[lane].offset[i]; })));
            }
            const char channels[] = {'r', 'g', 'b', 'a'};
            test.code = std::string("tld4.") + channels[channel] + "." +
                        kNames[static_cast<size_t>(geometry)] + type.text +
                        ".f32 {%o0, %o1, %o2, %o3}|%o4, [" + handle + ", " + vector(place) + "]" +
                        (offsets ? ", " + vector(shift) : "") + ";";
            for (Isa isa : available_isas()) {
              const FormResult result = run_form(test, isa);
              ASSERT_EQ(result.code, 0) << test.code << "\n" << result.message;
              for (uint32_t lane = 0; lane < 32; ++lane) {
                const auto want = model_gather(texture.levels[0], sampler, requests[lane]);
                for (uint32_t i = 0; i < 4; ++i)
                  ASSERT_EQ(result.outputs[i][lane] & 0xffff'ffff, type.expected(want[i][channel]))
                      << test.code << " lane " << lane << " part " << i;
                ASSERT_EQ(result.outputs[4][lane], 1u);  // resident
              }
            }
          }
        }
      }
    }
  }
}

// A vector of three takes a fourth element, and a scalar is a vector of one.
TEST(TextureForms, CoordinatesInVectorRegistersAndScalars) {
  const Texture texture =
      make_texture(Geometry::k2d, true, make_sampler(AddressMode::kClamp, Filter::kPoint, false));
  FormCase test;
  test.views = {texture.view};
  test.inputs = {{"b64", handles()}};
  test.outputs = {"b32", "b32", "b32"};
  test.declarations = ".reg .v2 .f32 %place; .reg .v4 .f32 %texel; .reg .f32 %c<4>; .reg .pred %there;";
  test.code =
      "mov.f32 %place.x, 0f40400000; mov.f32 %place.y, 0f40000000;\n"
      "tex.2d.v4.f32.f32 {%c0, %c1, %c2, %c3}, [%i0, %place];\nmov.b32 %o0, %c0;\n"
      "tex.1d.v4.f32.f32 %texel, [%i0, %place.x];\nmov.b32 %o1, %texel.y;\n"
      "tex.2d.v4.f32.f32 {%c0, _, %c2, _}|%there, [%i0, {%place.x, %place.y}];\nmov.b32 %o2, %c2;\n";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(value_of<float>(result.outputs[0][lane]), value_at(0, 3, 2, 0, 0));
      EXPECT_EQ(value_of<float>(result.outputs[1][lane]), value_at(0, 3, 0, 0, 1));
      EXPECT_EQ(value_of<float>(result.outputs[2][lane]), value_at(0, 3, 2, 0, 2));
    }
  }
}

// Lanes may name different textures.
TEST(TextureForms, HandlesDifferBetweenLanes) {
  const Sampler sampler = make_sampler(AddressMode::kClamp, Filter::kPoint, false);
  FormCase test;
  for (int i = 0; i < 7; ++i) {
    test.views.push_back(
        make_view(model_levels(1, 4, 1, 1, false, [i](int, int x, int, int, int) { return 100 * i + x; }),
                  true, sampler));
  }
  test.inputs = {{"b64", row_of([](uint32_t lane) { return view_handle(lane % 7); })},
                 {"b32", row_of([](uint32_t lane) { return lane % 4; })}};
  test.outputs = {"b32"};
  test.code = "tex.1d.v4.f32.s32 {%o0, %s0, %s1, %s2}, [%i0, {%i1}];";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane)
      EXPECT_EQ(value_of<float>(result.outputs[0][lane]), 100 * (lane % 7) + lane % 4);
  }
}

}  // namespace
}  // namespace outboard::softgpu::exec
