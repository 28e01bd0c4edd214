#include "server/softgpu/jit/translate.h"

#include <map>
#include <optional>

#include "server/softgpu/exec/isa.h"
#include "server/softgpu/exec/lane_facts.h"
#include "server/softgpu/jit/code.h"
#include "server/softgpu/jit/liveness.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

asmjit::JitRuntime& runtime() {
  // Never destroyed: threads may still execute when the process ends.
  static auto& made = *new asmjit::JitRuntime;
  return made;
}

// Keeps the first error; code that could not be encoded must not run.
class Errors : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error error, const char*, asmjit::BaseEmitter*) override {
    if (first == asmjit::kErrorOk) first = error;
  }
  asmjit::Error first = asmjit::kErrorOk;
};

class Translator {
 public:
  Translator(asmjit::CodeHolder& holder, const ptx::Image& image, const ptx::FunctionCode& function,
             uint32_t* range_hints)
      : image_(image),
        function_(function),
        targets_(branch_targets(image, function)),
        live_(image, function),
        loops_(find_loops()),
        e_(holder, image, live_, range_hints) {}

  void run(uint32_t& native, uint32_t& interpreted) {
    function_code(native, interpreted);
    if (function_.is_entry && !returns_to_entry()) {
      shapes_.emplace(image_, function_);
      e_.assume(&*shapes_);
      uint32_t again = 0;
      function_code(again, again);
    }
    for (const auto& [index, entry] : entries_) emit_entry(index, entry);
    e_.finish();
  }

  // Code for a place where control may come from elsewhere: for any whole warp, and for one whose lanes
  // have been together since the kernel began.
  struct Entry {
    asmjit::Label body, together, door;
  };
  const std::map<uint32_t, Entry>& entries() const { return entries_; }

 private:
  bool inside(int64_t index) const { return index >= function_.entry && index < function_.end; }

