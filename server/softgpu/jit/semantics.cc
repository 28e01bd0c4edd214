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

struct Tables {
  std::unordered_map<Key, const Rule*, HashKey> rules;
  std::unordered_map<exec::Handler, Flow> flows;
};

Flow flow_of(const exec::Form& form) {
  if (form.text == "bra") return Flow::kBranch;
  if (form.text == "brx.idx") return Flow::kIndexed;
  if (form.text == "function.call") return Flow::kCall;
  if (form.flags & exec::kTerminator || form.text.starts_with("call") ||
      form.text.starts_with("function.call"))
    return Flow::kAway;
  for (const char* group : {"control", "barrier", "shuffle", "atomic", "async_copy"}) {
    if (form.group == group) return Flow::kSuspend;
  }
  return Flow::kOn;
}

Tables make_tables() {
  Tables tables;
  const exec::FormTable& forms = exec::form_table(exec::Isa::kAvx512);
  for (const auto& form : forms.forms()) {
    for (const exec::Form* each = form.get(); each != nullptr; each = each->other.get()) {
      tables.flows.emplace(each->handler, flow_of(*each));
    }
  }
  for (std::span<const Rule> rules : {arithmetic_rules(), bit_rules(), compare_rules(), memory_rules()}) {
    for (const Rule& rule : rules) {
      if (const exec::Form* form = forms.find(rule.text))
        tables.rules.emplace(Key{form->handler, form->aux}, &rule);
    }
  }
  return tables;
}

const Tables& tables() {
  static const Tables made = make_tables();
  return made;
}

}  // namespace

const Rule* find_rule(const Op& op) {
  const auto found = tables().rules.find(Key{op.run, op.aux});
  return found == tables().rules.end() ? nullptr : found->second;
}

Flow flow_of(const Op& op) {
  const auto found = tables().flows.find(op.run);
  return found == tables().flows.end() ? Flow::kAway : found->second;
}

}  // namespace outboard::softgpu::jit
