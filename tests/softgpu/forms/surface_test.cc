// suld, sust and sured: every geometry, type and way to treat what is outside. Expected values come
// from a copy of the surface that is changed by the tests' own rules.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/softgpu/forms/form_check.h"
#include "tests/softgpu/forms/form_runner.h"

namespace outboard::softgpu::exec {
namespace {

constexpr int kWidth = 64;  // bytes of a row
constexpr int kHeight = 3, kDepth = 2, kPitch = 96;

struct GeometryCase {
  const char* name;
  int axes;
  bool layered;
};
constexpr GeometryCase kGeometries[] = {
    {"1d", 1, false}, {"2d", 2, false}, {"3d", 3, false}, {"a1d", 1, true}, {"a2d", 2, true}};
constexpr const char* kClamps[] = {"trap", "clamp", "zero"};

struct Surface {
  std::vector<uint8_t> bytes;
  std::shared_ptr<TextureView> view;
};

Surface make_surface(TexelType type, uint32_t channels, uint32_t texel_bytes, const GeometryCase& g) {
  const uint32_t height = g.axes > 1 ? kHeight : 1, depth = g.axes == 3 || g.layered ? kDepth : 1;
  auto memory = std::make_shared<std::vector<uint64_t>>(kPitch / 8 * height * depth);
  auto* bytes = reinterpret_cast<uint8_t*>(memory->data());
  for (size_t i = 0; i < memory->size() * 8; ++i) bytes[i] = static_cast<uint8_t>(i * 37 + 11);
  Surface surface;
  surface.bytes.assign(bytes, bytes + memory->size() * 8);
  surface.view = std::make_shared<TextureView>();
  surface.view->kind = ViewKind::kSurface;
  surface.view->type = type;
  surface.view->channels = channels;
  surface.view->texel_bytes = texel_bytes;
  surface.view->levels.push_back({reinterpret_cast<std::byte*>(bytes), kWidth / texel_bytes, height, depth,
                                  kPitch, uint64_t{kPitch} * height});
  surface.view->owner = memory;
  return surface;
}

// The surface as it was made.
void restore(const Surface& surface) {
  std::memcpy(surface.view->levels[0].data, surface.bytes.data(), surface.bytes.size());
}

std::vector<uint8_t> content(const Surface& surface) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(surface.view->levels[0].data);
  return {bytes, bytes + surface.bytes.size()};
}

struct Place {
  int64_t at[3];  // x in bytes
};

// Of a lane, in units of `unit` bytes; beyond the surface too unless it must not be.
Place place_of(uint32_t lane, const GeometryCase& g, int unit, bool may_leave) {
  const int columns = kWidth / unit, outside = may_leave ? 2 : 0;
  Place place{};
  place.at[0] = (static_cast<int>(lane * 5) % (columns + 2 * outside) - outside) * unit;
  const int sizes[3] = {columns, kHeight, kDepth};
  for (int i = 1; i < g.axes; ++i)
    place.at[i] = static_cast<int>(lane * (i + 1)) % (sizes[i] + 2 * outside) - outside;
  // A layer has no sign.
  if (g.layered) place.at[2] = static_cast<int>(lane) % (kDepth + outside);
  return place;
}

// Where the bytes of a place are; -1 if nowhere.
int64_t offset_of(Place place, const GeometryCase& g, int bytes, bool clamps) {
  const int64_t most[3] = {kWidth - bytes, g.axes > 1 ? kHeight - 1 : 0,
                           g.axes == 3 || g.layered ? kDepth - 1 : 0};
  for (int i = 0; i < 3; ++i) {
    if (place.at[i] >= 0 && place.at[i] <= most[i]) continue;
    if (!clamps) return -1;
    place.at[i] = place.at[i] < 0 ? 0 : most[i];
  }
  const int64_t slice = g.axes > 1 ? kPitch * kHeight : kPitch;
  return place.at[2] * slice + place.at[1] * kPitch + place.at[0];
}

// "[%i0, {...}]" with the lanes' places, x divided by `x_unit`.
std::string add_place(FormCase& test, const GeometryCase& g, const std::vector<Place>& places, int x_unit) {
  const auto add = [&](int axis, int unit) {
    test.inputs.push_back(
        {"b32", row_of([&](uint32_t lane) { return static_cast<int32_t>(places[lane].at[axis] / unit); })});
    return "%i" + std::to_string(test.inputs.size() - 1);
  };
  test.inputs.push_back({"b64", row_of([](uint32_t) { return view_handle(0); })});
  std::vector<std::string> names;
  if (g.layered) names.push_back(add(2, 1));
  names.push_back(add(0, x_unit));
  for (int i = 1; i < g.axes; ++i) names.push_back(add(i, 1));
  if (names.size() == 3) names.push_back(names[0]);
  std::string text = "[%i0, {";
  for (const std::string& name : names) text += (text.size() > 7 ? ", " : "") + name;
  return text + "}]";
}

struct Access {
  GeometryCase geometry;
  int clamp;  // index in kClamps
  int elements;
  int bytes;  // of an element
  std::string hint = {};
};

const char* register_type(int bytes) { return bytes == 8 ? "b64" : bytes == 4 ? "b32" : "b16"; }
std::string vector_text(int elements) { return elements == 1 ? "" : ".v" + std::to_string(elements); }

std::string list(const char* kind, int first, int count) {
  std::string text = count > 1 ? "{" : "";
  for (int i = 0; i < count; ++i) text += (i ? ", " : "") + std::string(kind) + std::to_string(first + i);
  return text + (count > 1 ? "}" : "");
}

std::string ending(const Access& a) {
  return a.hint + vector_text(a.elements) + ".b" + std::to_string(8 * a.bytes) + "." + kClamps[a.clamp];
}

std::vector<Place> places_for(const Access& a) {
  std::vector<Place> places;
  for (uint32_t lane = 0; lane < 32; ++lane)
    places.push_back(place_of(lane, a.geometry, a.bytes * a.elements, a.clamp != 0));
  return places;
}

void check_load(const Access& a) {
  const Surface surface = make_surface(TexelType::kUnsigned32, 1, 4, a.geometry);
  FormCase test;
  test.views = {surface.view};
  const std::vector<Place> places = places_for(a);
  const std::string at = add_place(test, a.geometry, places, 1);
  test.outputs.assign(static_cast<size_t>(a.elements), register_type(a.bytes));
  test.code = std::string("suld.b.") + a.geometry.name + ending(a) + " " + list("%o", 0, a.elements) + ", " +
              at + ";";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const int64_t offset = offset_of(places[lane], a.geometry, a.bytes * a.elements, a.clamp == 1);
      for (int i = 0; i < a.elements; ++i) {
        uint64_t want = 0;
        if (offset >= 0)
          std::memcpy(&want, &surface.bytes[static_cast<size_t>(offset + i * a.bytes)], a.bytes);
        ASSERT_EQ(low_bits(result.outputs[static_cast<size_t>(i)][lane], a.bytes == 1 ? 16 : 8 * a.bytes),
                  want)
            << test.code << " lane " << lane << " element " << i;
      }
    }
  }
}

