#include "server/softgpu/ptx/lexer.h"

#include <array>
#include <bit>
#include <charconv>

namespace outboard::softgpu::ptx {
namespace {

enum CharClass : uint8_t { kOther = 0, kBlank = 1, kWord = 2, kDigit = 4 };

constexpr std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> classes{};
  for (unsigned c : {' ', '\t', '\r', '\n', '\f', '\v'}) classes[c] = kBlank;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = kWord;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kWord;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kWord | kDigit;
  for (unsigned c : {'_', '$', '%'}) classes[c] = kWord;
  return classes;
}
constexpr auto kClasses = make_classes();

bool is_word(char c) { return kClasses[static_cast<uint8_t>(c)] & kWord; }
bool is_digit(char c) { return kClasses[static_cast<uint8_t>(c)] & kDigit; }

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

}  // namespace

Lexer::Lexer(std::string_view text, Diagnostics& diagnostics) : text_(text), diagnostics_(&diagnostics) {
  if (size_t nul = text_.find('\0'); nul != std::string_view::npos) text_ = text_.substr(0, nul);
}

void Lexer::advance(size_t count) { at_ += count; }

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    char c = text_[at_];
    if (c == '\n') {
      ++line_;
      line_start_ = ++at_;
    } else if (kClasses[static_cast<uint8_t>(c)] & kBlank) {
      ++at_;
    } else if (c == '/' && peek(1) == '/') {
      size_t end = text_.find('\n', at_);
      at_ = end == std::string_view::npos ? text_.size() : end;
    } else if (c == '/' && peek(1) == '*') {
      size_t end = text_.find("*/", at_ + 2);
      size_t stop = end == std::string_view::npos ? text_.size() : end + 2;
      for (size_t i = at_; i < stop; ++i) {
        if (text_[i] == '\n') {
          ++line_;
          line_start_ = i + 1;
        }
      }
      at_ = stop;
    } else {
      return;
    }
  }
}

Token Lexer::finish(Token token, size_t end) {
  token.text = text_.substr(at_, end - at_);
  at_ = end;
  return token;
}

Token Lexer::next() {
  skip_blanks();
  Token token;
  token.at = Position{line_, static_cast<uint32_t>(at_ - line_start_ + 1)};
  if (at_ >= text_.size()) return token;
  char c = text_[at_];
  if (is_digit(c)) return number(token);
  if (is_word(c)) return identifier(token);
  if (c == '.' && is_word(peek(1)) && !is_digit(peek(1))) {
    size_t end = at_ + 1;
    while (end < text_.size() && is_word(text_[end])) ++end;
    // ".L1::evict_last" and ".shared::cta" are one word.
    while (end + 2 < text_.size() && text_[end] == ':' && text_[end + 1] == ':' && is_word(text_[end + 2])) {
      end += 2;
      while (end < text_.size() && is_word(text_[end])) ++end;
    }
    token.kind = TokenKind::kDirective;
    return finish(token, end);
  }
  if (c == '.' && is_digit(peek(1))) return number(token);
  if (c == '"') return string(token);
  return punctuation(token);
}

Token Lexer::identifier(Token token) {
  size_t end = at_;
  while (end < text_.size()) {
    char c = text_[end];
    if (is_word(c)) {
      ++end;
    } else if (c == '.' && end + 1 < text_.size() && is_word(text_[end + 1])) {
      ++end;
    } else if (c == ':' && end + 2 < text_.size() && text_[end + 1] == ':' && is_word(text_[end + 2])) {
      end += 2;
    } else {
      break;
    }
  }
  token.kind = TokenKind::kIdentifier;
  return finish(token, end);
}

Token Lexer::radix_integer(Token token, size_t digits_at, unsigned radix) {
  token.kind = TokenKind::kInteger;
  size_t end = digits_at;
  bool overflow = false;
  while (end < text_.size() && digit_value(text_[end]) < static_cast<int>(radix)) {
    overflow |= token.value > (~uint64_t{0} - static_cast<unsigned>(digit_value(text_[end]))) / radix;
    token.value = token.value * radix + static_cast<unsigned>(digit_value(text_[end]));
    ++end;
  }
  bool empty = end == digits_at;
  if (end < text_.size() && text_[end] == 'U') {
    token.is_unsigned = true;
    ++end;
  }
  if (empty || overflow || (end < text_.size() && is_word(text_[end]))) {
    while (end < text_.size() && is_word(text_[end])) ++end;
    token.kind = TokenKind::kInvalid;
    token = finish(token, end);
    diagnostics_->error(
        token.at, overflow ? "integer '" + std::string(token.text.substr(0, 40)) + "' does not fit in 64 bits"
                           : "malformed number '" + std::string(token.text.substr(0, 40)) + "'");
    return token;
  }
  return finish(token, end);
}

