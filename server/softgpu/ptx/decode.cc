#include "server/softgpu/ptx/decode.h"

#include <algorithm>

namespace outboard::softgpu::ptx {

uint32_t ConstantLayout::offset(const std::vector<Constant>& constants, uint32_t index) {
  while (offsets_.size() <= index) {
    offsets_.push_back(bytes_);
    bytes_ += 32 * width_bytes(constants[offsets_.size() - 1].width);
  }
  return offsets_[index];
}

namespace {

class Decoder {
 public:
  Decoder(const IrFunction& function, const std::vector<uint32_t>& order, const Allocation& allocation,
          const std::vector<Constant>& constants, ConstantLayout& layout, const exec::FormTable& forms,
          FunctionCode& code, Image& image)
      : f_(function),
        order_(order),
        allocation_(allocation),
        constants_(constants),
        layout_(layout),
        jump_(forms.find("bra")),
        code_(code),
        image_(image) {}

  void run() {
    code_.entry = static_cast<uint32_t>(image_.code.size());
    block_at_.assign(f_.blocks.size(), 0);
    count_predecessors();
    table_base_ = image_.branch_tables.size();
    for (size_t i = 0; i < order_.size(); ++i) block(i);
    for (const Patch& patch : patches_) image_.code[patch.op].imm = block_at_[patch.block];
    for (const auto& table : f_.branch_tables) {
      BranchTable targets;
      for (uint32_t target : table) targets.push_back(block_at_[target]);
      image_.branch_tables.push_back(std::move(targets));
    }
    code_.end = static_cast<uint32_t>(image_.code.size());
    code_.frame_bytes = f_.frame_bytes;
    if (f_.return_register != kNoIndex && allocation_.place[f_.return_register] != kNoIndex) {
      code_.return_row = code_.register_begin + allocation_.place[f_.return_register];
    }
  }

 private:
  struct Patch {
    size_t op;
    uint32_t block;
  };

  void count_predecessors() {
    predecessors_.assign(f_.blocks.size(), 0);
    for (uint32_t from : order_) {
      for (uint32_t to : f_.blocks[from].successors) ++predecessors_[to];
    }
  }

  void block(size_t rank) {
    uint32_t number = order_[rank];
    const IrBlock& block = f_.blocks[number];
    block_at_[number] = static_cast<uint32_t>(image_.code.size());
    for (uint32_t i = block.first; i < block.last; ++i) instruction(f_.instructions[i]);
    if (block.fallthrough == kNoIndex) return;
    bool next = rank + 1 < order_.size() && order_[rank + 1] == block.fallthrough;
    // Where paths meet, control passes through a jump, which looks for lanes waiting there.
    if (next && predecessors_[block.fallthrough] == 1 && block.fallthrough != 0) return;
    exec::Op op = blank(jump_->handler);
    op.line = image_.code.empty() ? 0 : image_.code.back().line;
    patches_.push_back({image_.code.size(), block.fallthrough});
    image_.code.push_back(op);
  }

  static exec::Op blank(exec::Handler handler) {
    exec::Op op{};
    op.run = handler;
    op.guard = exec::kPredicateTrue;
    for (uint32_t& r : op.r) r = exec::kNoOperand;
    return op;
  }

  uint32_t predicate(uint32_t reg) const {
    return exec::kFirstPredicate + code_.predicate_begin + allocation_.place[reg];
  }

  uint32_t encode(const IrOperand& operand) {
    switch (operand.kind) {
      case ValueKind::kNone: return exec::kNoOperand;
      case ValueKind::kRaw: return operand.value;
      case ValueKind::kFrame: return operand.value + f_.frame_bytes;
      case ValueKind::kConstant: return layout_.offset(constants_, operand.value) | exec::kBankConstants;
      case ValueKind::kSpecial: return exec::special_operand(static_cast<exec::Special>(operand.value));
      case ValueKind::kRegister: break;
    }
    if (f_.registers[operand.value] == Width::kPredicate) {
      uint32_t index = predicate(operand.value);
      return operand.is_destination ? index : index << 1 | (operand.negated ? 1u : 0u);
    }
    return (code_.register_begin + allocation_.place[operand.value]) | exec::kBankRegisters;
  }

  void instruction(const IrInstruction& source) {
    size_t first = image_.code.size();
    uint32_t slots =
        std::max<uint32_t>(1, (source.operand_count + exec::kInlineOperands - 1) / exec::kInlineOperands);
    exec::Op op = blank(source.form->handler);
    op.aux = source.form->aux;
    op.flags = source.flags;
    op.line = source.line;
    op.imm = source.imm;
    if (source.guard != kNoIndex) {
      op.guard = static_cast<uint16_t>(predicate(source.guard));
      op.guard_flip = source.guard_negated ? ~0u : 0;
    }
    if (source.target != kNoIndex)
      patches_.push_back({first, source.target});
    else if (!f_.branch_tables.empty() && source.form->text == "brx.idx")
      op.imm += static_cast<int64_t>(table_base_);
    image_.code.push_back(op);
    for (uint32_t i = 1; i < slots; ++i) image_.code.push_back(blank(nullptr));
    for (uint32_t i = 0; i < source.operand_count; ++i) {
      image_.code[first + i / exec::kInlineOperands].r[i % exec::kInlineOperands] =
          encode(f_.operands[source.first_operand + i]);
    }
  }

  const IrFunction& f_;
  const std::vector<uint32_t>& order_;
  const Allocation& allocation_;
  const std::vector<Constant>& constants_;
  ConstantLayout& layout_;
  const exec::Form* jump_;
  FunctionCode& code_;
  Image& image_;
  std::vector<uint32_t> block_at_;
  std::vector<uint32_t> predecessors_;
  std::vector<Patch> patches_;
  size_t table_base_ = 0;
};

}  // namespace

void decode_function(const IrFunction& function, const std::vector<uint32_t>& order,
                     const Allocation& allocation, const std::vector<Constant>& constants,
                     ConstantLayout& layout, const exec::FormTable& forms, uint32_t index, Image& image) {
  Decoder(function, order, allocation, constants, layout, forms, image.functions[index], image).run();
}

}  // namespace outboard::softgpu::ptx
