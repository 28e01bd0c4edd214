// tex, tld4, txq and istypep: reads through textures. What a fetch gives is computed by
// exec/sample.cc, one lane at a time.
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/handlers/texture_operands.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

enum class Result : u32 { k32, kHalf, kHalfPairs };

// Op::aux. `slots` is how many Ops the instruction takes.
struct Aux {
  Geometry geometry;
  bool integers;
  LevelChoice level;
  Result result;
  u32 slots;
  u32 channel;

  constexpr u32 packed() const {
    return static_cast<u32>(geometry) | u32{integers} << 3 | static_cast<u32>(level) << 4 |
           static_cast<u32>(result) << 6 | slots << 8 | channel << 12;
  }
};
constexpr Aux unpack(u32 aux) {
  return {static_cast<Geometry>(aux & 7),    (aux >> 3 & 1) != 0, static_cast<LevelChoice>(aux >> 4 & 3),
          static_cast<Result>(aux >> 6 & 3), aux >> 8 & 15,       aux >> 12 & 3};
}

// d or {d...}, with the predicate that tells whether the data is in memory, which it always is.
struct Destination {
  Result result;
  u32 count;
  u32* words[4];
  u16* halves[4];

  Destination(Warp& warp, const Op* op, Result kind)
      : result(kind), count(kind == Result::kHalfPairs ? 2 : 4) {
    for (u32 i = 0; i < count; ++i) {
      words[i] = warp.row<u32>(op->r[i]);
      halves[i] = warp.row<u16>(op->r[i]);
    }
  }

  static u32 half(u32 bits, bool is_float) {
    if (!is_float) return bits & 0xffff;
    return static_cast<u16>(_cvtss_sh(bits_as<f32>(bits), _MM_FROUND_TO_NEAREST_INT));
  }

  void put(u32 lane, const Texel& texel, bool is_float) const {
    if (result == Result::k32) {
      for (u32 i = 0; i < 4; ++i) words[i][lane] = texel.bits[i];
    } else if (result == Result::kHalf) {
      for (u32 i = 0; i < 4; ++i) halves[i][lane] = static_cast<u16>(half(texel.bits[i], is_float));
    } else {
      for (u32 i = 0; i < 2; ++i)
        words[i][lane] = half(texel.bits[2 * i], is_float) | half(texel.bits[2 * i + 1], is_float) << 16;
    }
  }
};

// Cubes take none.
constexpr bool has_offset(Geometry g) { return g != Geometry::kCube && g != Geometry::kLayeredCube; }

// {d...}|p, [a, sampler, {coordinates}], level or gradients, offset
template <bool Gathers>
const Op* read_texture(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  const Op* next = op + aux.slots;
  const u32 mask = warp.mask(op);
  if (mask == 0) return next;
  const Destination destination(warp, op, aux.result);
  const u32 axes = axes_of(aux.geometry);
  PlaceRows rows(warp, op, destination.count + 1, aux.geometry);
  u32 at = rows.end;
  const u32* level = aux.level == LevelChoice::kGiven ? warp.row<const u32>(op->operand(at++)) : nullptr;
  const f32* gradients[6] = {};
  const u32 gradient_count = aux.level == LevelChoice::kGradients ? 2 * axes : 0;
  // A vector of three has a fourth element, which is not looked at.
  for (u32 i = 0; i < gradient_count; ++i) gradients[i] = warp.row<const f32>(op->operand(at++));
  const s32* offsets[3] = {};
  for (u32 i = 0; i < (has_offset(aux.geometry) ? axes : 0); ++i) {
    const u32 operand = op->operand(at + i);
    if (operand != kNoOperand) offsets[i] = warp.row<const s32>(operand);
  }
  const TextureInstruction instruction{aux.geometry, aux.integers, aux.level};
  ViewOfLane texture, sampler;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    const TextureView* view =
        texture.find(warp, op, lane, rows.handle[lane], ViewKind::kTexture, aux.geometry);
    if (view == nullptr) return nullptr;
    Sampler rules = view->sampler;
    if (rows.sampler != nullptr) {
      const TextureView* other =
          sampler.find(warp, op, lane, rows.sampler[lane], ViewKind::kSampler, Geometry::k1d);
      if (other == nullptr) return nullptr;
      rules = other->sampler;
      rules.normalized = rules.normalized && view->sampler.normalized;
    }
    TextureRequest request{};
    if (rows.layer != nullptr) request.layer = rows.layer[lane];
    if (level != nullptr) request.level = level[lane];
    for (u32 i = 0; i < axes; ++i) {
      request.coordinates[i] = rows.coordinates[i][lane];
      if (offsets[i] != nullptr) request.offset[i] = offsets[i][lane];
    }
    for (u32 i = 0; i < gradient_count; ++i)
      (i < axes ? request.dx[i] : request.dy[i - axes]) = gradients[i][lane];
    destination.put(lane,
                    Gathers ? gather(*view, rules, aux.geometry, aux.channel, request)
                            : sample(*view, rules, instruction, request),
                    view->gives_float);
  }
  warp.set_predicate(op->r[destination.count], mask, mask);
  return next;
}

