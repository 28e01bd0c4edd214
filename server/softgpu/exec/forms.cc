#include "server/softgpu/exec/forms.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace outboard::softgpu::exec {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// The same for all orders of the modifiers: types last, in their order, the others sorted.
std::string sorted_text(std::string_view text) {
  std::vector<std::string_view> others, types;
  const size_t base = std::min(text.find('.'), text.size());
  for (std::string_view part : split(text.substr(base), '.'))
    (ptx::find_type(part) == ptx::Type::kNone ? others : types).push_back(part);
  std::sort(others.begin(), others.end());
  others.insert(others.end(), types.begin(), types.end());
  std::string sorted(text.substr(0, base));
  for (std::string_view part : others) {
    sorted += '.';
    sorted += part;
  }
  return sorted;
}

// Tables are part of the program: a malformed row is a defect that the first test run shows.
[[noreturn]] void bad_row(std::string_view what, std::string_view text) {
  std::fprintf(stderr, "softgpu: malformed instruction table: %.*s in '%.*s'\n",
               static_cast<int>(what.size()), what.data(), static_cast<int>(text.size()), text.data());
  std::abort();
}

void expand(const std::string& done, std::string_view rest, std::vector<std::string>& out) {
  size_t open = rest.find_first_of("{[");
  if (open == std::string_view::npos) {
    out.push_back(done + std::string(rest));
    return;
  }
  bool optional = rest[open] == '[';
  size_t close = rest.find(optional ? ']' : '}', open);
  if (close == std::string_view::npos) bad_row("unclosed alternative", rest);
  std::string before = done + std::string(rest.substr(0, open));
  std::string_view inside = rest.substr(open + 1, close - open - 1);
  std::string_view after = rest.substr(close + 1);
  if (optional) {
    expand(before, after, out);
    expand(before + std::string(inside), after, out);
    return;
  }
  for (;;) {
    size_t comma = inside.find(',');
    expand(before + std::string(inside.substr(0, comma)), after, out);
    if (comma == std::string_view::npos) return;
    inside.remove_prefix(comma + 1);
  }
}

// What follows a type's name as "x4". Leaves the name.
uint8_t take_count(std::string_view& text) {
  size_t x = text.rfind('x');
  // "f16x2" is a type, "f16x2x4" four of it.
  if (ptx::find_type(text) != ptx::Type::kNone || x == std::string_view::npos || text == "p") return 1;
  uint32_t count = static_cast<uint32_t>(text[x + 1] - '0');
  if (text.size() > x + 2) count = count * 10 + static_cast<uint32_t>(text[x + 2] - '0');
  text = text.substr(0, x);
  return static_cast<uint8_t>(count);
}

// "[t]", "[t,f32x2]", "[t,u32,f32x2]"
OperandSpec parse_texture_spec(std::string_view text, std::string_view signature) {
  OperandSpec spec;
  spec.role = Role::kTexture;
  spec.count = 0;
  std::vector<std::string_view> parts = split(text.substr(1, text.size() - 2), ',');
  if (parts.size() == 1) return spec;
  spec.layer = parts.size() == 3;
  spec.count = take_count(parts.back());
  spec.type = ptx::find_type(parts.back());
  if (spec.type == ptx::Type::kNone) bad_row("unknown coordinate type", signature);
  return spec;
}

OperandSpec parse_spec(std::string_view text, std::string_view signature) {
  OperandSpec spec;
  if (text.back() == '?') {
    spec.optional = true;
    text.remove_suffix(1);
  }
  if (text == "[]") return spec.role = Role::kAddress, spec;
  if (text.starts_with("[t")) return parse_texture_spec(text, signature);
  if (text == "label") return spec.role = Role::kLabel, spec;
  if (text == "#") return spec.role = Role::kInteger, spec;
  if (text == "=cc") return spec.role = Role::kCarryOut, spec.type = ptx::Type::kPred, spec;
  if (text == "cc") return spec.role = Role::kCarryIn, spec.type = ptx::Type::kPred, spec;
  if (text.front() == '=') {
    spec.role = Role::kDestination;
    text.remove_prefix(1);
  }
  if (text.ends_with("|p")) {
    spec.pair = true;
    text.remove_suffix(2);
  }
  spec.count = take_count(text);
  spec.type = text == "p" ? ptx::Type::kPred : ptx::find_type(text);
  if (spec.type == ptx::Type::kNone) bad_row("unknown operand type", signature);
  return spec;
}

}  // namespace

