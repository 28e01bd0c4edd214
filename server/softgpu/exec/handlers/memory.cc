// ld, st, ldu, prefetch, discard, createpolicy: data between registers and memory.
#include "server/softgpu/exec/handlers/access.h"
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/special.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

constexpr u32 aux_of(Window window, u32 elements, bool spins) {
  return static_cast<u32>(window) | elements << kElementsShift | (spins ? kSpins : 0);
}
OUTBOARD_INLINE Window window_of(const Op* op) { return static_cast<Window>(op->aux & kWindowMask); }
OUTBOARD_INLINE u32 elements_of(const Op* op) { return op->aux >> kElementsShift & kElementsMask; }

template <typename T>
OUTBOARD_INLINE T read(const std::byte* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
OUTBOARD_INLINE void write(std::byte* to, T value) {
  __builtin_memcpy(to, &value, sizeof value);
}

// One element per lane from shared memory; false if the general way must be taken.
template <typename M, typename R>
OUTBOARD_INLINE bool load_shared(Warp& warp, const Op* op) {
  alignas(64) u32 offsets[kLanes];
  Layout layout = resolve_shared(warp, op, 1, sizeof(M), offsets);
  if (layout == Layout::kFault) [[unlikely]]
    return false;
  R* d = warp.row<R>(op->r[0]);
  const std::byte* shared = warp.shared;
  if (layout == Layout::kUniform) {
    R value = static_cast<R>(read<M>(shared + offsets[0]));
    for (u32 i = 0; i < kLanes; ++i) d[i] = value;
  } else if (layout == Layout::kContiguous) {
    const std::byte* from = shared + offsets[0];
    for (u32 i = 0; i < kLanes; ++i) d[i] = static_cast<R>(read<M>(from + i * sizeof(M)));
  } else {
    alignas(64) R values[kLanes];
    for (u32 i = 0; i < kLanes; ++i) values[i] = static_cast<R>(read<M>(shared + offsets[i]));
    for (u32 i = 0; i < kLanes; ++i) d[i] = values[i];
  }
  return true;
}

template <typename M, typename R>
OUTBOARD_INLINE bool store_shared(Warp& warp, const Op* op) {
  alignas(64) u32 offsets[kLanes];
  Layout layout = resolve_shared(warp, op, 0, sizeof(M), offsets);
  if (layout == Layout::kFault) [[unlikely]]
    return false;
  const R* b = warp.row<const R>(op->r[2]);
  std::byte* shared = warp.shared;
  if (layout == Layout::kContiguous) {
    std::byte* to = shared + offsets[0];
    for (u32 i = 0; i < kLanes; ++i) write<M>(to + i * sizeof(M), static_cast<M>(b[i]));
  } else {
    for (u32 i = 0; i < kLanes; ++i) write<M>(shared + offsets[i], static_cast<M>(b[i]));
  }
  return true;
}

// {d...}, [a]. M is what memory holds, R the register's lane.
template <typename M, typename R>
const Op* load(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 elements = elements_of(op);
  if (op->aux & kSpins) warp.may_spin();
  if (elements == 1 && is_plain_shared(op, window_of(op), mask) && load_shared<M, R>(warp, op)) return op + 1;
  u32 bytes = static_cast<u32>(sizeof(M)) * elements;
  Access access;
  Layout layout = resolve(window_of(op), warp, op, elements, mask, bytes, false, access);
  if (layout == Layout::kFault) return nullptr;
  bool all = warp.covers_all(mask);
  for (u32 e = 0; e < elements; ++e) {
    R* d = warp.row<R>(op->operand(e));
    alignas(64) R values[kLanes];
    R* out = all ? d : values;
    u64 offset = e * sizeof(M);
    if (layout == Layout::kUniform) {
      R value = static_cast<R>(read<M>(access.base + offset));
      for (u32 i = 0; i < kLanes; ++i) out[i] = value;
    } else if (layout == Layout::kContiguous && all) {
      const std::byte* from = access.base + offset;
      if (elements == 1) {
        for (u32 i = 0; i < kLanes; ++i) out[i] = static_cast<R>(read<M>(from + i * sizeof(M)));
      } else {
        for (u32 i = 0; i < kLanes; ++i) out[i] = static_cast<R>(read<M>(from + u64{i} * bytes));
      }
    } else {
      if (e == 0) spread(layout, bytes, access);
      layout = Layout::kScattered;
      for_lanes(mask, [&](u32 lane) { d[lane] = static_cast<R>(read<M>(access.lane[lane] + offset)); });
      continue;
    }
    if (!all) blend(d, values, mask);
  }
  return op + 1 + elements / kInlineOperands;
}

// [a], {b...}
template <typename M, typename R>
const Op* store(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  u32 elements = elements_of(op);
  if (elements == 1 && is_plain_shared(op, window_of(op), mask) && store_shared<M, R>(warp, op))
    return op + 1;
  u32 bytes = static_cast<u32>(sizeof(M)) * elements;
  Access access;
  Layout layout = resolve(window_of(op), warp, op, 0, mask, bytes, false, access);
  if (layout == Layout::kFault) return nullptr;
  bool whole = mask == kAllLanes && layout == Layout::kContiguous;
  if (!whole) spread(layout, bytes, access);
  for (u32 e = 0; e < elements; ++e) {
    const R* b = warp.row<const R>(op->operand(2 + e));
    u64 offset = e * sizeof(M);
    if (!whole) {
      for_lanes(mask, [&](u32 lane) { write<M>(access.lane[lane] + offset, static_cast<M>(b[lane])); });
    } else if (elements == 1) {
      for (u32 i = 0; i < kLanes; ++i) write<M>(access.base + i * sizeof(M), static_cast<M>(b[i]));
    } else {
      for (u32 i = 0; i < kLanes; ++i) write<M>(access.base + u64{i} * bytes + offset, static_cast<M>(b[i]));
    }
  }
  return op + 1 + (elements + 1) / kInlineOperands;
}

// Parameters and results of calls, at an offset from the lane's frame.
OUTBOARD_INLINE std::byte* frame_at(Warp& warp, u32 lane, u32 offset) {
  constexpr u32 kPointers = special_operand(Special::kStackPointer);
  const u32* pointers = warp.row<const u32>(kPointers);
  return warp.local + u64{lane} * warp.stack_bytes + pointers[lane] + offset;
}
template <typename M, typename R>
const Op* frame_load(Warp& warp, const Op* op) {
  R* d = warp.row<R>(op->r[0]);
  for_lanes(warp.mask(op), [&](u32 lane) { d[lane] = read<M>(frame_at(warp, lane, op->r[1])); });
  return op + 1;
}
template <typename M, typename R>
const Op* frame_store(Warp& warp, const Op* op) {
  const R* b = warp.row<const R>(op->r[1]);
  for_lanes(warp.mask(op), [&](u32 lane) { write(frame_at(warp, lane, op->r[0]), static_cast<M>(b[lane])); });
  return op + 1;
}
const Op* frame_copy(Warp& warp, const Op* op) {
  for_lanes(warp.mask(op), [&](u32 lane) {
    __builtin_memmove(frame_at(warp, lane, op->r[0]), frame_at(warp, lane, op->r[1]), op->r[2]);
  });
  return op + 1;
}

const Op* nothing(Warp&, const Op* op) { return op + 1; }

// A policy is for a cache that does not exist; what its bits mean is each device's own business.
const Op* no_policy(Warp& warp, const Op* op) {
  u64* d = warp.row<u64>(op->r[0]);
  for_lanes(warp.mask(op), [&](u32 lane) { d[lane] = 0; });
  return op + 1;
}

struct TypeRow {
  const char *types, *type;
  Handler load, store;
};
constexpr TypeRow kTypes[] = {
    {".{u8,b8}", "u8", load<u8, u16>, store<u8, u16>},
    {".s8", "s8", load<s8, s16>, store<u8, u16>},
    {".{u16,b16,f16,bf16}", "b16", load<u16, u16>, store<u16, u16>},
    {".s16", "s16", load<u16, u16>, store<u16, u16>},
    {".{u32,b32,f16x2}", "b32", load<u32, u32>, store<u32, u32>},
    {".s32", "s32", load<u32, u32>, store<u32, u32>},  // apart, because wider registers get the sign
    {".f32", "f32", load<u32, u32>, store<u32, u32>},
    {".{u64,s64,b64}", "b64", load<u64, u64>, store<u64, u64>},
    {".f64", "f64", load<u64, u64>, store<u64, u64>},
    {".b128", "b128", load<u128, u128>, store<u128, u128>},
};
struct SpaceRow {
  const char* text;
  Window window;
  bool stores;
};
constexpr SpaceRow kSpaces[] = {
    {"", Window::kGeneric, true},       {".global", Window::kGlobal, true},
    {".const", Window::kGlobal, false}, {"{.shared,.shared::cta,.shared::cluster}", Window::kShared, true},
    {".local", Window::kLocal, true},   {".param", Window::kParam, false},
};

void add_rows(FormTable& table, const TypeRow& type) {
  for (const SpaceRow& space : kSpaces) {
    for (u32 elements : {1u, 2u, 4u, 8u}) {
      if (type.type[0] == 'b' && type.type[1] == '1' && type.type[2] == '2' && elements > 1) continue;
      const char* vector = elements == 1 ? "" : elements == 2 ? ".v2" : elements == 4 ? ".v4" : ".v8";
      const char* count = elements == 1 ? "" : elements == 2 ? "x2" : elements == 4 ? "x4" : "x8";
      for (int spins = 0; spins < 2; ++spins) {
        const Pattern pattern(spins ? "{ld.volatile,ld.relaxed,ld.acquire,ld.mmio.relaxed}" : "{ld,ld.weak}",
                              space.text, vector, type.types);
        table.add(pattern.text, Pattern("=", type.type, count, " []").text, type.load,
                  aux_of(space.window, elements, spins), kRelaxedWidths);
      }
      if (!space.stores) continue;
      const Pattern pattern("{st,st.weak,st.volatile,st.relaxed,st.release,st.mmio.relaxed}", space.text,
                            vector, type.types);
      table.add(pattern.text, Pattern("[] ", type.type, count, "").text, type.store,
                aux_of(space.window, elements, false), kRelaxedWidths);
    }
  }
}

}  // namespace

