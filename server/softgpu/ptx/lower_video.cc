// Selectors and signs of video instructions' operands.
#include "server/softgpu/ptx/lower.h"
#include "server/softgpu/ptx/video.h"

namespace outboard::softgpu::ptx {
namespace {

// "b2" or "h1" of a scalar instruction.
bool parse_part(std::string_view text, uint32_t& part) {
  if (text.size() != 2 || text[1] < '0') return false;
  const auto number = static_cast<uint32_t>(text[1] - '0');
  part = (text[0] == 'b' ? kVideoByte : kVideoHalf) + number;
  return (text[0] == 'b' && number < 4) || (text[0] == 'h' && number < 2);
}

// "b7610": the highest element first. A mask may name fewer elements, in any number.
bool parse_elements(std::string_view text, uint32_t count, bool mask, uint32_t& elements) {
  const uint32_t limit = mask ? count : 2 * count, bits = count == 4 ? 3 : 2;
  if (text.size() < 2 || text[0] != (count == 4 ? 'b' : 'h')) return false;
  if (mask ? text.size() > 1 + count : text.size() != 1 + count) return false;
  elements = 0;
  for (char c : text.substr(1)) {
    const auto number = static_cast<uint32_t>(c) - '0';
    if (number >= limit) return false;
    elements = mask ? elements | 1u << number : elements << bits | number;
  }
  return true;
}

}  // namespace

// Operands lose their selectors and signs, which the instruction carries instead.
void FunctionLowering::video(const Instruction& source, const exec::Form& form,
                             std::span<const Operand> operands) {
  const std::string_view base = source.opcode.substr(0, source.opcode.find('.'));
  const uint32_t count = base.back() == '4' ? 4 : base.back() == '2' ? 2 : 1;
  const bool multiplies = base == "vmad";
  VideoSelectors selectors;
  if (count == 4) selectors = {0xf, 03210, 07654, 0};
  if (count == 2) selectors = {0x3, 1 << 2 | 0, 3 << 2 | 2, 0};
  std::vector<Operand> plain(operands.begin(), operands.end());
  uint32_t* const fields[] = {&selectors.d, &selectors.a, &selectors.b};
  for (size_t i = 0; i < plain.size(); ++i) {
    Operand& operand = plain[i];
    if (operand.negated && i > 0) {
      if (!multiplies || source.opcode.find(".po") != std::string_view::npos)
        return error(operand.at, "'" + std::string(source.opcode) + "' takes no operand with a minus");
      selectors.negated |= 1u << (i - 1);
      operand.negated = false;
    }
    const size_t dot = operand.name.rfind('.');
    if (operand.kind != OperandKind::kName || dot == std::string_view::npos || i > 2) continue;
    const std::string_view text = operand.name.substr(dot + 1);
    if (!(count == 1 ? parse_part(text, *fields[i]) : parse_elements(text, count, i == 0, *fields[i])))
      continue;
    operand.name = operand.name.substr(0, dot);
  }
  // Where there is a second operation, the table wants a third source.
  const bool second = multiplies || !form.operands.back().optional;
  if (count == 1 && selectors.d != kVideoWhole && (second || plain.size() != 4)) {
    return error(source.at,
                 "'" + std::string(source.opcode) + "' " +
                     (second ? "writes the whole register, no part of it"
                             : "writes a part of a register, and takes a third source to merge it with"));
  }
  generic(source, form, plain);
  if (!ir_.instructions.empty()) ir_.instructions.back().imm = pack_video(selectors);
}

}  // namespace outboard::softgpu::ptx
