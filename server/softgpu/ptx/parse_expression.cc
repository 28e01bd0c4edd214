// Constant expressions: C's operators on 64-bit integers, floats only as literals.
#include <bit>

#include "server/softgpu/ptx/limits.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu::ptx {
namespace {

int precedence(const Token& token) {
  if (token.kind == TokenKind::kIdentifier) return token.text == "%" ? 10 : 0;
  if (token.kind != TokenKind::kPunctuation) return 0;
  std::string_view s = token.text;
  if (s == "*" || s == "/" || s == "%") return 10;
  if (s == "+" || s == "-") return 9;
  if (s == "<<" || s == ">>") return 8;
  if (s == "<" || s == ">" || s == "<=" || s == ">=") return 7;
  if (s == "==" || s == "!=") return 6;
  if (s == "&") return 5;
  if (s == "^") return 4;
  if (s == "|") return 3;
  if (s == "&&") return 2;
  if (s == "||") return 1;
  return 0;
}

}  // namespace

Parser::Value Parser::expression(uint32_t depth) {
  Value condition = binary(1, depth);
  if (!token_.is('?') || depth > kMaxNesting) return condition;
  take();
  Value yes = expression(depth + 1);
  expect(':');
  Value no = expression(depth + 1);
  return condition.bits != 0 ? yes : no;
}

Parser::Value Parser::binary(int minimum_precedence, uint32_t depth) {
  Value left = unary(depth);
  for (int level = precedence(token_); level >= minimum_precedence; level = precedence(token_)) {
    if (panic_ || depth > kMaxNesting) break;
    std::string_view op = token_.text;
    Position at = token_.at;
    take();
    Value right = binary(level + 1, depth + 1);
    left = apply(op, left, right, at);
  }
  return left;
}

Parser::Value Parser::apply(std::string_view op, Value left, Value right, Position at) {
  using Kind = Value::Kind;
  if (left.kind == Kind::kSymbol || right.kind == Kind::kSymbol) {
    // symbol + n, symbol - n, n + symbol
    bool plus = op == "+";
    if (left.kind == Kind::kSymbol && right.kind != Kind::kSymbol && (plus || op == "-")) {
      left.bits = plus ? left.bits + right.bits : left.bits - right.bits;
      return left;
    }
    if (right.kind == Kind::kSymbol && left.kind != Kind::kSymbol && plus) {
      right.bits += left.bits;
      return right;
    }
    diagnostics_.error(at, "an address can only have a constant added to it");
    panic_ = true;
    return left;
  }
  if (left.kind == Kind::kFloat32 || left.kind == Kind::kFloat64 || right.kind == Kind::kFloat32 ||
      right.kind == Kind::kFloat64) {
    diagnostics_.error(at, "operator '" + std::string(op) + "' on floating-point constants is not supported",
                       ErrorKind::kUnsupported);
    panic_ = true;
    return left;
  }
  bool is_unsigned = left.kind == Kind::kUnsigned || right.kind == Kind::kUnsigned;
  uint64_t a = left.bits, b = right.bits;
  int64_t sa = static_cast<int64_t>(a), sb = static_cast<int64_t>(b);
  Value result;
  result.kind = is_unsigned ? Kind::kUnsigned : Kind::kSigned;
  if (op == "+")
    result.bits = a + b;
  else if (op == "-")
    result.bits = a - b;
  else if (op == "*")
    result.bits = a * b;
  else if (op == "/" || op == "%") {
    bool overflow = !is_unsigned && sb == -1;  // INT64_MIN / -1 would trap
    if (b == 0) {
      diagnostics_.error(at, "division by zero in a constant expression");
      panic_ = true;
    } else if (overflow) {
      result.bits = op == "/" ? 0 - a : 0;
    } else if (op == "/") {
      result.bits = is_unsigned ? a / b : static_cast<uint64_t>(sa / sb);
    } else {
      result.bits = is_unsigned ? a % b : static_cast<uint64_t>(sa % sb);
    }
  } else if (op == "<<")
    result.bits = b < 64 ? a << b : 0;
  else if (op == ">>")
    result.bits =
        left.kind == Kind::kUnsigned ? (b < 64 ? a >> b : 0) : static_cast<uint64_t>(sa >> (b < 63 ? b : 63));
  else if (op == "&")
    result.bits = a & b;
  else if (op == "|")
    result.bits = a | b;
  else if (op == "^")
    result.bits = a ^ b;
  else {
    result.kind = Kind::kSigned;
    if (op == "<")
      result.bits = is_unsigned ? a < b : sa < sb;
    else if (op == ">")
      result.bits = is_unsigned ? a > b : sa > sb;
    else if (op == "<=")
      result.bits = is_unsigned ? a <= b : sa <= sb;
    else if (op == ">=")
      result.bits = is_unsigned ? a >= b : sa >= sb;
    else if (op == "==")
      result.bits = a == b;
    else if (op == "!=")
      result.bits = a != b;
    else if (op == "&&")
      result.bits = a && b;
    else
      result.bits = a || b;
  }
  return result;
}