void check_store(const Access& a) {
  for (Isa isa : available_isas()) {
    const Surface surface = make_surface(TexelType::kUnsigned32, 1, 4, a.geometry);
    FormCase test;
    test.views = {surface.view};
    const std::vector<Place> places = places_for(a);
    const std::string at = add_place(test, a.geometry, places, 1);
    const int first = static_cast<int>(test.inputs.size());
    const auto value = [](uint32_t lane, int i) {
      return 0x0123'4567'89ab'cdefu * (lane + 3) + static_cast<uint64_t>(i);
    };
    for (int i = 0; i < a.elements; ++i)
      test.inputs.push_back({register_type(a.bytes), row_of([&](uint32_t lane) { return value(lane, i); })});
    test.code = std::string("sust.b.") + a.geometry.name + ending(a) + " " + at + ", " +
                list("%i", first, a.elements) + ";";
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << result.message;
    std::vector<uint8_t> want = surface.bytes;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const int64_t offset = offset_of(places[lane], a.geometry, a.bytes * a.elements, a.clamp == 1);
      for (int i = 0; i < a.elements && offset >= 0; ++i) {
        const uint64_t bits = value(lane, i);
        std::memcpy(&want[static_cast<size_t>(offset + i * a.bytes)], &bits, static_cast<size_t>(a.bytes));
      }
    }
    ASSERT_EQ(content(surface), want) << test.code;
  }
}