// d, [a]{, level}
constexpr u32 kAtLevel = 0x100;
constexpr u32 kOfSurface = 0x200;
constexpr u32 kOfSampler = 0x400;

const Op* query_view(Warp& warp, const Op* op) {
  const u32 mask = warp.mask(op);
  u32* d = warp.row<u32>(op->r[0]);
  const u64* handles = warp.row<const u64>(op->r[1]);
  const u32* levels = op->aux & kAtLevel ? warp.row<const u32>(op->r[2]) : nullptr;
  const auto what = static_cast<TextureQuery>(op->aux & 0xff);
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    ViewKind kind = op->aux & kOfSurface ? ViewKind::kSurface : ViewKind::kTexture;
    // What samplers know may be asked of a sampler or of a texture, which has one of its own.
    if ((op->aux & kOfSampler) != 0 && is_view(warp, handles[lane], ViewKind::kSampler))
      kind = ViewKind::kSampler;
    const TextureView* view = find_view(warp, op, lane, handles[lane], kind, Geometry::k1d);
    if (view == nullptr) return nullptr;
    d[lane] = query(*view, what, levels == nullptr ? 0 : levels[lane]);
  }
  return op + 1;
}

// p, a
const Op* is_type(Warp& warp, const Op* op) {
  const u32 mask = warp.mask(op);
  const u64* handles = warp.row<const u64>(op->r[1]);
  u32 found = 0;
  for_lanes(mask, [&](u32 lane) {
    if (is_view(warp, handles[lane], static_cast<ViewKind>(op->aux))) found |= 1u << lane;
  });
  warp.set_predicate(op->r[0], mask, found);
  return op + 1;
}

constexpr u32 slots_for(u32 operands) { return (operands + kInlineOperands - 1) / kInlineOperands; }

struct ResultRow {
  const char *text, *destination;
  Result result;
  u32 operands;
};
constexpr ResultRow kResults[] = {{".v4.{u32,s32,f32}", "=b32x4|p ", Result::k32, 5},
                                  {".v4.f16", "=b16x4|p ", Result::kHalf, 5},
                                  {".v2.f16x2", "=b32x2|p ", Result::kHalfPairs, 3}};
constexpr const char* kVectors[] = {"", "x2", "x3"};

struct LevelRow {
  const char* text;
  LevelChoice level;
};
constexpr LevelRow kLevels[] = {{"tex[.base].", LevelChoice::kBase},
                                {"tex.level.", LevelChoice::kGiven},
                                {"tex.grad.", LevelChoice::kGradients}};

void add_tex(FormTable& table, const LevelRow& level, const ResultRow& result, u32 g, bool integers) {
  const Geometry geometry = kGeometries[g];
  const u32 axes = axes_of(geometry);
  u32 operands = result.operands + 2 + (has_layer(geometry) ? 1 : 0) + axes;
  const char* vector = kVectors[axes - 1];
  const char* level_text = "";
  Pattern gradients(" f32", vector, " f32", vector);
  if (level.level == LevelChoice::kGiven) {
    level_text = integers ? " s32" : " f32";
    ++operands;
  } else if (level.level == LevelChoice::kGradients) {
    level_text = gradients.text;
    operands += 2 * axes;
  }
  const bool offsets = has_offset(geometry);
  const Pattern offset(offsets ? " s32" : "", offsets ? vector : "", offsets ? "?" : "");
  if (offsets) operands += axes;
  const Aux aux{geometry, integers, level.level, result.result, slots_for(operands), 0};
  table.add(Pattern(level.text, kGeometryNames[g], result.text, integers ? ".s32" : ".f32").text,
            Pattern(result.destination, kPlaces[integers ? 0 : 1][g], level_text, offset.text).text,
            read_texture<false>, aux.packed());
}