size_t Form::most_operands() const {
  size_t count = 0;
  for (const OperandSpec& spec : operands)
    count += spec.role != Role::kCarryIn && spec.role != Role::kCarryOut;
  return count;
}

size_t Form::least_operands() const {
  size_t count = 0;
  for (const OperandSpec& spec : operands) {
    count += spec.role != Role::kCarryIn && spec.role != Role::kCarryOut && !spec.optional;
  }
  return count;
}

const Form& Form::for_count(size_t count) const {
  for (const Form* form = this; form != nullptr; form = form->other.get()) {
    if (count >= form->least_operands() && count <= form->most_operands()) return *form;
  }
  return *this;
}

void FormTable::begin_group(const char* group) { group_ = group; }

void FormTable::ignore(const char* opcode, const char* modifiers) {
  for (std::string_view modifier : split(modifiers, ' ')) ignored_[opcode].emplace_back(modifier);
}

void FormTable::add(const char* pattern, const char* signature, Handler handler, uint32_t aux,
                    uint32_t flags) {
  std::vector<std::string> texts;
  expand("", pattern, texts);
  for (std::string& text : texts) add_one(std::move(text), signature, handler, aux, flags);
}

void FormTable::add_one(std::string text, const char* signature, Handler handler, uint32_t aux,
                        uint32_t flags) {
  auto form = std::make_unique<Form>();
  form->text = std::move(text);
  form->group = group_;
  form->handler = handler;
  form->aux = aux;
  form->flags = flags;
  for (std::string_view spec : split(signature, ' ')) form->operands.push_back(parse_spec(spec, signature));
  bases_[form->text.substr(0, form->text.find('.'))] = true;
  if (auto known = by_text_.find(form->text); known != by_text_.end()) {
    Form* last = const_cast<Form*>(known->second);
    for (;; last = last->other.get()) {
      if (last->most_operands() >= form->least_operands() &&
          form->most_operands() >= last->least_operands()) {
        bad_row("form entered twice", form->text);
      }
      if (last->other == nullptr) break;
    }
    last->other = std::move(form);
    return;
  }
  by_text_.emplace(form->text, form.get());
  if ((flags & kInternal) == 0) by_sorted_text_.emplace(sorted_text(form->text), form.get());
  forms_.push_back(std::move(form));
}

bool FormTable::knows(std::string_view base) const { return bases_.contains(std::string(base)); }

std::string FormTable::canonical(std::string_view opcode) const {
  size_t dot = opcode.find('.');
  std::string text(opcode.substr(0, dot));
  auto ignored = ignored_.find(text);
  for (std::string_view modifier : split(dot == std::string_view::npos ? "" : opcode.substr(dot + 1), '.')) {
    if (ignored != ignored_.end() &&
        std::find(ignored->second.begin(), ignored->second.end(), modifier) != ignored->second.end()) {
      continue;
    }
    text += '.';
    text += modifier;
  }
  return text;
}

const Form* FormTable::find(std::string_view opcode) const {
  if (auto exact = by_text_.find(opcode); exact != by_text_.end()) return exact->second;
  std::string text = canonical(opcode);
  if (auto found = by_text_.find(std::string_view(text)); found != by_text_.end()) return found->second;
  auto reordered = by_sorted_text_.find(sorted_text(text));
  return reordered == by_sorted_text_.end() ? nullptr : reordered->second;
}

bool isa_available(Isa isa) {
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
  if (isa != Isa::kAvx512) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// One per instruction group and instruction set; see handlers/groups.h.
void add_all_forms_avx2(FormTable& table);
void add_all_forms_avx512(FormTable& table);

const FormTable& form_table(Isa isa) {
  if (isa == Isa::kBest) isa = isa_available(Isa::kAvx512) ? Isa::kAvx512 : Isa::kAvx2;
  if (isa == Isa::kAvx512) {
    static const FormTable* table = [] {
      auto* made = new FormTable;
      add_all_forms_avx512(*made);
      return made;
    }();
    return *table;
  }
  static const FormTable* table = [] {
    auto* made = new FormTable;
    add_all_forms_avx2(*made);
    return made;
  }();
  return *table;
}

}  // namespace outboard::softgpu::exec
