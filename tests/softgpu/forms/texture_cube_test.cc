// Cubemaps: which face a direction points at, and what lies behind its edges.
#include <gtest/gtest.h>

#include "tests/softgpu/forms/form_runner.h"
#include "tests/softgpu/forms/texture_model.h"

namespace outboard::softgpu::exec {
namespace {

constexpr int kSize = 4;
constexpr int kCubes = 2;  // of the layered one
constexpr int kLevels = 2;

double value_at(int level, int x, int y, int face, int c) {
  return level * 500 + x + kSize * y + 16 * face + 1000 * c;
}

struct Direction {
  float x, y, z;
};

// The direction that meets a face where s and t, from 0 to 1, say.
Direction direction(int face, float s, float t, float length) {
  const float u = (2 * s - 1) * length, v = (2 * t - 1) * length;
  switch (face) {
    case 0: return {length, -v, -u};
    case 1: return {-length, -v, u};
    case 2: return {u, length, v};
    case 3: return {u, -length, -v};
    case 4: return {u, -v, length};
    default: return {-u, -v, -length};
  }
}

Sampler make_sampler(Filter filter, bool seamless) {
  Sampler sampler;
  sampler.filter = sampler.level_filter = filter;
  sampler.max_level = 10;
  sampler.normalized = true;
  sampler.seamless_cube = seamless;
  return sampler;
}

std::shared_ptr<TextureView> make_cube(std::vector<ModelImage>& levels, bool layered, const Sampler& sampler,
                                       bool is_float) {
  levels = model_levels(kLevels, kSize, kSize, layered ? 6 * kCubes : 6, false, value_at);
  auto view = make_view(levels, is_float, sampler);
  view->cube = true;
  view->layered = layered;
  return view;
}

struct CubeForm {
  bool layered;
  std::string opcode;  // "tex.level."
  std::string result;  // ".v4.f32"
  Filter filter;
};

struct CubeLane {
  int face;
  float s, t, length;
  unsigned layer;
  float level;
};

CubeLane lane_of(uint32_t lane) {
  // Inside of the faces: multiples of 1/32 that keep a texel away from the edges.
  const auto inside = [](uint32_t n) { return static_cast<float>(4 + n % 25) / 32; };
  return {static_cast<int>(lane % 6),
          inside(lane * 7 + 1),
          inside(lane * 11 + 3),
          lane % 2 ? 2.0f : 0.5f,
          lane % 3,
          static_cast<float>(lane % 4) / 2};
}

// A face is a layer of a two-dimensional image.
Colour expected(const std::vector<ModelImage>& levels, const Sampler& sampler, const CubeLane& at,
                const CubeForm& form, ModelRequest request = {}) {
  request.geometry = Geometry::kLayered2d;
  request.at = {at.s, at.t, 0};
  request.layer = static_cast<unsigned>(at.face) + (form.layered ? 6 * std::min(at.layer, kCubes - 1u) : 0);
  if (form.opcode == "tex.level.") request.level = at.level;
  if (form.opcode == "tex.grad.") request.level = 1;
  return model_sample(levels, sampler, request);
}

void check(const CubeForm& form) {
  const bool halves = form.result.find("f16") != std::string::npos,
             is_float = form.result.find(".f") != std::string::npos;
  const Sampler sampler = make_sampler(form.filter, false);
  std::vector<ModelImage> levels;
  FormCase test;
  test.views = {make_cube(levels, form.layered, sampler, is_float)};
  const auto input = [&](auto f) {
    test.inputs.push_back({"b32", row_of(f)});
    return "%i" + std::to_string(test.inputs.size() - 1);
  };
  const auto towards = [](uint32_t lane) {
    const CubeLane at = lane_of(lane);
    return direction(at.face, at.s, at.t, at.length);
  };
  test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })}};
  const std::string layer = input([](uint32_t lane) { return lane_of(lane).layer; });
  const std::string x = input([&](uint32_t lane) { return towards(lane).x; });
  const std::string y = input([&](uint32_t lane) { return towards(lane).y; });
  const std::string z = input([&](uint32_t lane) { return towards(lane).z; });
  const std::string place = form.layered ? "{" + layer + ", " + x + ", " + y + ", " + z + "}"
                                         : "{" + x + ", " + y + ", " + z + ", " + z + "}";
  std::string rest;
  if (form.opcode == "tex.level.") rest = ", " + input([](uint32_t lane) { return lane_of(lane).level; });
  if (form.opcode == "tex.grad.") {
    // Along s by two texels of the finest level: the step of a direction that is `length` long.
    std::string steps[3];
    for (int i = 0; i < 3; ++i) {
      steps[i] = input([&](uint32_t lane) {
        const CubeLane at = lane_of(lane);
        const Direction from = direction(at.face, 0.25f, 0.5f, at.length),
                        to = direction(at.face, 0.75f, 0.5f, at.length);
        return i == 0 ? to.x - from.x : i == 1 ? to.y - from.y : to.z - from.z;
      });
    }
    const std::string zero = input([](uint32_t) { return 0.0f; });
    rest = ", {" + steps[0] + ", " + steps[1] + ", " + steps[2] + ", " + zero + "}, {" + zero + ", " + zero +
           ", " + zero + ", " + zero + "}";
  }
  const bool pairs = form.result == ".v2.f16x2";
  if (pairs)
    test.outputs = {"b32", "b32"};
  else
    test.outputs.assign(4, halves ? "b16" : "b32");
  test.code = form.opcode + (form.layered ? "acube" : "cube") + form.result + ".f32 " +
              (pairs ? "{%o0, %o1}" : "{%o0, %o1, %o2, %o3}") + ", [%i0, " + place + "]" + rest + ";";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << "\n" << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const Colour want = expected(levels, sampler, lane_of(lane), form);
      for (uint32_t c = 0; c < 4; ++c) {
        const uint64_t got =
            pairs ? result.outputs[c / 2][lane] >> (c % 2 * 16) & 0xffff : result.outputs[c][lane];
        const uint64_t bits = halves     ? bits_of(static_cast<_Float16>(static_cast<float>(want[c])))
                              : is_float ? bits_of(static_cast<float>(want[c]))
                                         : static_cast<uint32_t>(want[c]);
        ASSERT_EQ(got & (halves ? 0xffff : 0xffff'ffff), bits)
            << test.code << " lane " << lane << " channel " << c << " want " << want[c];
      }
    }
  }
}

