#include "bench/softgpu/instruction_count.h"

#include <atomic>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "server/softgpu/exec/warp.h"

namespace outboard::bench {
namespace {

using namespace softgpu;

std::vector<exec::Handler> originals;
const exec::Op* code = nullptr;
std::atomic<uint64_t> counted{0};

const exec::Op* count(exec::Warp& warp, const exec::Op* op) {
  counted.fetch_add(static_cast<uint64_t>(std::popcount(warp.mask(op))), std::memory_order_relaxed);
  return originals[static_cast<size_t>(op - code)](warp, op);
}

}  // namespace

uint64_t count_thread_instructions(const exec::LaunchRequest& request, const ptx::Image& image,
                                   exec::Device& device) {
  code = image.code.data();
  originals.clear();
  for (const exec::Op& op : image.code) originals.push_back(op.run);
  for (uint32_t i = 0; i < image.code.size(); ++i) {
    if (originals[i] != nullptr) image.replace(i, count);
  }
  counted = 0;
  const exec::LaunchResult result = exec::run(request, device);
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.message.c_str());
    std::exit(1);
  }
  return counted;
}

}  // namespace outboard::bench
