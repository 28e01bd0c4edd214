// The instruction forms that the device executes: the coverage report, and what the front end
// checks instructions against. One table per instruction group, in handlers/<group>.inc.
//
// A row is written with alternatives: "ld.{global,const}.{u32,s32,b32,f32}" stands for eight
// forms, "add[.rn].f32" for two. A form's text is the opcode with its modifiers, except those that
// ignore() names because they change nothing here (cache hints, scopes). Modifiers may be written
// in another order than the row's (compilers and inline assembly do); only that of types matters.
//
// A signature lists operands in textual order, separated by blanks:
//   s32      source register or immediate of that type       =s32     destination
//   p  =p    predicate                                       =p|p     destination pair, second optional
//   s32x4    four of them in braces (=s32x4 likewise)        [] [g]   address
//   cc =cc   the carry flag; stands for no text              #        integer constant
//   label    branch target                                   s32?     optional, at the end
//   [t]      texture or surface                              [t,u32,f32x2]  with layer and coordinates
// A vector of three has a fourth element in the text, which nothing looks at.
// Rows of one text with different numbers of operands may stand beside one another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/softgpu/exec/isa.h"
#include "server/softgpu/exec/op.h"
#include "server/softgpu/ptx/types.h"

namespace outboard::softgpu::exec {

enum class Role : uint8_t {
  kDestination,
  kSource,
  kAddress,
  kCarryOut,
  kCarryIn,
  kInteger,
  kLabel,
  kTexture
};

// `count` is 0 for a texture without coordinates.
struct OperandSpec {
  Role role = Role::kSource;
  ptx::Type type = ptx::Type::kNone;
  uint8_t count = 1;  // elements; more than one are written in braces
  bool optional = false;
  bool pair = false;  // destination followed by an optional |predicate
  bool layer =
      false;  // of a texture: a number stands before the coordinates, which `type` and `count` describe
};

// Form::flags
inline constexpr uint32_t kRelaxedWidths = 1;  // registers may be wider than the type (ld, st, cvt)
inline constexpr uint32_t kEarlyClobber = 2;   // writes a destination before all sources are read
inline constexpr uint32_t kTerminator = 4;     // nothing is executed behind it
inline constexpr uint32_t kControl = 8;        // lowered by its own function in the front end
inline constexpr uint32_t kInternal = 16;      // made by the front end, not written in PTX

struct Form {
  std::string text;
  std::string group;
  std::vector<OperandSpec> operands;
  Handler handler = nullptr;
  uint32_t aux = 0;
  uint32_t flags = 0;
  std::unique_ptr<Form> other;  // the same text with another number of operands

  // Textual operands: carry flags do not count.
  size_t most_operands() const;
  size_t least_operands() const;
  // The one that takes `count` operands, this one if none does.
  const Form& for_count(size_t count) const;
};

class FormTable {
 public:
  // Rows of `group` follow.
  void begin_group(const char* group);
  void add(const char* pattern, const char* signature, Handler handler, uint32_t aux = 0, uint32_t flags = 0);
  // Modifiers, separated by blanks, that do not change what `opcode` does here.
  void ignore(const char* opcode, const char* modifiers);

  // The form of an opcode as written in PTX; nullptr if there is none. Thread-safe.
  const Form* find(std::string_view opcode) const;
  // The opcode's first word has forms at all.
  bool knows(std::string_view base) const;
  // Without what ignore() names.
  std::string canonical(std::string_view opcode) const;
  // In the order of the tables.
  const std::vector<std::unique_ptr<Form>>& forms() const { return forms_; }

 private:
  void add_one(std::string text, const char* signature, Handler handler, uint32_t aux, uint32_t flags);

  std::string group_;
  std::vector<std::unique_ptr<Form>> forms_;
  std::unordered_map<std::string_view, const Form*> by_text_;
  std::unordered_map<std::string, const Form*> by_sorted_text_;
  std::unordered_map<std::string, std::vector<std::string>> ignored_;
  std::unordered_map<std::string, bool> bases_;
};

// Built on first use, then constant. kBest resolves to what the processor has.
const FormTable& form_table(Isa isa);

}  // namespace outboard::softgpu::exec
