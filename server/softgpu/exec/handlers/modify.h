// Changing a value in memory, atomically towards other threads.
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

struct Exchange {
  template <typename T>
  OUTBOARD_INLINE T operator()(T, T b) const {
    return b;
  }
};
// The old value.
template <typename T, typename F>
OUTBOARD_INLINE T modify(std::byte* at, T operand, bool private_memory) {
  using U = UnsignedOf<T>;
  auto* word = reinterpret_cast<U*>(at);
  if (private_memory) {
    T old = bits_as<T>(*word);
    *word = bits_as<U>(F{}(old, operand));
    return old;
  }
  if constexpr (std::is_integral_v<T> && sizeof(T) >= 4) {
    if constexpr (std::is_same_v<F, Add>)
      return static_cast<T>(__atomic_fetch_add(word, static_cast<U>(operand), __ATOMIC_SEQ_CST));
    if constexpr (std::is_same_v<F, Exchange>)
      return static_cast<T>(__atomic_exchange_n(word, static_cast<U>(operand), __ATOMIC_SEQ_CST));
  }
  U old = __atomic_load_n(word, __ATOMIC_RELAXED);
  for (;;) {
    U fresh = bits_as<U>(F{}(bits_as<T>(old), operand));
    if (__atomic_compare_exchange_n(word, &old, fresh, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
      return bits_as<T>(old);
  }
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