  bool returns_to_entry() const {
    for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
      const Op& op = image_.code[index];
      if (flow_of(op) == Flow::kBranch && op.imm == function_.entry) return true;
      if (flow_of(op) != Flow::kIndexed) continue;
      for (uint32_t target : image_.branch_tables[static_cast<size_t>(op.imm)]) {
        if (target == function_.entry) return true;
      }
    }
    return false;
  }

  // Between a branch back and its target.
  std::vector<bool> find_loops() const {
    std::vector<bool> loops(function_.end - function_.entry, false);
    for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
      const Op& op = image_.code[index];
      if (flow_of(op) != Flow::kBranch || !inside(op.imm)) continue;
      for (auto at = static_cast<uint32_t>(op.imm); at <= index; ++at) loops[at - function_.entry] = true;
    }
    return loops;
  }

  void function_code(uint32_t& native, uint32_t& interpreted) {
    reached_ = true;
    for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
      start(index);
      if (!reached_) continue;
      e_.go_to(index);
      e_.in_loop = loops_[index - function_.entry];
      instruction(native, interpreted);
      e_.step();
    }
    if (reached_) {
      // A function ends with an exit or a return; nothing of ours stands behind it.
      e_.rows.flush();
      e_.leave_at(function_.end);
    }
    e_.emit_beside();
  }

  asmjit::Label label(uint32_t index) {
    auto [place, is_new] = entries_.try_emplace(index);
    if (is_new) place->second = {e_.a.newLabel(), e_.a.newLabel(), e_.a.newLabel()};
    return shapes_ ? place->second.together : place->second.body;
  }

  // Code that may be entered from elsewhere finds all rows in memory, but for those with shapes.
  void start(uint32_t index) {
    const bool is_target = targets_[index - function_.entry];
    if (!is_target && !entered_) return;
    entered_ = false;
    if (!shapes_) {
      e_.rows.flush(needed_at(index));
      e_.a.bind(label(index));
      e_.begin_line();
      reached_ = true;
      return;
    }
    const Shapes::State* known = shapes_->at(index);
    if (known != nullptr) {
      if (reached_) e_.rows.hand_over(e_.rows.snapshot(), *known, needed_at(index));
      e_.a.bind(label(index));
      e_.arrive(*known, needed_at(index), is_target);
    }
    reached_ = known != nullptr;
  }

  void instruction(uint32_t& native, uint32_t& interpreted) {
    const Op& op = e_.op();
    const Flow flow = flow_of(op);
    if (flow == Flow::kBranch && inside(op.imm)) {
      ++native;
      return branch(static_cast<uint32_t>(op.imm));
    }
    if (const Rule* rule = find_rule(op)) {
      ++native;
      if (!emit_scalar(e_, law_of(op))) rule->emit(e_, rule->what, rule->count);
      return;
    }
    if (flow == Flow::kExit && e_.unguarded()) {
      ++native;
      reached_ = false;
      entered_ = true;
      e_.rows.flush([](uint32_t) { return false; });  // nobody reads them
      return e_.exit();
    }
    ++interpreted;
    if (flow == Flow::kOn) return e_.interpret();
    entered_ = true;
    if (flow == Flow::kSuspend || flow == Flow::kBarrier || !e_.unguarded()) return e_.interpret();
    e_.interpret_and_leave();
    reached_ = false;
  }

  RowCache::Needed needed_at(uint32_t index) {
    return [this, index](uint32_t operand) { return live_.live_at(index, operand); };
  }

  // All lanes go one way, or the interpreter splits the warp.
  void branch(uint32_t target) {
    auto& a = e_.a;
    const asmjit::Label to = label(target), other = a.newLabel();
    if (!e_.unguarded()) {
      const asmjit::Label split = a.newLabel();
      e_.load_guard_first();
      a.test(x86::eax, x86::eax);
      a.jz(other);
      a.cmp(x86::eax, -1);
      a.jne(split);
      leave_to_split(split);
    }
    if (shapes_) {
      e_.rows.hand_over(e_.rows.snapshot(), *shapes_->at(target), needed_at(target));
    } else {
      e_.rows.store(e_.rows.snapshot(), needed_at(target));
    }
    if (target <= e_.at()) {
      const asmjit::Label spent = a.newLabel();
      a.dec(x86::dword_ptr(e_.anchor.warp, offsetof(exec::Warp, budget)));
      a.js(spent);
      leave_to_yield(spent, target);
    }
    a.jmp(to);
    a.bind(other);
    if (!e_.unguarded()) return;
    e_.rows.flush([](uint32_t) { return false; });  // nothing gets here
    reached_ = false;
  }

  // The interpreter executes the branch: lanes part.
  void leave_to_split(const asmjit::Label& from) {
    e_.beside([this, from, rows = e_.rows.snapshot(), index = e_.at(), together = shapes_.has_value()] {
      e_.a.bind(from);
      e_.rows.store(rows);
      if (together) e_.forget_together();
      e_.leave_with(index);
    });
  }

  // The same: they go to `target` all together, later.
  void leave_to_yield(const asmjit::Label& from, uint32_t target) {
    RowCache::Snapshot rows;
    if (shapes_) rows = e_.rows.snapshot();  // else they are in memory already
    e_.beside([this, from, target, rows = std::move(rows), index = e_.at()] {
      e_.a.bind(from);
      e_.rows.store(rows, needed_at(target));
      e_.leave_with(index);
    });
  }

  // What the interpreter's loop calls: machine code if all lanes are active, else the handler.
  void emit_entry(uint32_t index, const Entry& entry) {
    auto& a = e_.a;
    a.align(asmjit::AlignMode::kCode, 16);
    a.bind(entry.door);
    const asmjit::Label partial = a.newLabel(), rows = a.newLabel();
    const Shapes::State* known = shapes_ ? shapes_->at(index) : nullptr;
    a.cmp(x86::dword_ptr(x86::rdi, offsetof(exec::Warp, active)), -1);
    a.jne(partial);
    if (known != nullptr) {
      a.mov(x86::rdx, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, bank) + 8 * exec::kBankSpecial));
      a.add(x86::rdx, exec::kLaneFactsOffset);
      const x86::Mem together = x86::dword_ptr(x86::rdx, offsetof(exec::LaneFacts, together));
      if (index == function_.entry) {
        const asmjit::Label enough = a.newLabel();
        a.mov(x86::ecx, x86::dword_ptr(x86::rdx, offsetof(exec::LaneFacts, in_order)));
        a.mov(x86::rax, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, launch)));
        a.cmp(x86::dword_ptr(x86::rax, offsetof(exec::Launch, param_bytes)), e_.required_parameters());
        a.jae(enough);
        a.xor_(x86::ecx, x86::ecx);  // an instruction reads beyond them, which the interpreter reports
        a.bind(enough);
        a.mov(together, x86::ecx);
      } else {
        a.mov(x86::ecx, together);
      }
      a.lea(x86::rax, x86::ptr(rows));
      a.test(x86::ecx, x86::ecx);
      a.jnz(e_.enter);
    }
    a.lea(x86::rax, x86::ptr(entry.body));
    a.jmp(e_.enter);
    a.bind(partial);
    a.mov(x86::rax, reinterpret_cast<uint64_t>(image_.code[index].run));
    a.jmp(x86::rax);
    if (known == nullptr) return;
    a.bind(rows);
    e_.rows.hand_over({}, *known, needed_at(index));
    a.jmp(entry.together);
  }

  const ptx::Image& image_;
  const ptx::FunctionCode& function_;
  const std::vector<bool> targets_;
  Liveness live_;
  const std::vector<bool> loops_;
  std::optional<Shapes> shapes_;  // while code for lanes that are together is made
  Emitter e_;
  bool entered_ = false;  // the interpreter may come back to the next instruction
  bool reached_ = true;   // the code so far gets to the next instruction
  std::map<uint32_t, Entry> entries_;
};

}  // namespace

bool available() { return exec::isa_available(exec::Isa::kAvx512); }

Translation::~Translation() { runtime().release(code_); }

std::unique_ptr<Translation> translate(const ptx::Image& image, const ptx::FunctionCode& function) {
  asmjit::CodeHolder holder;
  Errors errors;
  holder.init(runtime().environment());
  holder.setErrorHandler(&errors);
  auto range_hints = std::make_unique<uint32_t[]>(Emitter::kRangeHints);
  Translator translator(holder, image, function, range_hints.get());
  uint32_t native = 0, interpreted = 0;
  translator.run(native, interpreted);
  void* code = nullptr;
  if (errors.first != asmjit::kErrorOk || runtime().add(&code, &holder) != asmjit::kErrorOk) return nullptr;
  std::vector<Translation::Entry> entries;
  for (const auto& [index, entry] : translator.entries()) {
    auto* address = static_cast<std::byte*>(code) + holder.labelOffsetFromBase(entry.door);
    entries.push_back({index, reinterpret_cast<exec::Handler>(address)});
  }
  auto made = std::make_unique<Translation>(code, std::move(entries), std::move(range_hints));
  made->native = native;
  made->interpreted = interpreted;
  made->bytes = holder.codeSize();
  return made;
}

}  // namespace outboard::softgpu::jit
