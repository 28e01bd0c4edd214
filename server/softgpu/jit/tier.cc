#include "server/softgpu/jit/tier.h"

#include "server/softgpu/jit/code.h"
#include "server/softgpu/jit/semantics.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::jit {

TranslatingTier::TranslatingTier(const ptx::Image& image, uint64_t threshold)
    : image_(image), threshold_(threshold), functions_(image.functions.size()) {}

void TranslatingTier::launching(uint32_t function, uint64_t warps) {
  State& state = functions_[function];
  if (state.done.load(std::memory_order_acquire)) return;
  if (state.warps.fetch_add(warps, std::memory_order_relaxed) + warps < threshold_) return;
  std::lock_guard lock(mutex_);
  translate_all(function);
}

// The function and everything it calls directly.
void TranslatingTier::translate_all(uint32_t function) {
  std::vector<uint32_t> waiting{function};
  while (!waiting.empty()) {
    const uint32_t index = waiting.back();
    waiting.pop_back();
    State& state = functions_[index];
    const ptx::FunctionCode& code = image_.functions[index];
    if (state.done.load(std::memory_order_relaxed) || !code.defined) continue;
    for (uint32_t at = code.entry; at < code.end; at = next_instruction(image_, at)) {
      const exec::Op& op = image_.code[at];
      if (flow_of(op) == Flow::kCall) waiting.push_back(static_cast<uint32_t>(op.imm));
    }
    state.translation = translate(image_, code);
    state.done.store(true, std::memory_order_release);
    if (!state.translation) continue;
    for (const Translation::Entry& entry : state.translation->entries())
      image_.replace(entry.index, entry.handler);
  }
}

const Translation* TranslatingTier::translation(uint32_t function) {
  std::lock_guard lock(mutex_);
  return functions_[function].translation.get();
}

std::unique_ptr<exec::Tier> make_tier(const ptx::Image& image) {
  return available() ? std::make_unique<TranslatingTier>(image) : nullptr;
}

std::unique_ptr<exec::Tier> make_eager_tier(const ptx::Image& image) {
  return available() ? std::make_unique<TranslatingTier>(image, 0) : nullptr;
}

}  // namespace outboard::softgpu::jit
