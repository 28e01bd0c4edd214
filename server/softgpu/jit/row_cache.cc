#include "server/softgpu/jit/row_cache.h"

#include <algorithm>

#include "server/softgpu/exec/op.h"
#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::jit {

namespace x86 = asmjit::x86;

x86::Mem RowCache::memory(uint32_t operand, uint32_t part) {
  const auto offset = static_cast<int32_t>((operand & ~(exec::kRowUnit - 1)) + 64 * part);
  switch (operand & 3) {
    case exec::kBankRegisters: return x86::zmmword_ptr(anchors_.registers, offset);
    case exec::kBankConstants: return x86::zmmword_ptr(anchors_.constants, offset);
    default: break;
  }
  // Special registers are read once or twice, at the start of a kernel.
  a_.mov(x86::rax,
         x86::qword_ptr(anchors_.warp, static_cast<int32_t>(offsetof(exec::Warp, bank) + 8 * (operand & 3))));
  return x86::zmmword_ptr(x86::rax, offset);
}

CachedRow* RowCache::find(uint32_t operand) {
  auto found =
      std::find_if(rows_.begin(), rows_.end(), [&](const CachedRow& row) { return row.operand == operand; });
  return found == rows_.end() ? nullptr : &*found;
}

Parts RowCache::parts_of(const CachedRow& row) const {
  Parts parts;
  parts.count = row.count;
  for (uint32_t i = 0; i < row.count; ++i) parts.zmm[i] = x86::zmm(row.zmm[i]);
  return parts;
}

void RowCache::drop(size_t index) {
  for (uint32_t i = 0; i < rows_[index].count; ++i) taken_ &= ~(1u << rows_[index].zmm[i]);
  rows_.erase(rows_.begin() + static_cast<ptrdiff_t>(index));
}

// The row that was not used for longest and that the current instruction does not need.
void RowCache::evict_one() {
  size_t oldest = rows_.size();
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].count == 0 || pinned_[rows_[i].zmm[0]] == now_) continue;
    if (oldest == rows_.size() || rows_[i].used < rows_[oldest].used) oldest = i;
  }
  CachedRow& row = rows_[oldest];
  if (row.scalar) {
    for (uint32_t i = 0; i < row.count; ++i) taken_ &= ~(1u << row.zmm[i]);
    row.count = 0;
    return;
  }
  if (row.dirty) store_row(row);
  drop(oldest);
}

uint32_t RowCache::take() {
  for (;;) {
    for (uint32_t number = kFirst; number < kEnd; ++number) {
      if (taken_ >> number & 1) continue;
      taken_ |= 1u << number;
      pinned_[number] = now_;
      return number;
    }
    evict_one();
  }
}

Parts RowCache::fresh(uint32_t count) {
  Parts parts;
  parts.count = count;
  for (uint32_t i = 0; i < count; ++i) parts.zmm[i] = x86::zmm(take());
  return parts;
}

void RowCache::release(const Parts& parts) {
  for (uint32_t i = 0; i < parts.count; ++i) taken_ &= ~(1u << parts[i].id());
}

Parts RowCache::read_any_nan(uint32_t operand, uint32_t count) {
  CachedRow* row = find(operand);
  if (row != nullptr && (row->scalar ? row->lanes.count : row->count) != count) {
    // The same place with lanes of another width.
    if (row->dirty) store_row(*row);
    drop(static_cast<size_t>(row - rows_.data()));
    row = nullptr;
  }
  if (row == nullptr || row->count == 0) {
    CachedRow fresh_row{operand, static_cast<uint8_t>(count), {}, false, false, Nans::kCanonical, kNoShape,
                        now_};
    if (row != nullptr) {
      fresh_row.dirty = row->dirty;
      fresh_row.scalar = true;
      fresh_row.lanes = row->lanes;
    }
    for (uint32_t i = 0; i < count; ++i) fresh_row.zmm[i] = static_cast<uint8_t>(take());
    if (fresh_row.scalar) {
      spread(fresh_row);
      *(row = find(operand)) = fresh_row;
    } else {
      for (uint32_t i = 0; i < count; ++i) a_.vmovdqu64(x86::zmm(fresh_row.zmm[i]), memory(operand, i));
      rows_.push_back(fresh_row);
      row = &rows_.back();
    }
  }
  row->used = now_;
  for (uint32_t i = 0; i < count; ++i) pinned_[row->zmm[i]] = now_;
  return parts_of(*row);
}

Parts RowCache::read(uint32_t operand, uint32_t count) {
  Parts parts = read_any_nan(operand, count);
  CachedRow& row = *find(operand);
  canonicalise(parts, row.nans);
  row.nans = Nans::kCanonical;
  return parts;
}

void RowCache::canonicalise(const Parts& parts, Nans nans) {
  constexpr uint8_t kUnordered = 3;  // of VCMPPS
  if (nans == Nans::kCanonical) return;
  for (uint32_t i = 0; i < parts.count; ++i) {
    const x86::Zmm& part = parts[i];
    if (nans == Nans::kAny32) {
      a_.vcmpps(x86::k1, part, part, kUnordered);
      a_.k(x86::k1).vpbroadcastd(part, x86::dword_ptr(anchors_.nan32));
    } else {
      a_.vcmppd(x86::k1, part, part, kUnordered);
      a_.k(x86::k1).vpbroadcastq(part, x86::qword_ptr(anchors_.nan64));
    }
  }
}

void RowCache::store_row(const CachedRow& row) {
  if (row.count == 0) return store_scalar_row(row);
  canonicalise(parts_of(row), row.nans);
  for (uint32_t i = 0; i < row.count; ++i) a_.vmovdqu64(memory(row.operand, i), x86::zmm(row.zmm[i]));
}

void RowCache::bind(uint32_t operand, const Parts& parts, Nans nans, bool flushed) {
  if (CachedRow* old = find(operand)) {
    const bool in_place = old->count != 0 && old->zmm[0] == parts[0].id();
    const size_t index = static_cast<size_t>(old - rows_.data());
    if (in_place) {
      rows_.erase(rows_.begin() + static_cast<ptrdiff_t>(index));
    } else {
      drop(index);
    }
  }
  CachedRow row{operand, static_cast<uint8_t>(parts.count), {}, true, flushed, nans, kNoShape, now_};
  for (uint32_t i = 0; i < parts.count; ++i) row.zmm[i] = static_cast<uint8_t>(parts[i].id());
  rows_.push_back(row);
}

void RowCache::flush(const Needed& needed) {
  store(rows_, needed);
  rows_.clear();
  taken_ = 0;
}

void RowCache::store(const Snapshot& rows, const Needed& needed) {
  for (const CachedRow& row : rows) {
    if (row.dirty && needed(row.operand)) store_row(row);
  }
}

void RowCache::load(const Snapshot& rows, const std::vector<uint32_t>& except) {
  for (const CachedRow& row : rows) {
    if (std::find(except.begin(), except.end(), row.operand) != except.end()) continue;
    for (uint32_t i = 0; i < row.count; ++i) a_.vmovdqu64(x86::zmm(row.zmm[i]), memory(row.operand, i));
  }
}

}  // namespace outboard::softgpu::jit
