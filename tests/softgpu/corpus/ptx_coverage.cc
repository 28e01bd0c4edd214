// softgpu_ptx_coverage FILE...: compiles all PTX in the files (texts, or binaries with fat binaries
// inside) and reports what the software device refuses, most frequent first.
//   --forms          lists the instruction forms that it executes instead.
//   --used FILE...   lists the forms that the files use, with what the device ignores left out:
//                    what tests/softgpu/corpus/used_forms.txt is made of.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/softgpu/exec/forms.h"
#include "server/softgpu/image/decompress.h"
#include "server/softgpu/image/fatbin.h"
#include "server/softgpu/ptx/image.h"
#include "server/softgpu/ptx/module.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu {
namespace {

struct Totals {
  std::map<std::string, size_t> reasons;
  size_t texts = 0, broken = 0, kernels = 0, refused = 0, operations = 0, bytes = 0;
  double seconds = 0, slowest = 0;
};

// "ptx 12:3: error: 'x': this form ..." without the place.
std::string reason_of(const std::string& line) {
  size_t at = line.find(": ");
  std::string reason = at == std::string::npos ? line : line.substr(at + 2);
  for (const char* prefix : {"error: ", "note: "}) {
    if (reason.starts_with(prefix)) reason = reason.substr(std::strlen(prefix));
  }
  if (reason.starts_with("function '")) reason = reason.substr(reason.find("' is unusable: ") + 15);
  return reason;
}

void compile_text(std::string_view text, Totals& totals) {
  ptx::JitLog log;
  ptx::CompileOptions options;
  options.refuse_module = false;
  auto begin = std::chrono::steady_clock::now();
  auto program = ptx::compile(text, log, options);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  totals.seconds += seconds;
  totals.slowest = std::max(totals.slowest, seconds);
  ++totals.texts;
  totals.bytes += text.size();
  if (!program) {
    ++totals.broken;
    ++totals.reasons["(whole text) " + reason_of(program.error().message)];
    return;
  }
  totals.operations += (*program)->image().code.size();
  for (const ptx::Kernel& kernel : (*program)->kernels()) {
    ++totals.kernels;
    if (kernel.refusal.empty()) continue;
    ++totals.refused;
    ++totals.reasons[reason_of(kernel.refusal)];
  }
}

void note_forms(std::string_view text, std::set<std::string>& used) {
  const exec::FormTable& table = exec::form_table(exec::Isa::kBest);
  ptx::Diagnostics diagnostics(20);
  const ptx::Module module = ptx::Parser(text, diagnostics).parse();
  for (const ptx::Function& function : module.functions) {
    for (const ptx::Instruction& instruction : function.instructions) {
      std::string opcode(instruction.opcode);
      // Parameters of calls are local memory here.
      if (opcode.starts_with("st.param.")) opcode.replace(3, 5, "local");
      const exec::Form* form = table.find(opcode);
      used.insert(form != nullptr ? form->text : table.canonical(opcode));
    }
  }
}

using TextFunction = std::function<void(std::string_view)>;

void read_containers(std::span<const std::byte> data, const TextFunction& take) {
  for (size_t at = 0; at + image::kFatbinHeaderBytes <= data.size(); at += 8) {
    uint32_t magic;
    std::memcpy(&magic, data.data() + at, 4);
    if (magic != image::kFatbinMagic) continue;
    auto bytes = image::fatbin_bytes(data.subspan(at));
    if (!bytes || *bytes > data.size() - at) continue;
    auto entries = image::read_fatbin(data.subspan(at, *bytes));
    if (!entries) continue;
    std::vector<image::FatbinEntry> ranked = image::rank_ptx(*entries, 90);
    if (ranked.empty()) continue;
    auto text = image::decompress(ranked[0].compression, ranked[0].payload, ranked[0].expanded_bytes);
    if (text) take({reinterpret_cast<const char*>(text->data()), text->size()});
    at += *bytes - 8;
  }
}

// Calls take(text) for all PTX in the files.
void read_files(std::span<const std::string> files, const TextFunction& take) {
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::string data{std::istreambuf_iterator<char>(in), {}};
    if (data.find(".version") < 4096 && data.find('\0') == std::string::npos)
      take(data);
    else
      read_containers(std::as_bytes(std::span(data)), take);
  }
}

int list_used(std::span<const std::string> files) {
  std::set<std::string> used;
  read_files(files, [&](std::string_view text) { note_forms(text, used); });
  for (const std::string& form : used) std::printf("%s\n", form.c_str());
  return 0;
}

int report(std::span<const std::string> files) {
  Totals totals;
  read_files(files, [&](std::string_view text) { compile_text(text, totals); });
  std::multimap<size_t, std::string, std::greater<>> sorted;
  for (const auto& [reason, count] : totals.reasons) sorted.emplace(count, reason);
  for (const auto& [count, reason] : sorted) std::printf("%6zu  %s\n", count, reason.c_str());
  std::printf(
      "%zu texts (%zu refused), %zu kernels (%zu refused), %.1f MB, %zu operations, %.2f s, slowest %.0f "
      "ms\n",
      totals.texts, totals.broken, totals.kernels, totals.refused, static_cast<double>(totals.bytes) / 1e6,
      totals.operations, totals.seconds, totals.slowest * 1e3);
  return totals.refused + totals.broken == 0 ? 0 : 1;
}

int list_forms() {
  for (const auto& form : exec::form_table(exec::Isa::kBest).forms()) {
    if ((form->flags & exec::kInternal) == 0)
      std::printf("%-12s %s\n", form->group.c_str(), form->text.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace outboard::softgpu

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--forms") return outboard::softgpu::list_forms();
  if (arguments.size() > 1 && arguments[0] == "--used")
    return outboard::softgpu::list_used(std::span(arguments).subspan(1));
  return outboard::softgpu::report(arguments);
}