TEST(TextureCubeForms, FacesAndLevels) {
  for (bool layered : {false, true}) {
    for (std::string opcode : {"tex.", "tex.base.", "tex.level.", "tex.grad."}) {
      for (std::string result : {".v4.f32", ".v4.u32", ".v4.s32", ".v4.f16", ".v2.f16x2"}) {
        const bool is_float = result.find(".f") != std::string::npos;
        check({layered, opcode, result, Filter::kPoint});
        if (is_float) check({layered, opcode, result, Filter::kLinear});
      }
    }
  }
}

TEST(TextureCubeForms, Gather) {
  for (bool layered : {false, true}) {
    for (uint32_t channel = 0; channel < 4; ++channel) {
      for (std::string type : {"f32", "u32", "s32"}) {
        std::vector<ModelImage> levels;
        const Sampler sampler = make_sampler(Filter::kLinear, false);
        FormCase test;
        test.views = {make_cube(levels, layered, sampler, type == "f32")};
        const auto part = [](uint32_t lane, int i) {
          const CubeLane at = lane_of(lane);
          const Direction to = direction(at.face, at.s, at.t, at.length);
          return i == 0 ? to.x : i == 1 ? to.y : to.z;
        };
        test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                       {"b32", row_of([&](uint32_t lane) { return part(lane, 0); })},
                       {"b32", row_of([&](uint32_t lane) { return part(lane, 1); })},
                       {"b32", row_of([&](uint32_t lane) { return part(lane, 2); })},
                       {"b32", row_of([](uint32_t lane) { return lane_of(lane).layer; })}};
        test.outputs = {"b32", "b32", "b32", "b32"};
        test.code = std::string("tld4.") + "rgba"[channel] + (layered ? ".acube" : ".cube") + ".v4." + type +
                    ".f32 {%o0, %o1, %o2, %o3}, [%i0, " +
                    (layered ? "{%i4, %i1, %i2, %i3}" : "{%i1, %i2, %i3, %i3}") + "];";
        for (Isa isa : available_isas()) {
          const FormResult result = run_form(test, isa);
          ASSERT_EQ(result.code, 0) << test.code << "\n" << result.message;
          for (uint32_t lane = 0; lane < 32; ++lane) {
            const CubeLane at = lane_of(lane);
            ModelRequest request;
            request.geometry = Geometry::kLayered2d;
            request.at = {at.s, at.t, 0};
            request.layer =
                static_cast<unsigned>(at.face) + (layered ? 6 * std::min(at.layer, kCubes - 1u) : 0);
            const auto want = model_gather(levels[0], sampler, request);
            for (uint32_t i = 0; i < 4; ++i) {
              const double value = want[i][channel];
              ASSERT_EQ(result.outputs[i][lane] & 0xffff'ffff,
                        type == "f32" ? bits_of(static_cast<float>(value)) : static_cast<uint32_t>(value))
                  << test.code << " lane " << lane << " part " << i;
            }
          }
        }
      }
    }
  }
}

