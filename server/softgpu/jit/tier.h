// When machine code is made for a function: once its launches have cost about as much as that.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "server/softgpu/exec/tier.h"
#include "server/softgpu/jit/translate.h"

namespace outboard::softgpu::jit {

// Warps of a function that the interpreter runs first. Translating takes about as long as a
// hundred warps of straight-line code (bench/README.md has the figures).
inline constexpr uint64_t kWarpsBeforeTranslation = 100;

class TranslatingTier : public exec::Tier {
 public:
  // The image outlives the tier. With `threshold` 0 the first launch is translated already.
  explicit TranslatingTier(const ptx::Image& image, uint64_t threshold = kWarpsBeforeTranslation);
  void launching(uint32_t function, uint64_t warps) override;

  // For reports: the function's translation, nullptr if there is none.
  const Translation* translation(uint32_t function);

 private:
  struct State {
    std::atomic<uint64_t> warps{0};
    std::atomic<bool> done{false};
    std::unique_ptr<Translation> translation;  // under mutex_
  };
  void translate_all(uint32_t function);

  const ptx::Image& image_;
  uint64_t threshold_;
  std::mutex mutex_;
  std::vector<State> functions_;
};

// For ptx::CompileOptions::tier; nullptr where the processor cannot.
std::unique_ptr<exec::Tier> make_tier(const ptx::Image& image);
// The same with no waiting, for tests.
std::unique_ptr<exec::Tier> make_eager_tier(const ptx::Image& image);

}  // namespace outboard::softgpu::jit
