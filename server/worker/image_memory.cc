#include "server/worker/image_memory.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "server/softgpu/image/decompress.h"
#include "server/softgpu/image/fatbin.h"
#include "server/softgpu/image/limits.h"

namespace outboard::server {
namespace {

namespace image = softgpu::image;

constexpr ImageMemory kUnreadable{.variable_bytes = UINT64_MAX, .uses_heap = false, .prints = false};

ImageMemory largest(const ImageMemory& a, const ImageMemory& b) {
  return {std::max(a.variable_bytes, b.variable_bytes), a.uses_heap || b.uses_heap, a.prints || b.prints};
}

uint64_t saturating_add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t saturating_multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

bool holds_name(std::string_view names, std::string_view name) {
  for (size_t at = names.find(name); at != std::string_view::npos; at = names.find(name, at + 1)) {
    const bool begins = at == 0 || names[at - 1] == '\0';
    const size_t end = at + name.size();
    if (begins && (end == names.size() || names[end] == '\0')) return true;
  }
  return false;
}

template <typename T>
T read_at(std::span<const std::byte> data, uint64_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

std::string_view text_at(std::span<const std::byte> data, uint64_t offset, uint64_t bytes) {
  if (offset > data.size() || bytes > data.size() - offset) return {};
  return {reinterpret_cast<const char*>(data.data()) + offset, bytes};
}

// Machine code: variables are sections of their own.
ImageMemory memory_of_elf(std::span<const std::byte> data) {
  if (data.size() < sizeof(Elf64_Ehdr)) return kUnreadable;
  const auto header = read_at<Elf64_Ehdr>(data, 0);
  const uint64_t table_bytes = uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_shoff > data.size() || table_bytes > data.size() - header.e_shoff) return kUnreadable;
  const auto section = [&](uint64_t i) {
    return read_at<Elf64_Shdr>(data, header.e_shoff + i * sizeof(Elf64_Shdr));
  };
  ImageMemory memory;
  if (header.e_shstrndx >= header.e_shnum) return memory;
  const Elf64_Shdr name_section = section(header.e_shstrndx);
  const std::string_view names = text_at(data, name_section.sh_offset, name_section.sh_size);
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr one = section(i);
    if (one.sh_type == SHT_STRTAB && i != header.e_shstrndx) {
      const std::string_view symbols = text_at(data, one.sh_offset, one.sh_size);
      memory.uses_heap |= holds_name(symbols, "malloc");
      memory.prints |= holds_name(symbols, "vprintf");
    }
    if (one.sh_name >= names.size()) continue;
    const std::string_view rest = names.substr(one.sh_name);
    const std::string_view name = rest.substr(0, rest.find('\0'));
    // Bank 3 holds a program's __constant__ variables; others hold parameters and literals.
    if (name.starts_with(".nv.global") || name == ".nv.constant3")
      memory.variable_bytes = saturating_add(memory.variable_bytes, one.sh_size);
  }
  return memory;
}

// Reads declarations at the top level of a PTX text.
class PtxScanner {
 public:
  explicit PtxScanner(std::string_view text) : text_(text) {}

  ImageMemory scan() {
    while (next()) {
      if (token_ == ".extern") {
        note_function();
      } else if (token_ == ".global" || token_ == ".const") {
        read_variable();
      } else if (token_ == "{") {
        skip_until_closed('{', '}');
      } else if (token_ == "(") {
        skip_until_closed('(', ')');
      }
    }
    return memory_;
  }

 private:
  // The next word, number or single character; comments and texts are skipped.
  bool next() {
    while (true) {
      at_ = text_.find_first_not_of(" \t\r\n", at_);
      if (at_ == std::string_view::npos) return false;
      if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        const size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else if (text_[at_] == '"') {
        at_ = std::min(text_.find('"', at_ + 1), text_.size() - 1) + 1;
      } else {
        break;
      }
    }
    size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    token_ = text_.substr(at_, std::max<size_t>(end - at_, 1));
    at_ += token_.size();
    return true;
  }

  static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || c == '%' || c == '.';
  }

  void skip_until_closed(char open, char close) {
    size_t depth = 1;
    while (depth != 0 && next()) {
      if (token_[0] == open) ++depth;
      if (token_[0] == close) --depth;
    }
  }

  // After .extern: what is defined elsewhere. The device's own functions show what kernels use.
  void note_function() {
    while (next() && token_ != ";" && token_ != "{") {
      if (token_ == "malloc") memory_.uses_heap = true;
      if (token_ == "vprintf") memory_.prints = true;
    }
    if (token_ == "{") skip_until_closed('{', '}');
  }