Parser::Value Parser::unary(uint32_t depth) {
  if (depth > kMaxNesting) {
    fail_here("expression nested deeper than " + std::to_string(kMaxNesting));
    return {};
  }
  if (accept('+')) return unary(depth + 1);
  if (token_.is('-') || token_.is('~') || token_.is('!')) {
    char op = token_.text[0];
    take();
    Value value = unary(depth + 1);
    if (value.kind == Value::Kind::kSymbol) {
      fail_here("an address cannot be negated");
    } else if (value.kind == Value::Kind::kFloat64 && op == '-') {
      value.bits ^= uint64_t{1} << 63;
    } else if (value.kind == Value::Kind::kFloat32 && op == '-') {
      value.bits ^= uint64_t{1} << 31;
    } else {
      value.bits = op == '-' ? 0 - value.bits : op == '~' ? ~value.bits : value.bits == 0;
    }
    return value;
  }
  return primary(depth);
}

Parser::Value Parser::primary(uint32_t depth) {
  using Kind = Value::Kind;
  Value value;
  switch (token_.kind) {
    case TokenKind::kInteger:
      // Decimal values above 2^63-1 are unsigned even without the suffix.
      value.kind = token_.is_unsigned || token_.value >> 63 ? Kind::kUnsigned : Kind::kSigned;
      value.bits = token_.value;
      take();
      // 0xFF00(symbol) takes one byte of an address.
      if (token_.is('(') && value.bits != 0 && value.bits % 0xff == 0) {
        uint64_t mask = value.bits;
        take();
        Value inner = expression(depth + 1);
        expect(')');
        if (inner.kind != Kind::kSymbol) return inner;
        inner.symbol_shift = static_cast<uint32_t>(std::countr_zero(mask));
        inner.symbol_bytes = 1;
        return inner;
      }
      return value;
    case TokenKind::kFloat32:
    case TokenKind::kFloat64:
      value.kind = token_.kind == TokenKind::kFloat32 ? Kind::kFloat32 : Kind::kFloat64;
      value.bits = token_.value;
      take();
      return value;
    case TokenKind::kIdentifier:
      if (token_.text == "WARP_SZ") {
        value.bits = 32;
        take();
        return value;
      }
      value.symbol = token_.text;
      value.kind = Kind::kSymbol;
      take();
      // generic(symbol): every address of a variable is generic here.
      if (value.symbol == "generic" && accept('(')) {
        value = expression(depth + 1);
        expect(')');
      }
      return value;
    default: break;
  }
  if (accept('(')) {
    // (.s64) and (.u64) are casts.
    if (at_directive(".s64") || at_directive(".u64")) {
      bool is_unsigned = token_.text == ".u64";
      take();
      expect(')');
      value = unary(depth + 1);
      if (value.kind != Kind::kSymbol) value.kind = is_unsigned ? Kind::kUnsigned : Kind::kSigned;
      return value;
    }
    value = expression(depth + 1);
    expect(')');
    return value;
  }
  fail_here("expected a constant, found " + describe());
  return value;
}

uint64_t Parser::integer_expression(uint32_t depth) {
  Position at = token_.at;
  Value value = expression(depth);
  if (!panic_ && value.kind != Value::Kind::kSigned && value.kind != Value::Kind::kUnsigned) {
    diagnostics_.error(at, "expected an integer constant");
    panic_ = true;
  }
  return value.bits;
}

}  // namespace outboard::softgpu::ptx