struct EdgeCase {
  Direction towards;
  double seamless, within;  // channel 0
};

double texel(int face, int x, int y) { return value_at(0, x, y, face, 0); }

// On an edge, half of what is seen is the neighbouring face's, if the cube is seamless.
TEST(TextureCubeForms, EdgesAndCorners) {
  constexpr int kLast = kSize - 1;
  const auto half = [](double a, double b) { return (a + b) / 2; };
  std::vector<EdgeCase> cases;
  for (int i = 0; i < kSize; ++i) {
    const float middle = (static_cast<float>(i) + 0.5f) / kSize;
    // Left and right of +x are +z and -z; above and below it are +y and -y.
    cases.push_back({direction(0, 0, middle, 1), half(texel(0, 0, i), texel(4, kLast, i)), texel(0, 0, i)});
    cases.push_back(
        {direction(0, 1, middle, 1), half(texel(0, kLast, i), texel(5, 0, i)), texel(0, kLast, i)});
    cases.push_back(
        {direction(0, middle, 0, 1), half(texel(0, i, 0), texel(2, kLast, kLast - i)), texel(0, i, 0)});
    cases.push_back(
        {direction(0, middle, 1, 1), half(texel(0, i, kLast), texel(3, kLast, i)), texel(0, i, kLast)});
    // Left of -x is -z, right of it +z.
    cases.push_back({direction(1, 0, middle, 1), half(texel(1, 0, i), texel(5, kLast, i)), texel(1, 0, i)});
    cases.push_back(
        {direction(1, 1, middle, 1), half(texel(1, kLast, i), texel(4, 0, i)), texel(1, kLast, i)});
    // Above +z is +y, below it -y.
    cases.push_back({direction(4, middle, 0, 1), half(texel(2, i, kLast), texel(4, i, 0)), -1});
    cases.push_back({direction(4, middle, 1, 1), half(texel(3, i, 0), texel(4, i, kLast)), -1});
  }
  // Three faces meet.
  cases.push_back(
      {{1, 1, 1}, (texel(0, 0, 0) + texel(4, kLast, 0) + texel(2, kLast, kLast)) / 3, texel(0, 0, 0)});
  for (bool seamless : {false, true}) {
    const Sampler sampler = make_sampler(Filter::kLinear, seamless);
    for (size_t first = 0; first < cases.size(); first += 32) {
      std::vector<ModelImage> levels;
      FormCase test;
      test.views = {make_cube(levels, false, sampler, true)};
      const auto at = [&](uint32_t lane) { return cases[std::min(first + lane, cases.size() - 1)]; };
      test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                     {"b32", row_of([&](uint32_t lane) { return at(lane).towards.x; })},
                     {"b32", row_of([&](uint32_t lane) { return at(lane).towards.y; })},
                     {"b32", row_of([&](uint32_t lane) { return at(lane).towards.z; })}};
      test.outputs = {"b32"};
      test.code = "tex.cube.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i2, %i3, %i3}];";
      for (Isa isa : available_isas()) {
        const FormResult result = run_form(test, isa);
        ASSERT_EQ(result.code, 0) << result.message;
        for (uint32_t lane = 0; lane < 32; ++lane) {
          const EdgeCase edge = at(lane);
          // Which of two faces a direction to their common edge belongs to matters only without seams.
          if (!seamless && edge.within < 0) continue;
          ASSERT_EQ(value_of<float>(result.outputs[0][lane]),
                    static_cast<float>(seamless ? edge.seamless : edge.within))
              << "case " << first + lane << " seamless " << seamless;
        }
      }
    }
  }
}

TEST(TextureCubeForms, OtherImagesAreRefused) {
  FormCase test;
  test.views = {
      make_view(model_levels(1, 4, 4, 6, false, value_at), true, make_sampler(Filter::kPoint, false))};
  test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                 {"b32", row_of([](uint32_t) { return 1.0f; })}};
  test.outputs = {"b32"};
  test.code = "tex.cube.v4.f32.f32 {%o0, %s0, %s1, %s2}, [%i0, {%i1, %i1, %i1, %i1}];";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    EXPECT_EQ(result.code, 719);
    EXPECT_NE(result.message.find("no cubemap"), std::string::npos) << result.message;
  }
}

// Of all files of this group, in the suite that runs last.
TEST(TextureFormsCoverage, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("texture"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
