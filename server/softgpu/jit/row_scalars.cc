// The part of RowCache that has to do with rows of which one lane is enough.
#include <algorithm>

#include "server/softgpu/jit/row_cache.h"

namespace outboard::softgpu::jit {

namespace x86 = asmjit::x86;

x86::Mem RowCache::slot(uint32_t operand) const {
  return x86::qword_ptr(x86::rsp, frame_offset_ + 8 * shapes_->slot(operand));
}

void RowCache::bind_scalar(uint32_t operand, const Shapes::Shape& shape) {
  if (CachedRow* old = find(operand)) drop(static_cast<size_t>(old - rows_.data()));
  CachedRow row{operand, 0, {}, true, false, Nans::kCanonical, kNoShape, now_};
  row.scalar = true;
  row.lanes = shape;
  rows_.push_back(row);
}

// The lanes into the row's registers.
void RowCache::spread(const CachedRow& row) {
  const bool is32 = row.lanes.count == 2;
  const x86::Zmm first = x86::zmm(row.zmm[0]);
  x86::Mem lane = slot(row.operand);
  lane.setSize(is32 ? 4 : 8);
  const auto broadcast = is32 ? x86::Inst::kIdVpbroadcastd : x86::Inst::kIdVpbroadcastq;
  a_.emit(broadcast, first, lane);
  for (uint32_t i = row.count; i-- > 0;) {
    const x86::Zmm part = x86::zmm(row.zmm[i]);
    if (row.lanes.stride == 0) {
      if (i != 0) a_.vmovdqa64(part, first);
      continue;
    }
    x86::Mem distances = x86::zmmword_ptr(data_.multiples(row.lanes.stride, is32));
    distances.addOffset(64 * i);
    a_.emit(is32 ? x86::Inst::kIdVpaddd : x86::Inst::kIdVpaddq, part, first, distances);
  }
}

// By way of zmm0 and zmm1.
void RowCache::store_scalar_row(const CachedRow& row) {
  const bool is32 = row.lanes.count == 2;
  x86::Mem lane = slot(row.operand);
  lane.setSize(is32 ? 4 : 8);
  a_.emit(is32 ? x86::Inst::kIdVpbroadcastd : x86::Inst::kIdVpbroadcastq, x86::zmm0, lane);
  for (uint32_t i = 0; i < row.lanes.count; ++i) {
    if (row.lanes.stride == 0) {
      a_.vmovdqu64(memory(row.operand, i), x86::zmm0);
      continue;
    }
    x86::Mem distances = x86::zmmword_ptr(data_.multiples(row.lanes.stride, is32));
    distances.addOffset(64 * i);
    a_.emit(is32 ? x86::Inst::kIdVpaddd : x86::Inst::kIdVpaddq, x86::zmm1, x86::zmm0, distances);
    a_.vmovdqu64(memory(row.operand, i), x86::zmm1);
  }
}

void RowCache::load_first(const x86::Gp& to, uint32_t operand, bool is64) {
  const x86::Gp sized = is64 ? x86::Gp(to.r64()) : x86::Gp(to.r32());
  const CachedRow* row = find(operand);
  if (row != nullptr && row->scalar) {
    x86::Mem lane = slot(operand);
    lane.setSize(is64 ? 8 : 4);
    a_.mov(sized, lane);
  } else if (row != nullptr) {
    const x86::Zmm first = read(operand, row->count)[0];
    if (is64) {
      a_.vmovq(sized, first.xmm());
    } else {
      a_.vmovd(sized, first.xmm());
    }
  } else {
    x86::Mem lane = memory(operand, 0);
    lane.setSize(is64 ? 8 : 4);
    a_.mov(sized, lane);
  }
}

void RowCache::settle(const Needed& needed, const std::vector<uint32_t>& forgotten) {
  store(rows_, needed);
  std::erase_if(rows_, [&](const CachedRow& row) {
    return !row.scalar || !needed(row.operand) ||
           std::find(forgotten.begin(), forgotten.end(), row.operand) != forgotten.end();
  });
  for (CachedRow& row : rows_) {
    row.count = 0;
    row.dirty = false;
  }
  taken_ = 0;
}

// Its first lane into the slot, from memory or from a whole row.
void RowCache::load_slot(uint32_t operand) {
  a_.mov(x86::rax, memory(operand, 0));
  a_.mov(slot(operand), x86::rax);
}

void RowCache::store_first(const CachedRow& row) {
  canonicalise(parts_of(row), row.nans);
  if (row.count == 2) {
    a_.vmovd(slot(row.operand), x86::xmm(row.zmm[0]));
  } else {
    a_.vmovq(slot(row.operand), x86::xmm(row.zmm[0]));
  }
}

void RowCache::hand_over(const Snapshot& rows, const Shapes::State& to, const Needed& needed,
                         const Needed& stored) {
  const auto arrives = [&](const CachedRow& row) {
    const auto wanted = to.find(row.operand);
    return wanted != to.end() && (row.scalar ? row.lanes.count : row.count) == wanted->second.count;
  };
  for (const CachedRow& row : rows) {
    if (!needed(row.operand)) continue;
    if (row.dirty && (!arrives(row) || stored(row.operand))) store_row(row);
    if (arrives(row) && !row.scalar) store_first(row);
  }
  for (const auto& [operand, shape] : to) {
    const bool is_there = std::any_of(rows.begin(), rows.end(), [&, operand = operand](const CachedRow& row) {
      return row.operand == operand && arrives(row);
    });
    if (!is_there && needed(operand)) load_slot(operand);
  }
}

void RowCache::arrive(const Shapes::State& from, const Needed& needed, const Needed& stored) {
  rows_.clear();
  taken_ = 0;
  for (const auto& [operand, shape] : from) {
    if (!needed(operand)) continue;
    bind_scalar(operand, shape);
    rows_.back().dirty = !stored(operand);
  }
}

}  // namespace outboard::softgpu::jit
