#include "server/softgpu/ptx/parser.h"

#include "server/softgpu/ptx/limits.h"

namespace outboard::softgpu::ptx {

Parser::Parser(std::string_view text, Diagnostics& diagnostics)
    : diagnostics_(diagnostics), lexer_(text, diagnostics) {
  take();
}

void Parser::take() { token_ = lexer_.next(); }

bool Parser::accept(char c) {
  if (!token_.is(c)) return false;
  take();
  return true;
}

bool Parser::expect(char c) {
  if (accept(c)) return true;
  fail_here(std::string("expected '") + c + "', found " + describe());
  return false;
}

bool Parser::accept_directive(std::string_view name) {
  if (!at_directive(name)) return false;
  take();
  return true;
}

std::string Parser::describe() const {
  if (token_.kind == TokenKind::kEnd) return "the end of the text";
  if (token_.kind == TokenKind::kString) return "a string";
  return "'" + std::string(token_.text.substr(0, 60)) + "'";
}

void Parser::fail_here(const std::string& message) {
  if (!panic_ && token_.kind != TokenKind::kInvalid) diagnostics_.error(token_.at, message);
  panic_ = true;
}

// Skips to behind the next ';', or to a '}' or module-level directive, whichever comes first.
void Parser::recover() {
  if (!panic_) return;
  panic_ = false;
  while (token_.kind != TokenKind::kEnd && !token_.is('}')) {
    if (accept(';')) return;
    if (at_directive(".entry") || at_directive(".func") || at_directive(".visible")) return;
    take();
  }
}

Module Parser::parse() {
  if (!at_directive(".version")) fail_here("expected .version as the first statement, found " + describe());
  panic_ = false;
  while (token_.kind != TokenKind::kEnd && !diagnostics_.full()) {
    statement();
    if (panic_) {
      recover();
      accept('}');
    }
  }
  if (module_.version_major == 0 && !diagnostics_.failed())
    diagnostics_.error({1, 1}, "the text has no .version");
  if (module_.target.empty() && !diagnostics_.failed()) diagnostics_.error({1, 1}, "the text has no .target");
  return std::move(module_);
}

void Parser::statement() {
  if (accept(';')) return;
  if (token_.kind != TokenKind::kDirective) {
    fail_here("expected a directive, found " + describe());
    take();
    return;
  }
  if (accept_directive(".version")) return version();
  if (accept_directive(".target")) return target();
  if (accept_directive(".address_size")) return address_size();
  if (accept_directive(".loc")) return skip_location();
  if (accept_directive(".alias")) return alias();
  if (accept_directive(".section")) return skip_section();
  if (at_directive(".file") || at_directive(".pragma")) {
    // .file 1 "name"[, time, size]: no semicolon; .pragma "text";
    take();
    while (token_.kind == TokenKind::kInteger || token_.kind == TokenKind::kString || token_.is(',')) take();
    accept(';');
    return;
  }
  linked_declaration();
}

void Parser::linked_declaration() {
  Linkage linkage = Linkage::kInternal;
  for (;;) {
    if (accept_directive(".visible"))
      linkage = Linkage::kVisible;
    else if (accept_directive(".extern"))
      linkage = Linkage::kExtern;
    else if (accept_directive(".weak"))
      linkage = Linkage::kWeak;
    else if (accept_directive(".common"))
      linkage = Linkage::kCommon;
    else
      break;
  }
  if (accept_directive(".entry")) return function(linkage, true);
  if (accept_directive(".func")) return function(linkage, false);
  module_variable(linkage);
}

void Parser::module_variable(Linkage linkage) {
  StateSpace space;
  if (accept_directive(".global"))
    space = StateSpace::kGlobal;
  else if (accept_directive(".const"))
    space = StateSpace::kConstant;
  else if (accept_directive(".shared"))
    space = StateSpace::kShared;
  else if (accept_directive(".local"))
    space = StateSpace::kLocal;
  else if (accept_directive(".tex"))
    space = StateSpace::kTexture;
  else {
    fail_here("unknown directive " + describe() + " at module level");
    take();
    return;
  }
  variables(space, linkage, module_.variables);
}

void Parser::version() {
  // "9.0" lexes as a decimal float; its text has the digits.
  std::string_view text = token_.text;
  size_t dot = text.find('.');
  auto number = [](std::string_view digits) {
    uint32_t value = 0;
    for (char c : digits)
      value = c >= '0' && c <= '9' && value < 1000 ? value * 10 + static_cast<uint32_t>(c - '0') : 9999;
    return value;
  };
  if (token_.kind != TokenKind::kFloat64 || dot == std::string_view::npos) {
    return fail_here("expected a version such as 8.0, found " + describe());
  }
  module_.version_major = number(text.substr(0, dot));
  module_.version_minor = number(text.substr(dot + 1));
  if (module_.version_major > kMaxPtxMajor) {
    diagnostics_.error(token_.at,
                       "PTX ISA version " + std::string(text) + " is newer than " +
                           std::to_string(kMaxPtxMajor) + ".x, the newest that is understood",
                       ErrorKind::kUnsupported);
  }
  take();
}

void Parser::target() {
  do {
    if (token_.kind != TokenKind::kIdentifier)
      return fail_here("expected a target such as sm_90, found " + describe());
    if (token_.text.starts_with("sm_") || token_.text.starts_with("compute_")) {
      module_.target = token_.text;
      uint32_t number = 0;
      for (char c : token_.text) {
        if (c >= '0' && c <= '9' && number < 10000) number = number * 10 + static_cast<uint32_t>(c - '0');
      }
      module_.target_number = number;
    }
    module_.maps_doubles |= token_.text == "map_f64_to_f32";
    take();
  } while (accept(','));
}

void Parser::address_size() {
  if (token_.kind != TokenKind::kInteger || (token_.value != 32 && token_.value != 64)) {
    return fail_here("expected 32 or 64, found " + describe());
  }
  module_.address_size = static_cast<uint32_t>(token_.value);
  take();
}

// Debugging data: .section NAME { ... }
void Parser::skip_section() {
  while (token_.kind != TokenKind::kEnd && !token_.is('{')) take();
  while (token_.kind != TokenKind::kEnd && !token_.is('}')) take();
  expect('}');
}

// .loc FILE LINE COLUMN [, function_name LABEL [+ OFFSET], inlined_at FILE LINE COLUMN]
void Parser::skip_location() {
  while (token_.kind == TokenKind::kInteger) take();
  while (accept(',')) {
    if (token_.kind == TokenKind::kIdentifier) take();
    while (token_.kind == TokenKind::kInteger || token_.is('+')) take();
    // After function_name comes a label, which is an identifier without a comma before it.
    if (token_.kind == TokenKind::kIdentifier &&
        (token_.text.starts_with("$") || token_.text.starts_with("L"))) {
      take();
      while (token_.kind == TokenKind::kInteger || token_.is('+')) take();
    }
  }
}

void Parser::alias() {
  Alias alias;
  alias.at = token_.at;
  alias.name = token_.text;
  if (token_.kind != TokenKind::kIdentifier)
    return fail_here("expected the alias's name, found " + describe());
  take();
  if (!expect(',')) return;
  alias.target = token_.text;
  if (token_.kind != TokenKind::kIdentifier)
    return fail_here("expected the aliased function's name, found " + describe());
  take();
  expect(';');
  module_.aliases.push_back(alias);
}

}  // namespace outboard::softgpu::ptx
