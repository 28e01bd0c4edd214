// suld, sust and sured: surfaces, lane by lane in ascending order.
#include "server/softgpu/exec/handlers/modify.h"
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/handlers/texture_operands.h"
#include "server/softgpu/exec/memory.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Op::aux
struct Aux {
  Geometry geometry;
  SurfaceClamp clamp;
  u32 elements;
  u32 slots;  // how many Ops the instruction takes

  constexpr u32 packed() const {
    return static_cast<u32>(geometry) | static_cast<u32>(clamp) << 3 | elements << 5 | slots << 8;
  }
};
constexpr Aux unpack(u32 aux) {
  return {static_cast<Geometry>(aux & 7), static_cast<SurfaceClamp>(aux >> 3 & 3), aux >> 5 & 7,
          aux >> 8 & 15};
}

// Where lanes' places are; the instruction ends if one of them must not be outside.
class Places {
 public:
  Places(Warp& warp, const Op* op, const Aux& aux, u32 first)
      : warp_(warp), op_(op), aux_(aux), rows_(warp, op, first, aux.geometry) {}

  // The operand behind.
  u32 end() const { return rows_.end; }

  // False: the launch has ended.
  bool find_surface(u32 lane) {
    return surface_.find(warp_, op_, lane, rows_.handle[lane], ViewKind::kSurface, aux_.geometry) != nullptr;
  }
  // Of the lane whose surface was found last.
  const TextureView& surface() const { return *surface_.view; }

  // `x` counts bytes, or texels. nullptr in `at`: outside, to be ignored. False: the launch has ended.
  bool find(u32 lane, u32 bytes, bool counts_texels, std::byte*& at) {
    const s64 x = static_cast<s32>(rows_.coordinates[0][lane]);
    s32 yz[2] = {0, 0};
    for (u32 i = 1; i < axes_of(aux_.geometry); ++i) yz[i - 1] = static_cast<s32>(rows_.coordinates[i][lane]);
    const u32 layer = rows_.layer == nullptr ? 0 : rows_.layer[lane];
    at = surface_place(surface(), aux_.geometry, counts_texels ? x * surface().texel_bytes : x, yz, layer,
                       bytes, aux_.clamp == SurfaceClamp::kClamp);
    if (at == nullptr) {
      if (aux_.clamp != SurfaceClamp::kTrap) return true;
      return fault(warp_, op_, 719, lane, "access outside of a surface, by an instruction that traps there"),
             false;
    }
    const u64 address = reinterpret_cast<u64>(at);
    if (!counts_texels && address % bytes != 0)
      return bad_access(warp_, op_, lane, address, bytes, "surface", true), false;
    return true;
  }

 private:
  Warp& warp_;
  const Op* op_;
  const Aux aux_;
  PlaceRows rows_;
  ViewOfLane surface_;
};

// {d...}, [a, {place}]. M is what the surface holds, R the register's lane.
template <typename M, typename R>
const Op* load(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  const u32 bytes = static_cast<u32>(sizeof(M)) * aux.elements;
  Places places(warp, op, aux, aux.elements);
  for (u32 rest = warp.mask(op); rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    std::byte* at = nullptr;
    if (!places.find_surface(lane) || !places.find(lane, bytes, false, at)) return nullptr;
    M values[4] = {};
    if (at != nullptr) __builtin_memcpy(values, at, bytes);
    for (u32 i = 0; i < aux.elements; ++i) warp.row<R>(op->operand(i))[lane] = values[i];
  }
  return op + aux.slots;
}

// [a, {place}], {c...}
template <typename M, typename R>
const Op* store(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  const u32 bytes = static_cast<u32>(sizeof(M)) * aux.elements;
  Places places(warp, op, aux, 0);
  for (u32 rest = warp.mask(op); rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    std::byte* at = nullptr;
    if (!places.find_surface(lane) || !places.find(lane, bytes, false, at)) return nullptr;
    if (at == nullptr) continue;
    M values[4];
    for (u32 i = 0; i < aux.elements; ++i)
      values[i] = static_cast<M>(warp.row<const R>(op->operand(places.end() + i))[lane]);
    __builtin_memcpy(at, values, bytes);
  }
  return op + aux.slots;
}

// The same by texels, with values converted to the surface's format.
const Op* store_formatted(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  Places places(warp, op, aux, 0);
  for (u32 rest = warp.mask(op); rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    std::byte* at = nullptr;
    if (!places.find_surface(lane) || !places.find(lane, places.surface().texel_bytes, true, at))
      return nullptr;
    if (at == nullptr) continue;
    Texel texel{};
    for (u32 i = 0; i < aux.elements; ++i)
      texel.bits[i] = warp.row<const u32>(op->operand(places.end() + i))[lane];
    write_texel(places.surface(), at, texel);
  }
  return op + aux.slots;
}

// [a, {place}], c
template <typename T, typename F>
const Op* reduce(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  Places places(warp, op, aux, 0);
  const T* c = warp.row<const T>(op->operand(places.end()));
  for (u32 rest = warp.mask(op); rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    std::byte* at = nullptr;
    if (!places.find_surface(lane) || !places.find(lane, sizeof(T), false, at)) return nullptr;
    if (at != nullptr) modify<T, F>(at, c[lane], false);
  }
  return op + aux.slots;
}