void add_memory_forms(FormTable& table) {
  table.begin_group("memory");
  constexpr const char* kHints =
      "ca cg cs lu cv wb wt nc L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last "
      "L1::no_allocate "
      "L2::evict_last L2::evict_normal L2::evict_first L2::64B L2::128B L2::256B L2::cache_hint cta cluster "
      "gpu "
      "sys";
  table.ignore("ld", kHints);
  table.ignore("st", kHints);
  table.ignore("ldu", kHints);
  for (const TypeRow& type : kTypes) add_rows(table, type);
  table.add("ldu[.global].{u8,b8}", "=u8 []", load<u8, u16>, aux_of(Window::kGeneric, 1, false),
            kRelaxedWidths);
  table.add("ldu[.global].{u16,s16,b16,f16}", "=b16 []", load<u16, u16>, aux_of(Window::kGeneric, 1, false),
            kRelaxedWidths);
  table.add("ldu[.global].{u32,s32,b32,f32}", "=b32 []", load<u32, u32>, aux_of(Window::kGeneric, 1, false),
            kRelaxedWidths);
  table.add("ldu[.global].{u64,s64,b64,f64}", "=b64 []", load<u64, u64>, aux_of(Window::kGeneric, 1, false),
            kRelaxedWidths);
  table.add("ldu[.global].v2.{u32,s32,b32,f32}", "=b32x2 []", load<u32, u32>,
            aux_of(Window::kGeneric, 2, false), kRelaxedWidths);
  table.add("ldu[.global].v4.{u32,s32,b32,f32}", "=b32x4 []", load<u32, u32>,
            aux_of(Window::kGeneric, 4, false), kRelaxedWidths);
  // Hints to caches that do not exist.
  table.add("prefetch{,.global,.local}.{L1,L2}", "[]", nothing);
  table.add("prefetch[.global].{L2::evict_last,L2::evict_normal}", "[]", nothing);
  table.add("prefetch{,.const,.param}.tensormap", "[]", nothing);
  table.add("prefetchu.L1", "[]", nothing);
  table.add("discard[.global].L2", "[] #", nothing);
  table.add("applypriority[.global].L2::evict_normal", "[] #", nothing);
  for (const char* second : {"", ".L2::evict_first", ".L2::evict_unchanged"}) {
    constexpr const char* kFirst = ".{L2::evict_last,L2::evict_normal,L2::evict_first,L2::evict_unchanged}";
    table.add(Pattern("createpolicy.fractional", kFirst, second, ".b64").text, "=b64 f32?", no_policy);
    table.add(Pattern("createpolicy.range[.global]", kFirst, second, ".b64").text, "=b64 [] u32 u32",
              no_policy);
  }
  table.add("createpolicy.cvt.L2.b64", "=b64 b64", no_policy);
  table.add("frame.load.b8", "=b16 #", frame_load<u8, u16>, 0, kInternal);
  table.add("frame.load.b16", "=b16 #", frame_load<u16, u16>, 0, kInternal);
  table.add("frame.load.b32", "=b32 #", frame_load<u32, u32>, 0, kInternal);
  table.add("frame.load.b64", "=b64 #", frame_load<u64, u64>, 0, kInternal);
  table.add("frame.store.b8", "# b16", frame_store<u8, u16>, 0, kInternal);
  table.add("frame.store.b16", "# b16", frame_store<u16, u16>, 0, kInternal);
  table.add("frame.store.b32", "# b32", frame_store<u32, u32>, 0, kInternal);
  table.add("frame.store.b64", "# b64", frame_store<u64, u64>, 0, kInternal);
  table.add("frame.copy", "# # #", frame_copy, 0, kInternal);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