Token Lexer::float_bits(Token token, unsigned digits) {
  size_t end = at_ + 2;
  unsigned count = 0;
  while (end < text_.size() && digit_value(text_[end]) < 16 && count < digits) {
    token.value = token.value * 16 + static_cast<unsigned>(digit_value(text_[end]));
    ++end;
    ++count;
  }
  token.kind = digits == 8 ? TokenKind::kFloat32 : TokenKind::kFloat64;
  bool bad = count != digits || (end < text_.size() && is_word(text_[end]));
  if (bad) {
    while (end < text_.size() && is_word(text_[end])) ++end;
    token.kind = TokenKind::kInvalid;
  }
  token = finish(token, end);
  if (bad) {
    diagnostics_->error(token.at, "'" + std::string(token.text.substr(0, 40)) + "' is not " +
                                      std::to_string(digits) +
                                      " hexadecimal digits of a floating-point value");
  }
  return token;
}

Token Lexer::decimal_float(Token token) {
  double value = 0;
  auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
  size_t stop = static_cast<size_t>(end - text_.data());
  token.kind = TokenKind::kFloat64;
  token.value = std::bit_cast<uint64_t>(value);
  bool bad = stop == at_ || error == std::errc::invalid_argument;
  if (stop == at_) ++stop;
  token = finish(token, stop);
  if (bad) {
    token.kind = TokenKind::kInvalid;
    diagnostics_->error(token.at, "malformed number");
  }
  return token;
}

Token Lexer::number(Token token) {
  char second = peek(1);
  if (text_[at_] == '0') {
    if (second == 'x' || second == 'X') return radix_integer(token, at_ + 2, 16);
    if (second == 'b' || second == 'B') return radix_integer(token, at_ + 2, 2);
    if (second == 'f' || second == 'F') return float_bits(token, 8);
    if (second == 'd' || second == 'D') return float_bits(token, 16);
  }
  size_t end = at_;
  while (end < text_.size() && is_digit(text_[end])) ++end;
  char stop = end < text_.size() ? text_[end] : '\0';
  if (stop == '.' || stop == 'e' || stop == 'E') return decimal_float(token);
  if (text_[at_] == '0' && end > at_ + 1) return radix_integer(token, at_ + 1, 8);
  return radix_integer(token, at_, 10);
}

Token Lexer::string(Token token) {
  size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') {
    end += text_[end] == '\\' && end + 1 < text_.size() ? 2 : 1;
  }
  if (end >= text_.size() || text_[end] != '"') {
    diagnostics_->error(token.at, "string without closing quote");
    token.kind = TokenKind::kInvalid;
    return finish(token, end < text_.size() ? end : text_.size());
  }
  token.kind = TokenKind::kString;
  token.text = text_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 1;
  return token;
}

Token Lexer::punctuation(Token token) {
  char c = text_[at_];
  char second = peek(1);
  token.kind = TokenKind::kPunctuation;
  bool pair = (c == '<' && (second == '<' || second == '=')) ||
              (c == '>' && (second == '>' || second == '=')) || (c == '=' && second == '=') ||
              (c == '!' && second == '=') || (c == '&' && second == '&') || (c == '|' && second == '|');
  if (pair) return finish(token, at_ + 2);
  static constexpr std::string_view kSingles = "()[]{}<>,;:=+-*/%&|^~!?@.";
  if (kSingles.find(c) == std::string_view::npos) {
    token.kind = TokenKind::kInvalid;
    unsigned byte = static_cast<uint8_t>(c);
    diagnostics_->error(token.at, byte >= 0x20 && byte < 0x7f
                                      ? std::string("unexpected character '") + c + "'"
                                      : "unexpected byte " + std::to_string(byte));
  }
  return finish(token, at_ + 1);
}

}  // namespace outboard::softgpu::ptx
