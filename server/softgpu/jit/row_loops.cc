// The part of RowCache that keeps rows in registers while a loop goes round.
#include <algorithm>

#include "server/softgpu/jit/row_cache.h"

namespace outboard::softgpu::jit {

namespace x86 = asmjit::x86;

namespace {

const CachedRow* find_in(const RowCache::Snapshot& rows, uint32_t operand) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const CachedRow& row) { return row.operand == operand; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

void RowCache::forget_notes() {
  taken_ = 0;
  for (CachedRow& row : rows_) {
    row.shape = kNoShape;
    row.flushed = false;
    if (row.scalar) row.count = 0;
    for (uint32_t i = 0; i < row.count; ++i) taken_ |= 1u << row.zmm[i];
  }
}

void RowCache::carry(const Shapes::State& known, const Needed& needed, const Needed& used) {
  Snapshot to;
  for (const CachedRow& row : rows_) {
    const bool is_known = known.contains(row.operand);
    if (needed(row.operand) && (is_known ? row.scalar : !row.scalar && used(row.operand))) to.push_back(row);
  }
  for (const auto& [operand, shape] : known) {
    if (!needed(operand) || find_in(to, operand) != nullptr) continue;
    CachedRow row{operand, 0, {}, true, false, Nans::kCanonical, kNoShape, now_};
    row.scalar = true;
    row.lanes = shape;
    to.push_back(row);
  }
  match(rows_, to, needed);
  rows_ = std::move(to);
  forget_notes();
}

void RowCache::match(const Snapshot& from, const Snapshot& to, const Needed& needed) {
  const auto same_width = [](const CachedRow& a, const CachedRow& b) {
    return (a.scalar ? a.lanes.count : a.count) == (b.scalar ? b.lanes.count : b.count);
  };
  for (const CachedRow& row : from) {
    const CachedRow* wanted = find_in(to, row.operand);
    const bool goes_on = wanted != nullptr && wanted->dirty && same_width(row, *wanted);
    if (row.dirty && needed(row.operand) && !goes_on) store_row(row);
  }
  std::vector<std::pair<uint8_t, uint8_t>> moves;
  std::vector<const CachedRow*> missing;
  for (const CachedRow& wanted : to) {
    if (!needed(wanted.operand)) continue;
    const CachedRow* row = find_in(from, wanted.operand);
    if (row != nullptr && !same_width(*row, wanted)) row = nullptr;
    if (wanted.scalar) {
      if (row == nullptr) load_slot(wanted.operand);
      if (row != nullptr && !row->scalar) store_first(*row);
    } else if (row == nullptr || row->scalar) {
      missing.push_back(&wanted);
    } else {
      if (wanted.nans == Nans::kCanonical) canonicalise(parts_of(*row), row->nans);
      for (uint32_t i = 0; i < wanted.count; ++i) moves.emplace_back(row->zmm[i], wanted.zmm[i]);
    }
  }
  move_parts(std::move(moves));
  for (const CachedRow* wanted : missing) {
    const CachedRow* row = find_in(from, wanted->operand);
    if (row != nullptr && same_width(*row, *wanted)) {
      CachedRow spread_row = *row;
      spread_row.count = wanted->count;
      spread_row.zmm = wanted->zmm;
      spread(spread_row);
      continue;
    }
    for (uint32_t i = 0; i < wanted->count; ++i)
      a_.vmovdqu64(x86::zmm(wanted->zmm[i]), memory(wanted->operand, i));
  }
}

// All at once: from the first to the second of each pair. Where they go round in a circle, zmm0 helps.
void RowCache::move_parts(std::vector<std::pair<uint8_t, uint8_t>> moves) {
  std::erase_if(moves, [](const auto& move) { return move.first == move.second; });
  while (!moves.empty()) {
    const auto free = std::find_if(moves.begin(), moves.end(), [&](const auto& move) {
      return std::none_of(moves.begin(), moves.end(),
                          [&](const auto& other) { return other.first == move.second; });
    });
    if (free != moves.end()) {
      a_.vmovdqa64(x86::zmm(free->second), x86::zmm(free->first));
      moves.erase(free);
      continue;
    }
    const uint8_t moved = moves.front().first;
    a_.vmovdqa64(x86::zmm0, x86::zmm(moved));
    for (auto& move : moves) {
      if (move.first == moved) move.first = 0;
    }
  }
}

}  // namespace outboard::softgpu::jit
