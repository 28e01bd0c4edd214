#include "server/softgpu/jit/translate.h"

#include <map>
#include <optional>
#include <set>

#include "server/softgpu/exec/isa.h"
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
        simple_loops_(find_simple_loops()),
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
  // have been together since the kernel began; `reload` is where the latter comes from elsewhere.
  struct Entry {
    asmjit::Label body, together, reload, door;
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

  // A loop of one block, from its first instruction to the branch back, which machine code does all of.
  struct SimpleLoop {
    uint32_t branch;
    std::set<uint32_t> used, written;  // rows
  };

  bool find_simple_loop(uint32_t first, SimpleLoop& loop) const {
    constexpr uint32_t kLongest = 256;  // it is made twice
    const Op& back = image_.code[loop.branch];
    if (loop.branch - first > kLongest || back.guard == exec::kPredicateTrue) return false;
    for (uint32_t index = first; index < loop.branch; index = next_instruction(image_, index)) {
      const Op& op = image_.code[index];
      if (flow_of(op) != Flow::kOn || find_rule(op) == nullptr) return false;
      if (index != first && targets_[index - function_.entry]) return false;
      for (const RowUse& use : row_uses(op)) {
        loop.used.insert(op.operand(use.slot));
        if (use.is_written) loop.written.insert(op.operand(use.slot));
      }
    }
    return first == loop.branch || !targets_[loop.branch - function_.entry];
  }

  // By their first instruction.
  std::map<uint32_t, SimpleLoop> find_simple_loops() const {
    std::map<uint32_t, SimpleLoop> loops;
    for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
      const Op& op = image_.code[index];
      if (flow_of(op) != Flow::kBranch || !inside(op.imm) || op.imm >= index) continue;
      SimpleLoop loop{index, {}, {}};
      if (find_simple_loop(static_cast<uint32_t>(op.imm), loop))
        loops.emplace(static_cast<uint32_t>(op.imm), std::move(loop));
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
    if (is_new) place->second = {e_.a.newLabel(), e_.a.newLabel(), e_.a.newLabel(), e_.a.newLabel()};
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
      if (reached_) e_.rows.hand_over(e_.rows.snapshot(), *known, needed_at(index), stored_at(index));
      e_.a.bind(label(index));
      e_.arrive(*known, needed_at(index), is_target ? stored_at(index) : [](uint32_t) { return true; });
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
      return e_.exit(shapes_ ? function_.entry : exec::kNowhere, entries_.at(function_.entry).reload);
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

  // Rows that memory has wherever a loop begins again: those that it does not write.
  RowCache::Needed stored_at(uint32_t index) {
    const auto loop = simple_loops_.find(index);
    if (loop == simple_loops_.end()) return [](uint32_t) { return false; };
    return [&written = loop->second.written](uint32_t operand) { return !written.contains(operand); };
  }

  // Goes to `other` if the guard holds for no lane; if for some, the interpreter splits the warp.
  void test_guard(const asmjit::Label& other) {
    auto& a = e_.a;
    const asmjit::Label split = a.newLabel();
    e_.load_guard_first();
    a.test(x86::eax, x86::eax);
    a.jz(other);
    a.cmp(x86::eax, -1);
    a.jne(split);
    leave_to_split(split);
  }

  void count_back_edge(uint32_t target) {
    const asmjit::Label spent = e_.a.newLabel();
    e_.a.dec(x86::dword_ptr(e_.anchor.warp, offsetof(exec::Warp, budget)));
    e_.a.js(spent);
    leave_to_yield(spent, target);
  }

  // All lanes go one way, or the interpreter splits the warp.
  void branch(uint32_t target) {
    auto& a = e_.a;
    const auto loop = simple_loops_.find(target);
    if (loop != simple_loops_.end() && loop->second.branch == e_.at()) return go_round(target, loop->second);
    const asmjit::Label to = label(target), other = a.newLabel();
    if (!e_.unguarded()) test_guard(other);
    if (target <= e_.at()) count_back_edge(target);
    if (shapes_) {
      e_.rows.hand_over(e_.rows.snapshot(), *shapes_->at(target), needed_at(target), stored_at(target));
    } else {
      e_.rows.store(e_.rows.snapshot(), needed_at(target));
    }
    a.jmp(to);
    a.bind(other);
    if (!e_.unguarded()) return;
    e_.rows.flush([](uint32_t) { return false; });  // nothing gets here
    reached_ = false;
  }

  // The end of a simple loop, and once more all of it for the second time on: rows stay in registers then.
  void go_round(uint32_t first, const SimpleLoop& loop) {
    auto& a = e_.a;
    const asmjit::Label head = a.newLabel(), once = a.newLabel(), out = a.newLabel();
    const Shapes::State known = shapes_ ? *shapes_->at(first) : Shapes::State{};
    test_guard(once);
    count_back_edge(first);
    const RowCache::Snapshot after_once = e_.rows.snapshot();
    e_.rows.carry(known, needed_at(first), [&](uint32_t operand) { return loop.used.contains(operand); });
    const RowCache::Snapshot carried = e_.rows.snapshot();
    a.align(asmjit::AlignMode::kCode, 32);
    a.bind(head);
    e_.begin_again(known);
    for (uint32_t index = first; index < loop.branch; index = next_instruction(image_, index)) {
      uint32_t again = 0;
      e_.go_to(index);
      instruction(again, again);
      e_.step();
    }
    e_.go_to(loop.branch);
    test_guard(out);
    count_back_edge(first);
    e_.rows.match(e_.rows.snapshot(), carried, needed_at(first));
    a.jmp(head);
    a.bind(out);
    e_.begin_line();
    e_.rows.forget_notes();
    e_.beside([this, once, out, after_once, at_end = e_.rows.snapshot(), behind = e_.next()] {
      e_.a.bind(once);
      e_.rows.match(after_once, at_end, needed_at(behind));
      e_.a.jmp(out);
    });
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
    e_.beside([this, from, target, rows = e_.rows.snapshot(), index = e_.at()] {
      e_.a.bind(from);
      e_.rows.store(rows, needed_at(target));
      if (!shapes_) return e_.leave_with(index);
      e_.yield(target, entries_.at(target).reload);
    });
  }

  // What the interpreter's loop calls: machine code if all lanes are active, else the handler.
  void emit_entry(uint32_t index, const Entry& entry) {
    auto& a = e_.a;
    a.align(asmjit::AlignMode::kCode, 16);
    a.bind(entry.door);
    const asmjit::Label partial = a.newLabel();
    const Shapes::State* known = shapes_ ? shapes_->at(index) : nullptr;
    a.cmp(x86::dword_ptr(x86::rdi, offsetof(exec::Warp, active)), -1);
    a.jne(partial);
    if (known != nullptr) {
      const x86::Mem together = x86::dword_ptr(x86::rdi, offsetof(exec::Warp, together));
      if (index == function_.entry) {
        const asmjit::Label enough = a.newLabel();
        a.mov(x86::ecx, x86::dword_ptr(x86::rdi, offsetof(exec::Warp, in_order)));
        a.mov(x86::rax, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, launch)));
        a.cmp(x86::dword_ptr(x86::rax, offsetof(exec::Launch, param_bytes)), e_.required_parameters());
        a.jae(enough);
        a.xor_(x86::ecx, x86::ecx);  // an instruction reads beyond them, which the interpreter reports
        a.bind(enough);
        a.mov(together, x86::ecx);
      } else {
        a.mov(x86::ecx, together);
      }
      a.lea(x86::rax, x86::ptr(entry.reload));
      a.test(x86::ecx, x86::ecx);
      a.jnz(e_.enter);
    }
    a.lea(x86::rax, x86::ptr(entry.body));
    a.jmp(e_.enter);
    a.bind(partial);
    a.mov(x86::rax, reinterpret_cast<uint64_t>(image_.code[index].run));
    a.jmp(x86::rax);
    if (known == nullptr) return;
    a.bind(entry.reload);
    e_.rows.hand_over({}, *known, needed_at(index), stored_at(index));
    a.jmp(entry.together);
  }

  const ptx::Image& image_;
  const ptx::FunctionCode& function_;
  const std::vector<bool> targets_;
  Liveness live_;
  const std::vector<bool> loops_;
  const std::map<uint32_t, SimpleLoop> simple_loops_;
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