TEST(SurfaceForms, LoadsAndStoresOfBytes) {
  for (const GeometryCase& geometry : kGeometries) {
    for (int clamp = 0; clamp < 3; ++clamp) {
      for (int elements : {1, 2, 4}) {
        for (int bytes : {1, 2, 4, 8}) {
          if (bytes * elements > 16) continue;
          check_load({geometry, clamp, elements, bytes});
          check_store({geometry, clamp, elements, bytes});
        }
      }
    }
  }
  check_load({kGeometries[1], 1, 2, 4, ".ca"});
  check_store({kGeometries[1], 1, 2, 4, ".wt"});
}

struct FormatCase {
  TexelType type;
  uint32_t bytes;
  std::function<uint64_t(uint32_t)> stored;  // bits of a channel from 32 bits
};

uint64_t saturated(uint32_t bits, int64_t least, int64_t most) {
  const int64_t value =
      least < 0 ? static_cast<int64_t>(static_cast<int32_t>(bits)) : static_cast<int64_t>(bits);
  return static_cast<uint64_t>(std::min(std::max(value, least), most));
}

const std::vector<FormatCase>& formats() {
  static const std::vector<FormatCase> list = {
      {TexelType::kUnsigned8, 1, [](uint32_t v) { return saturated(v, 0, 255); }},
      {TexelType::kUnsigned16, 2, [](uint32_t v) { return saturated(v, 0, 65535); }},
      {TexelType::kUnsigned32, 4, [](uint32_t v) { return uint64_t{v}; }},
      {TexelType::kSigned8, 1, [](uint32_t v) { return saturated(v, -128, 127); }},
      {TexelType::kSigned16, 2, [](uint32_t v) { return saturated(v, -32768, 32767); }},
      {TexelType::kSigned32, 4, [](uint32_t v) { return uint64_t{v}; }},
      {TexelType::kHalf, 2, [](uint32_t v) { return bits_of(static_cast<_Float16>(value_of<float>(v))); }},
      {TexelType::kFloat, 4, [](uint32_t v) { return uint64_t{v}; }}};
  return list;
}

const std::vector<uint32_t> kValues = {0,           1,           127,         128,         255,
                                       256,         0xffff'ffff, 0xffff'ff80, 0xffff'ff7f, 32768,
                                       65535,       65536,       0x8000'0000, 0x7fff'ffff, 0x3f80'0000,
                                       0xc2f6'e979, 0x4780'0000, 0x3300'0000, 0x7f80'0000, 0x0000'0001};

void check_formatted(const GeometryCase& g, int clamp, int elements, const FormatCase& format,
                     uint32_t channels) {
  const uint32_t texel = format.bytes * channels;
  for (Isa isa : available_isas()) {
    const Surface surface = make_surface(format.type, channels, texel, g);
    FormCase test;
    test.views = {surface.view};
    std::vector<Place> places;
    for (uint32_t lane = 0; lane < 32; ++lane)
      places.push_back(place_of(lane, g, static_cast<int>(texel), clamp != 0));
    const std::string at = add_place(test, g, places, static_cast<int>(texel));
    const int first = static_cast<int>(test.inputs.size());
    const auto value = [](uint32_t lane, uint32_t i) { return kValues[(lane + 7 * i) % kValues.size()]; };
    for (int i = 0; i < elements; ++i)
      test.inputs.push_back(
          {"b32", row_of([&](uint32_t lane) { return value(lane, static_cast<uint32_t>(i)); })});
    test.code = std::string("sust.p.") + g.name + vector_text(elements) + ".b32." + kClamps[clamp] + " " +
                at + ", " + list("%i", first, elements) + ";";
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << result.message;
    std::vector<uint8_t> want = surface.bytes;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const int64_t offset = offset_of(places[lane], g, static_cast<int>(texel), clamp == 1);
      for (uint32_t c = 0; c < channels && offset >= 0; ++c) {
        const uint64_t bits = c < static_cast<uint32_t>(elements) ? format.stored(value(lane, c)) : 0;
        std::memcpy(&want[static_cast<size_t>(offset) + c * format.bytes], &bits, format.bytes);
      }
    }
    ASSERT_EQ(content(surface), want) << test.code << " type " << static_cast<int>(format.type);
  }
}

