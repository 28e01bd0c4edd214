#include <cstring>

#include "server/softgpu/exec/constants.h"
#include "server/softgpu/exec/launch.h"
#include "server/softgpu/exec/windows.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec {

uint64_t function_address(uint32_t index) { return kFunctionWindow + 16 * (uint64_t{index} + 1); }

bool function_index(uint64_t address, uint32_t& index) {
  if (address >> kWindowShift != kFunctionWindow >> kWindowShift || address % 16 != 0) return false;
  uint64_t number = (address - kFunctionWindow) / 16;
  if (number == 0 || number > 0xffff'ffff) return false;
  index = static_cast<uint32_t>(number - 1);
  return true;
}

KernelConstants::KernelConstants(const ptx::Program& program, std::span<const uint64_t> addresses) {
  const ptx::Image& image = program.image();
  storage_ = std::make_unique<std::byte[]>(image.constant_bytes + 64);
  aligned_ = storage_.get() + (-reinterpret_cast<uintptr_t>(storage_.get()) & 63);
  for (size_t i = 0; i < image.constants.size(); ++i) {
    const ptx::Constant& constant = image.constants[i];
    uint64_t value = constant.bits;
    if (constant.kind == ptx::Constant::Kind::kVariable) value += addresses[constant.symbol];
    if (constant.kind == ptx::Constant::Kind::kFunction) value += function_address(constant.symbol);
    uint32_t bytes = ptx::width_bytes(constant.width);
    std::byte* row = aligned_ + image.constant_offsets[i];
    for (uint32_t lane = 0; lane < 32; ++lane) std::memcpy(row + lane * bytes, &value, bytes < 8 ? bytes : 8);
  }
}

LoadedModule::LoadedModule(std::shared_ptr<const ptx::Program> program, std::vector<uint64_t> addresses)
    : program_(std::move(program)),
      addresses_(std::move(addresses)),
      constants_(std::make_unique<KernelConstants>(*program_, addresses_)) {}

LoadedModule::~LoadedModule() = default;

uint64_t LoadedModule::find_address(std::string_view name) const {
  const ptx::Variable* variable = program_->find_variable(name);
  return variable == nullptr ? 0 : addresses_[static_cast<size_t>(variable - program_->variables().data())];
}

Result<std::shared_ptr<const LoadedModule>> instantiate(std::shared_ptr<const ptx::Program> program,
                                                        const AllocateVariable& allocate) {
  std::vector<uint64_t> addresses;
  for (const ptx::Variable& variable : program->variables()) {
    Result<uint64_t> address = allocate(variable);
    if (!address) return fail(address);
    addresses.push_back(*address);
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    const ptx::Variable& variable = program->variables()[i];
    auto* memory = reinterpret_cast<std::byte*>(addresses[i]);
    if (variable.bytes == 0 || ptx::is_reference(variable.space)) continue;
    if (!variable.initial.empty()) std::memcpy(memory, variable.initial.data(), variable.initial.size());
    std::memset(memory + variable.initial.size(), 0, variable.bytes - variable.initial.size());
    for (const ptx::Relocation& relocation : variable.relocations) {
      uint64_t value =
          (relocation.is_function ? function_address(relocation.index) : addresses[relocation.index]) +
          static_cast<uint64_t>(relocation.addend);
      if (relocation.offset + relocation.bytes > variable.bytes) continue;
      std::memcpy(memory + relocation.offset, &value, relocation.bytes < 8 ? relocation.bytes : 8);
    }
  }
  return std::shared_ptr<const LoadedModule>(
      std::make_shared<LoadedModule>(std::move(program), std::move(addresses)));
}

}  // namespace outboard::softgpu::exec