  static uint64_t type_bytes(std::string_view type) {
    if (type.ends_with("texref") || type.ends_with("samplerref") || type.ends_with("surfref")) return 8;
    const auto number = type.find_first_of("0123456789");
    if (type.size() < 2 || type[0] != '.' || number == std::string_view::npos) return 0;
    return (to_number(type.substr(number)) + 7) / 8;
  }

  static uint64_t to_number(std::string_view digits) {
    const bool hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    if (hexadecimal) digits.remove_prefix(2);
    uint64_t value = 0;
    for (const char c : digits) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0 || (!hexadecimal && digit > 9)) break;
      value = saturating_add(saturating_multiply(value, hexadecimal ? 16 : 10), static_cast<uint64_t>(digit));
    }
    return value;
  }

  // After .global or .const: [.align n] [.v2 or .v4] .type name [dimensions] [= values], ...;
  void read_variable() {
    uint64_t align = 1, element = 0, count = 1;
    bool unsized = false;
    const auto finish = [&] {
      const uint64_t bytes = saturating_multiply(element, count);
      const uint64_t unit = std::max({align, element, uint64_t{1}});
      memory_.variable_bytes =
          saturating_add(memory_.variable_bytes, saturating_add(bytes, unit - 1) / unit * unit);
      count = 1;
      unsized = false;
    };
    while (next() && token_ != ";") {
      if (token_ == ".align") {
        if (next()) align = to_number(token_);
      } else if (token_ == ".v2" || token_ == ".v4") {
        count = count * static_cast<uint64_t>(token_[2] - '0');
      } else if (token_ == "[") {
        if (!next()) return;
        unsized |= token_ == "]";
        if (token_ != "]") count = saturating_multiply(count, to_number(token_));
      } else if (token_ == "=") {
        const uint64_t values = count_values();
        if (unsized) count = saturating_multiply(count, values);
        if (token_ == ";") break;
      } else if (token_ == ",") {
        finish();
      } else if (token_[0] == '.' && element == 0) {
        element = type_bytes(token_);
      }
    }
    finish();
  }

  // After "=": how many values there are; stops behind them, at "," or ";".
  uint64_t count_values() {
    uint64_t values = 1;
    size_t depth = 0;
    while (next()) {
      if (token_ == ";") return values;
      if (token_ == "{" || token_ == "(") ++depth;
      if (token_ == "}" || token_ == ")") --depth;
      if (token_ == "," && depth == 0) {
        at_ -= 1;  // the next variable's
        return values;
      }
      if (token_ == ",") ++values;
    }
    return values;
  }

  const std::string_view text_;
  std::string_view token_;
  size_t at_ = 0;
  ImageMemory memory_;
};

ImageMemory memory_of_fatbin(std::span<const std::byte> data, uint64_t* expanded_bytes) {
  const auto entries = image::read_fatbin(data);
  if (!entries) return kUnreadable;
  ImageMemory memory;
  for (const image::FatbinEntry& entry : *entries) {
    if (entry.kind != image::EntryKind::kPtx && entry.kind != image::EntryKind::kElf) continue;
    std::span<const std::byte> content = entry.payload;
    std::vector<std::byte> expanded;
    if (entry.compression != image::Compression::kNone) {
      // A few kilobytes can claim to be gigabytes.
      *expanded_bytes = saturating_add(*expanded_bytes, entry.expanded_bytes);
      if (*expanded_bytes > image::kMaxLinkedBytes) return kUnreadable;
      auto done = image::decompress(entry.compression, entry.payload, entry.expanded_bytes);
      if (!done) continue;  // the driver will not use it either
      expanded = std::move(*done);
      content = expanded;
    }
    memory = largest(memory, entry.kind == image::EntryKind::kElf
                                 ? memory_of_elf(content)
                                 : memory_of_ptx(text_at(content, 0, content.size())));
  }
  return memory;
}

}  // namespace

ImageMemory memory_of_ptx(std::string_view text) { return PtxScanner(text).scan(); }

ImageMemory memory_of_image(std::span<const std::byte> sent) {
  if (sent.size() >= SELFMAG && std::memcmp(sent.data(), ELFMAG, SELFMAG) == 0) return memory_of_elf(sent);
  auto bytes = image::fatbin_bytes(sent);
  if (!bytes) return memory_of_ptx(text_at(sent, 0, sent.size()));
  // Several are linked with one another: all of them count.
  ImageMemory memory;
  uint64_t expanded_bytes = 0;
  while (bytes && *bytes <= sent.size()) {
    const ImageMemory part = memory_of_fatbin(sent.first(*bytes), &expanded_bytes);
    const uint64_t together = saturating_add(memory.variable_bytes, part.variable_bytes);
    memory = largest(memory, part);
    memory.variable_bytes = together;
    sent = sent.subspan(*bytes);
    bytes = image::fatbin_bytes(sent);
  }
  return memory;
}

}  // namespace outboard::server
