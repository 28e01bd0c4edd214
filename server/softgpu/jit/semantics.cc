#include "server/softgpu/jit/semantics.h"

#include <cstring>
#include <string>
#include <unordered_map>

#include "server/softgpu/exec/forms.h"

namespace outboard::softgpu::jit {
namespace {

struct Key {
  exec::Handler handler;
  uint32_t aux;
  friend bool operator==(const Key&, const Key&) = default;
};
struct HashKey {
  size_t operator()(const Key& key) const {
    return std::hash<void*>{}(reinterpret_cast<void*>(key.handler)) ^ key.aux * 0x9e37'79b9u;
  }
};

struct Native {
  const Rule* rule;
  std::vector<RowUse> uses;
  bool elementwise;
  Law law = Law::kNone;
};

struct Tables {
  std::unordered_map<Key, Native, HashKey> natives;
  std::unordered_map<exec::Handler, Flow> flows;
};

Flow flow_of(const exec::Form& form) {
  if (form.text == "bra") return Flow::kBranch;
  if (form.text == "brx.idx") return Flow::kIndexed;
  if (form.text == "function.call") return Flow::kCall;
  if (form.flags & exec::kTerminator) return Flow::kEnd;
  if (form.text.starts_with("call") || form.text.starts_with("function.call")) return Flow::kAway;
  if (form.group == "barrier" && form.text.find("warp") == std::string::npos) return Flow::kBarrier;
  for (const char* group : {"control", "barrier", "shuffle", "atomic", "async_copy"}) {
    if (form.group == group) return Flow::kSuspend;
  }
  return Flow::kOn;
}

// Registers of a row of this type.
uint8_t registers_of(ptx::Type type) {
  return static_cast<uint8_t>(ptx::width_bytes(ptx::type_width(type)) / 2);
}

std::vector<RowUse> find_row_uses(const exec::Form& form) {
  std::vector<RowUse> uses;
  uint8_t slot = 0;
  for (const exec::OperandSpec& operand : form.operands) {
    if (operand.role == exec::Role::kAddress) {
      uses.push_back({slot, 0, false});  // 32 or 64 bits, as the instruction's flags say
      slot = static_cast<uint8_t>(slot + 2);
      continue;
    }
    const bool is_row = operand.type != ptx::Type::kPred &&
                        (operand.role == exec::Role::kDestination || operand.role == exec::Role::kSource);
    for (uint8_t i = 0; i < operand.count; ++i) {
      if (is_row)
        uses.push_back({slot, registers_of(operand.type), operand.role == exec::Role::kDestination});
      ++slot;
    }
    if (operand.pair) ++slot;
  }
  return uses;
}

Tables make_tables() {
  Tables tables;
  const exec::FormTable& forms = exec::form_table(exec::Isa::kAvx512);
  for (const auto& form : forms.forms()) {
    for (const exec::Form* each = form.get(); each != nullptr; each = each->other.get()) {
      tables.flows.emplace(each->handler, flow_of(*each));
    }
  }
  tables.flows[forms.find("exit")->handler] = Flow::kExit;
  for (std::span<const Rule> rules : {arithmetic_rules(), bit_rules(), compare_rules(), memory_rules()}) {
    // Selections look at predicates too.
    const bool elementwise = rules.data() != compare_rules().data();
    for (const Rule& rule : rules) {
      const exec::Form* form = forms.find(rule.text);
      if (form == nullptr) continue;
      tables.natives.emplace(Key{form->handler, form->aux},
                             Native{&rule, find_row_uses(*form), elementwise, Law::kNone});
    }
  }
  for (const LawRule& rule : scalar_rules()) {
    const exec::Form* form = forms.find(rule.text);
    if (form == nullptr) continue;
    const auto native = tables.natives.find(Key{form->handler, form->aux});
    if (native != tables.natives.end()) native->second.law = rule.law;
  }
  return tables;
}

const Tables& tables() {
  static const Tables made = make_tables();
  return made;
}

const Native* find_native(const Op& op) {
  const auto found = tables().natives.find(Key{op.run, op.aux});
  return found == tables().natives.end() ? nullptr : &found->second;
}

}  // namespace

const Rule* find_rule(const Op& op) {
  const Native* native = find_native(op);
  return native == nullptr ? nullptr : native->rule;
}

std::span<const RowUse> row_uses(const Op& op) {
  const Native* native = find_native(op);
  return native == nullptr ? std::span<const RowUse>() : native->uses;
}

Law law_of(const Op& op) {
  const Native* native = find_native(op);
  return native == nullptr ? Law::kNone : native->law;
}

bool is_elementwise(const Op& op) {
  const Native* native = find_native(op);
  return native != nullptr && native->elementwise;
}

Flow flow_of(const Op& op) {
  const auto found = tables().flows.find(op.run);
  return found == tables().flows.end() ? Flow::kAway : found->second;
}

}  // namespace outboard::softgpu::jit