TEST(SurfaceForms, FormattedStores) {
  for (const FormatCase& format : formats()) {
    for (uint32_t channels : {1u, 2u, 4u})
      check_formatted(kGeometries[1], 0, static_cast<int>(channels), format, channels);
  }
  for (const GeometryCase& geometry : kGeometries) {
    for (int clamp = 0; clamp < 3; ++clamp) {
      for (int elements : {1, 2, 4}) check_formatted(geometry, clamp, elements, formats()[5], 2);
    }
  }
}

struct Reduction {
  std::string operation, type;
  int bytes;
  std::function<uint64_t(uint64_t, uint64_t)> apply;
};

std::vector<Reduction> reductions() {
  const auto s32 = [](uint64_t v) { return static_cast<int32_t>(v); };
  const auto s64 = [](uint64_t v) { return static_cast<int64_t>(v); };
  const auto add = [](uint64_t a, uint64_t b) { return a + b; };
  const auto least = [](uint64_t a, uint64_t b) { return std::min(a, b); };
  const auto most = [](uint64_t a, uint64_t b) { return std::max(a, b); };
  return {{"add", "u32", 4, add},
          {"add", "s32", 4, add},
          {"add", "u64", 8, add},
          {"min", "u32", 4, least},
          {"min", "u64", 8, least},
          {"max", "u32", 4, most},
          {"max", "u64", 8, most},
          {"min", "s32", 4, [=](uint64_t a, uint64_t b) { return s32(a) < s32(b) ? a : b; }},
          {"max", "s32", 4, [=](uint64_t a, uint64_t b) { return s32(a) > s32(b) ? a : b; }},
          {"min", "s64", 8, [=](uint64_t a, uint64_t b) { return s64(a) < s64(b) ? a : b; }},
          {"max", "s64", 8, [=](uint64_t a, uint64_t b) { return s64(a) > s64(b) ? a : b; }},
          {"and", "b32", 4, [](uint64_t a, uint64_t b) { return a & b; }},
          {"or", "b32", 4, [](uint64_t a, uint64_t b) { return a | b; }}};
}

// `by_texels`: sured.p, whose type says nothing: the surface's does.
void check_reduction(const Reduction& r, const GeometryCase& g, int clamp, bool by_texels) {
  for (Isa isa : available_isas()) {
    const bool is_signed = r.type[0] == 's';
    const Surface surface = make_surface(is_signed ? TexelType::kSigned32 : TexelType::kUnsigned32, 1, 4, g);
    FormCase test;
    test.views = {surface.view};
    test.before = [&] { restore(surface); };
    std::vector<Place> places;
    // Few places, so that lanes meet.
    for (uint32_t lane = 0; lane < 32; ++lane) places.push_back(place_of(lane % 9, g, r.bytes, clamp != 0));
    const std::string at = add_place(test, g, places, by_texels ? r.bytes : 1);
    const Values& edges = integer_edges(r.bytes == 8 ? "b64" : "b32");
    test.inputs.push_back(
        {register_type(r.bytes), row_of([&](uint32_t lane) { return edges[lane * 3 % edges.size()]; })});
    test.code = std::string("sured.") + (by_texels ? "p." : "b.") + r.operation + "." + g.name + "." +
                (by_texels ? "b32" : r.type) + "." + kClamps[clamp] + " " + at + ", %i" +
                std::to_string(test.inputs.size() - 1) + ";";
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << test.code << result.message;
    std::vector<uint8_t> want = surface.bytes;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const int64_t offset = offset_of(places[lane], g, r.bytes, clamp == 1);
      if (offset < 0) continue;
      uint64_t cell = 0;
      std::memcpy(&cell, &want[static_cast<size_t>(offset)], static_cast<size_t>(r.bytes));
      cell = r.apply(cell, low_bits(edges[lane * 3 % edges.size()], 8 * static_cast<unsigned>(r.bytes)));
      std::memcpy(&want[static_cast<size_t>(offset)], &cell, static_cast<size_t>(r.bytes));
    }
    ASSERT_EQ(content(surface), want) << test.code;
  }
}

