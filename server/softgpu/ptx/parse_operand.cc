// Operands of instructions.
#include "server/softgpu/ptx/limits.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu::ptx {

void Parser::store_elements(Operand& operand, const std::vector<Operand>& elements) {
  operand.first_element = static_cast<uint32_t>(module_.operands.size());
  operand.element_count = static_cast<uint32_t>(elements.size());
  module_.operands.insert(module_.operands.end(), elements.begin(), elements.end());
}

// Reads operands separated by commas up to `end`, which it leaves in place.
void Parser::operand_list(char end, std::vector<Operand>& list, uint32_t depth) {
  while (!panic_ && !token_.is(end)) {
    if (list.size() == kMaxOperands)
      return fail_here("more than " + std::to_string(kMaxOperands) + " operands");
    list.push_back(operand(depth));
    if (!accept(',')) break;
  }
}

Operand Parser::operand(uint32_t depth) {
  Operand first = single_operand(depth);
  if (!token_.is('|') || panic_) return first;
  Operand pair;
  pair.kind = OperandKind::kPair;
  pair.at = first.at;
  std::vector<Operand> elements{first};
  take();
  elements.push_back(single_operand(depth));
  store_elements(pair, elements);
  return pair;
}

Operand Parser::group_operand(OperandKind kind, char end, uint32_t depth) {
  Operand group;
  group.kind = kind;
  group.at = token_.at;
  take();
  std::vector<Operand> elements;
  if (depth >= kMaxNesting) {
    fail_here("operands nested deeper than " + std::to_string(kMaxNesting));
    return group;
  }
  operand_list(end, elements, depth + 1);
  expect(end);
  store_elements(group, elements);
  return group;
}

// "+ constant" behind a name.
void Parser::name_offset(Operand& operand) {
  while (token_.is('+') || token_.is('-')) {
    bool minus = token_.is('-');
    take();
    Value value = binary(10, 0);
    if (!panic_ && value.kind != Value::Kind::kSigned && value.kind != Value::Kind::kUnsigned) {
      return fail_here("expected an integer offset");
    }
    operand.value = minus ? operand.value - value.bits : operand.value + value.bits;
  }
}

Operand Parser::address_operand(uint32_t depth) {
  Operand address;
  address.kind = OperandKind::kAddress;
  address.at = token_.at;
  take();
  if (token_.kind == TokenKind::kIdentifier) {
    address.name = token_.text;
    take();
    name_offset(address);
  } else {
    address.value = integer_expression();
  }
  std::vector<Operand> elements;
  if (accept(',')) operand_list(']', elements, depth + 1);
  expect(']');
  accept_directive(".unified");  // all lanes read one address: a hint
  store_elements(address, elements);
  return address;
}

Operand Parser::single_operand(uint32_t depth) {
  Operand operand;
  operand.at = token_.at;
  if (token_.is('{')) return group_operand(OperandKind::kVector, '}', depth);
  if (token_.is('[')) return address_operand(depth);
  // Only a call has lists in parentheses, and only at the outermost level; elsewhere a
  // parenthesis opens a constant expression.
  if (token_.is('(') && depth == 0 && in_call_) return group_operand(OperandKind::kList, ')', depth);
  if (accept('!')) operand.negated = true;
  if (token_.is('-')) {
    // A minus in front of a register occurs nowhere else than in video instructions.
    Lexer saved_lexer = lexer_;
    Token saved = token_;
    take();
    if (token_.kind == TokenKind::kIdentifier && token_.text.starts_with("%")) {
      operand.negated = true;
    } else {
      lexer_ = saved_lexer;
      token_ = saved;
    }
  }
  if (token_.kind == TokenKind::kIdentifier && token_.text != "WARP_SZ") {
    operand.name = token_.text;
    if (operand.name == "_") operand.kind = OperandKind::kSink;
    take();
    // generic(symbol) + n
    if (operand.name == "generic" && accept('(')) {
      operand.name = token_.text;
      if (token_.kind != TokenKind::kIdentifier)
        fail_here("expected a name, found " + describe());
      else
        take();
      name_offset(operand);
      expect(')');
    }
    name_offset(operand);
    return operand;
  }
  Value value = expression(depth);
  operand.value = value.bits;
  switch (value.kind) {
    case Value::Kind::kFloat32: operand.kind = OperandKind::kFloat32; break;
    case Value::Kind::kFloat64: operand.kind = OperandKind::kFloat64; break;
    case Value::Kind::kSymbol: operand.name = value.symbol; break;
    default: operand.kind = OperandKind::kInteger; break;
  }
  return operand;
}

}  // namespace outboard::softgpu::ptx