void add_tld4(FormTable& table, u32 g) {
  const Geometry geometry = kGeometries[g];
  constexpr const char* kChannels[] = {"r", "g", "b", "a"};
  for (u32 channel = 0; channel < 4; ++channel) {
    const u32 operands =
        5 + 2 + (has_layer(geometry) ? 1 : 0) + axes_of(geometry) + (has_offset(geometry) ? 2 : 0);
    const Aux aux{geometry, false, LevelChoice::kBase, Result::k32, slots_for(operands), channel};
    table.add(Pattern("tld4.", kChannels[channel], ".", kGeometryNames[g], ".v4.{u32,s32,f32}.f32").text,
              Pattern("=b32x4|p ", kPlaces[1][g], has_offset(geometry) ? " s32x2?" : "").text,
              read_texture<true>, aux.packed());
  }
}

struct QueryRow {
  const char* text;
  TextureQuery query;
  bool of_texture, of_level, of_surface, of_sampler;
};
constexpr QueryRow kQueries[] = {
    {"width", TextureQuery::kWidth, true, true, true, false},
    {"height", TextureQuery::kHeight, true, true, true, false},
    {"depth", TextureQuery::kDepth, true, true, true, false},
    {"channel_data_type", TextureQuery::kChannelDataType, true, false, true, false},
    {"channel_order", TextureQuery::kChannelOrder, true, false, true, false},
    {"normalized_coords", TextureQuery::kNormalizedCoordinates, true, false, false, false},
    {"array_size", TextureQuery::kArraySize, true, false, true, false},
    {"num_mipmap_levels", TextureQuery::kLevels, true, false, false, false},
    {"num_samples", TextureQuery::kSamples, true, false, false, false},
    {"force_unnormalized_coords", TextureQuery::kForceUnnormalized, true, false, false, true},
    {"filter_mode", TextureQuery::kFilterMode, true, false, false, true},
    {"addr_mode_0", TextureQuery::kAddressMode0, true, false, false, true},
    {"addr_mode_1", TextureQuery::kAddressMode1, true, false, false, true},
    {"addr_mode_2", TextureQuery::kAddressMode2, true, false, false, true},
    {"memory_layout", TextureQuery::kMemoryLayout, false, false, true, false},
};

}  // namespace

void add_texture_forms(FormTable& table) {
  table.begin_group("texture");
  for (const LevelRow& level : kLevels) {
    for (const ResultRow& result : kResults) {
      for (u32 g = 0; g < 7; ++g) {
        add_tex(table, level, result, g, false);
        if (kPlaces[0][g][0] != '\0') add_tex(table, level, result, g, true);
      }
    }
  }
  for (u32 g : {1u, 4u, 5u, 6u}) add_tld4(table, g);
  for (const QueryRow& row : kQueries) {
    const u32 what = static_cast<u32>(row.query);
    if (row.of_texture)
      table.add(Pattern("txq.", row.text, ".b32").text, "=b32 [t]", query_view,
                what | (row.of_sampler ? kOfSampler : 0));
    if (row.of_level)
      table.add(Pattern("txq.level.", row.text, ".b32").text, "=b32 [t] b32", query_view, what | kAtLevel);
    if (row.of_surface)
      table.add(Pattern("suq.", row.text, ".b32").text, "=b32 [t]", query_view, what | kOfSurface);
  }
  table.add("istypep.texref", "=p b64", is_type, static_cast<u32>(ViewKind::kTexture));
  table.add("istypep.samplerref", "=p b64", is_type, static_cast<u32>(ViewKind::kSampler));
  table.add("istypep.surfref", "=p b64", is_type, static_cast<u32>(ViewKind::kSurface));
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