// By texels of 32 bits; the surface's format says whether they have signs.
template <typename F>
const Op* reduce_formatted(Warp& warp, const Op* op) {
  const Aux aux = unpack(op->aux);
  Places places(warp, op, aux, 0);
  const u32* c = warp.row<const u32>(op->operand(places.end()));
  for (u32 rest = warp.mask(op); rest != 0; rest &= rest - 1) {
    const u32 lane = first_lane(rest);
    std::byte* at = nullptr;
    if (!places.find_surface(lane)) return nullptr;
    const TextureView& surface = places.surface();
    const bool is_signed = surface.type == TexelType::kSigned32;
    if (surface.texel_bytes != 4 || (!is_signed && surface.type != TexelType::kUnsigned32))
      return fault(warp, op, 719, lane, "sured.p needs a surface of one 32-bit integer for each texel");
    if (!places.find(lane, 4, true, at)) return nullptr;
    if (at == nullptr) continue;
    if (is_signed)
      modify<s32, F>(at, static_cast<s32>(c[lane]), false);
    else
      modify<u32, F>(at, c[lane], false);
  }
  return op + aux.slots;
}

struct TypeRow {
  const char* type;
  u32 bytes;
  Handler load, store;
};
constexpr TypeRow kTypes[] = {{"b8", 1, load<u8, u16>, store<u8, u16>},
                              {"b16", 2, load<u16, u16>, store<u16, u16>},
                              {"b32", 4, load<u32, u32>, store<u32, u32>},
                              {"b64", 8, load<u64, u64>, store<u64, u64>}};
constexpr const char* kVectors[] = {"", ".", ".v2.", "", ".v4."};
constexpr const char* kCounts[] = {"", "", "x2", "", "x4"};
constexpr const char* kClamps[] = {".trap", ".clamp", ".zero"};

struct ReductionRow {
  const char *text, *type;
  Handler handler;
};
constexpr ReductionRow kReductions[] = {
    {"sured.b.add.", ".{u32,s32}", reduce<u32, Add>}, {"sured.b.add.", ".u64", reduce<u64, Add>},
    {"sured.b.min.", ".u32", reduce<u32, Min>},       {"sured.b.min.", ".s32", reduce<s32, Min>},
    {"sured.b.min.", ".u64", reduce<u64, Min>},       {"sured.b.min.", ".s64", reduce<s64, Min>},
    {"sured.b.max.", ".u32", reduce<u32, Max>},       {"sured.b.max.", ".s32", reduce<s32, Max>},
    {"sured.b.max.", ".u64", reduce<u64, Max>},       {"sured.b.max.", ".s64", reduce<s64, Max>},
    {"sured.b.and.", ".b32", reduce<u32, And>},       {"sured.b.or.", ".b32", reduce<u32, Or>},
    {"sured.p.add.", ".b32", reduce_formatted<Add>},  {"sured.p.min.", ".b32", reduce_formatted<Min>},
    {"sured.p.max.", ".b32", reduce_formatted<Max>},  {"sured.p.and.", ".b32", reduce_formatted<And>},
    {"sured.p.or.", ".b32", reduce_formatted<Or>},
};

void add_rows(FormTable& table, u32 g, SurfaceClamp clamp) {
  const Geometry geometry = kGeometries[g];
  const char* clamp_text = kClamps[static_cast<u32>(clamp)];
  const char* place = kPlaces[0][g];
  const u32 place_operands = 2 + (has_layer(geometry) ? 1 : 0) + axes_of(geometry);
  for (u32 elements : {1u, 2u, 4u}) {
    const u32 slots = (elements + place_operands + kInlineOperands - 1) / kInlineOperands;
    const u32 aux = Aux{geometry, clamp, elements, slots}.packed();
    for (const TypeRow& row : kTypes) {
      if (row.bytes * elements > 16) continue;
      const Pattern rest(kGeometryNames[g], kVectors[elements], row.type, clamp_text);
      table.add(Pattern("suld.b.", rest.text).text,
                Pattern("=", row.type, kCounts[elements], " ", place).text, row.load, aux, kRelaxedWidths);
      table.add(Pattern("sust.b.", rest.text).text, Pattern(place, " ", row.type, kCounts[elements]).text,
                row.store, aux, kRelaxedWidths);
    }
    table.add(Pattern("sust.p.", kGeometryNames[g], kVectors[elements], "b32", clamp_text).text,
              Pattern(place, " b32", kCounts[elements]).text, store_formatted, aux);
  }
  if (has_layer(geometry)) return;
  const u32 aux = Aux{geometry, clamp, 1, 1}.packed();
  for (const ReductionRow& row : kReductions) {
    const char* operand = row.type[2] == '6' ? " b64" : " b32";
    table.add(Pattern(row.text, kGeometryNames[g], row.type, clamp_text).text, Pattern(place, operand).text,
              row.handler, aux);
  }
}

}  // namespace

void add_surface_forms(FormTable& table) {
  table.begin_group("surface");
  table.ignore("suld", "ca cg cs cv");
  table.ignore("sust", "wb cg cs wt");
  for (u32 g = 0; g < 5; ++g) {
    for (SurfaceClamp clamp : {SurfaceClamp::kTrap, SurfaceClamp::kClamp, SurfaceClamp::kZero})
      add_rows(table, g, clamp);
  }
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