TEST(SurfaceForms, Reductions) {
  for (const Reduction& reduction : reductions()) {
    for (const GeometryCase& geometry : kGeometries) {
      for (int clamp = 0; clamp < 3 && !geometry.layered; ++clamp) {
        check_reduction(reduction, geometry, clamp, false);
        if (reduction.bytes == 4) check_reduction(reduction, geometry, clamp, true);
      }
    }
  }
}

struct ErrorCase {
  std::string code;
  int x;
  TexelType type;
  int result;
  const char* says;
};

TEST(SurfaceForms, Errors) {
  const ErrorCase cases[] = {
      {"suld.b.1d.b32.trap %o0, [%i0, {%i1}];", kWidth, TexelType::kUnsigned32, 719, "outside of a surface"},
      {"suld.b.1d.b32.trap %o0, [%i0, %i1];", -4, TexelType::kUnsigned32, 719, "outside of a surface"},
      {"sust.b.1d.b32.trap [%i0, {%i1}], %i1;", kWidth, TexelType::kUnsigned32, 719, "outside of a surface"},
      {"sust.p.1d.b32.trap [%i0, {%i1}], %i1;", kWidth / 4, TexelType::kUnsigned32, 719,
       "outside of a surface"},
      {"sured.b.add.1d.u32.trap [%i0, {%i1}], %i1;", kWidth - 2, TexelType::kUnsigned32, 719,
       "outside of a surface"},
      {"suld.b.1d.b32.zero %o0, [%i0, {%i1}];", 2, TexelType::kUnsigned32, 716, "misaligned"},
      {"sust.b.1d.b32.clamp [%i0, {%i1}], %i1;", 1, TexelType::kUnsigned32, 716, "misaligned"},
      {"sured.p.add.1d.b32.zero [%i0, {%i1}], %i1;", 1, TexelType::kFloat, 719, "32-bit integer"}};
  for (const ErrorCase& c : cases) {
    const Surface surface = make_surface(c.type, 1, 4, kGeometries[0]);
    FormCase test;
    test.views = {surface.view};
    test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                   {"b32", row_of([&](uint32_t) { return c.x; })}};
    test.outputs = {"b32"};
    test.code = c.code;
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      EXPECT_EQ(result.code, c.result) << c.code << result.message;
      EXPECT_NE(result.message.find(c.says), std::string::npos) << c.code << ": " << result.message;
      EXPECT_EQ(content(surface), surface.bytes) << c.code;
    }
  }
}

// Registers may be wider than what the surface holds.
TEST(SurfaceForms, WiderRegisters) {
  const Surface surface = make_surface(TexelType::kUnsigned8, 1, 1, kGeometries[0]);
  FormCase test;
  test.views = {surface.view};
  test.inputs = {{"b64", row_of([](uint32_t) { return view_handle(0); })},
                 {"b32", row_of([](uint32_t lane) { return lane; })}};
  test.outputs = {"b32"};
  test.code =
      "suld.b.1d.b8.trap %o0, [%i0, {%i1}];\n"
      "add.u32 %s0, %i1, 32; add.u32 %s1, %i1, 0x1200; sust.b.1d.b8.trap [%i0, {%s0}], %s1;";
  for (Isa isa : available_isas()) {
    const FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(result.outputs[0][lane], surface.bytes[lane]);
      EXPECT_EQ(content(surface)[lane + 32], lane);
    }
  }
}

TEST(SurfaceForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("surface"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
