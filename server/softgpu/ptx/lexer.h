// PTX text to tokens. Tokens are views into the text, which must outlive them.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/softgpu/ptx/source.h"

namespace outboard::softgpu::ptx {

enum class TokenKind : uint8_t {
  kEnd,
  kIdentifier,  // with dotted parts directly behind: "%tid.x", "ld.global.f32"
  kDirective,   // one dotted word: ".reg", ".b32"
  kInteger,
  kFloat32,  // 0fXXXXXXXX: value has the bits
  kFloat64,  // 0dXXXXXXXXXXXXXXXX or decimal: value has the bits
  kString,   // text without the quotes
  kPunctuation,
  kInvalid,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool is_unsigned = false;  // integer with suffix U
  Position at;
  std::string_view text;
  uint64_t value = 0;

  bool is(char c) const { return kind == TokenKind::kPunctuation && text.size() == 1 && text[0] == c; }
  bool is(std::string_view s) const { return text == s && kind != TokenKind::kString; }
};

class Lexer {
 public:
  Lexer(std::string_view text, Diagnostics& diagnostics);
  Token next();

 private:
  void skip_blanks();
  Token identifier(Token token);
  Token number(Token token);
  Token radix_integer(Token token, size_t digits_at, unsigned radix);
  Token float_bits(Token token, unsigned digits);
  Token decimal_float(Token token);
  Token string(Token token);
  Token punctuation(Token token);
  Token finish(Token token, size_t end);
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void advance(size_t count);

  std::string_view text_;
  Diagnostics* diagnostics_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  size_t line_start_ = 0;
};

}  // namespace outboard::softgpu::ptx
