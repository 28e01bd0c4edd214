#include "tests/softgpu/forms/form_runner.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "server/softgpu/exec/forms.h"
#include "server/softgpu/jit/tier.h"
#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {
namespace {

std::set<std::string>& used_forms() {
  static std::set<std::string> used;
  return used;
}

// Remembers the forms of the opcodes in `code`: the first word of every statement.
void note_forms(const std::string& code) {
  const FormTable& table = form_table(Isa::kBest);
  std::stringstream statements(code);
  for (std::string statement; std::getline(statements, statement, ';');) {
    size_t at = statement.find_first_not_of(" \n\t{}");
    if (at != std::string::npos && statement[at] == '@')
      at = statement.find_first_not_of(" ", statement.find(' ', at));
    if (at == std::string::npos) continue;
    const std::string opcode = statement.substr(at, statement.find_first_of(" \n\t", at) - at);
    if (const Form* form = table.find(opcode)) used_forms().insert(form->text);
  }
}

std::string load_input(size_t i, const Input& input) {
  const std::string name = "%i" + std::to_string(i), at = "[%rd_in+" + std::to_string(256 * i) + "]";
  const std::string type = input.type;
  if (type == "b64") return "ld.global.b64 " + name + ", " + at + ";\n";
  if (type == "b32") return "ld.global.b32 " + name + ", " + at + ";\n";
  if (type == "b16") return "ld.global.b16 " + name + ", " + at + ";\n";
  return "ld.global.b32 %tmp, " + at + "; setp.ne.u32 " + name + ", %tmp, 0;\n";
}

std::string store_output(size_t i, const std::string& type) {
  const std::string name = "%o" + std::to_string(i), at = "[%rd_out+" + std::to_string(256 * i) + "]";
  if (type == "pred") return "selp.u32 %tmp, 1, 0, " + name + "; st.global.b32 " + at + ", %tmp;\n";
  return "st.global." + type + " " + at + ", " + name + ";\n";
}

std::string kernel_text(const FormCase& test) {
  std::string text =
      ".version 8.6\n.target sm_90a\n.address_size 64\n"
      ".visible .entry form(.param .u64 in, .param .u64 out, .param .u64 mem) {\n"
      ".reg .b64 %rd_in, %rd_out, %rd_mem, %rd_lane; .reg .b32 %tmp; .reg .b32 %s<8>; .reg .b64 %d<8>;\n";
  for (size_t i = 0; i < test.inputs.size(); ++i)
    text += std::string(".reg .") + test.inputs[i].type + " %i" + std::to_string(i) + ";\n";
  for (size_t i = 0; i < test.outputs.size(); ++i)
    text += std::string(".reg .") + test.outputs[i] + " %o" + std::to_string(i) + ";\n";
  text += test.declarations +
          "\nmov.u32 %tmp, %tid.x; mul.wide.u32 %rd_lane, %tmp, 8;\n"
          "ld.param.u64 %rd_in, [in]; ld.param.u64 %rd_out, [out]; ld.param.u64 %rd_mem, [mem];\n"
          "add.u64 %rd_in, %rd_in, %rd_lane; add.u64 %rd_out, %rd_out, %rd_lane;\n";
  for (size_t i = 0; i < test.inputs.size(); ++i) text += load_input(i, test.inputs[i]);
  text += test.code + "\n";
  for (size_t i = 0; i < test.outputs.size(); ++i) text += store_output(i, test.outputs[i]);
  return text + "ret;\n}\n";
}

}  // namespace

uint64_t view_handle(size_t index) { return TestDevice::kFirstView + index; }

namespace {

FormResult execute(const FormCase& test, const ptx::CompileOptions& options) {
  FormResult result;
  ptx::JitLog log;
  auto program = ptx::compile(kernel_text(test), log, options);
  if (!program) return {1, log.error + "\n" + kernel_text(test), {}, {}};
  note_forms(test.code);
  if (test.before) test.before();
  TestDevice device;
  device.views = test.views;
  auto loaded = instantiate(*program, [&](const ptx::Variable& variable) -> Result<uint64_t> {
    if (ptx::is_reference(variable.space))
      return view_handle(static_cast<size_t>(variable.name.back() - '0'));
    return device.allocate(variable.bytes);
  });
  if (!loaded) return {1, loaded.error().message, {}, {}};
  std::vector<uint64_t> in;
  for (const Input& input : test.inputs) in.insert(in.end(), input.row.begin(), input.row.end());
  const uint64_t in_at = device.upload(in),
                 out_at = device.allocate(256 * std::max<size_t>(test.outputs.size(), 1));
  const uint64_t memory_at = device.upload(test.memory.empty() ? std::vector<uint8_t>(16) : test.memory);
  LaunchRequest request;
  request.module = loaded->get();
  request.kernel = (*program)->find_kernel("form");
  request.block = {test.lanes};
  request.params = Params().add(in_at).add(out_at).add(memory_at).take();
  const LaunchResult launched = run(request, device);
  result.code = launched.code;
  result.message = launched.message;
  for (size_t i = 0; i < test.outputs.size(); ++i) {
    auto values = device.download<uint64_t>(out_at + 256 * i, 32);
    Row row;
    std::copy(values.begin(), values.end(), row.begin());
    result.outputs.push_back(row);
  }
  result.memory = device.download<uint8_t>(memory_at, test.memory.size());
  return result;
}

}  // namespace

FormResult run_form(const FormCase& test, Isa isa) {
  ptx::CompileOptions options;
  options.isa = isa;
  FormResult result = execute(test, options);
  if (isa != Isa::kAvx512 || !jit::available()) return result;
  // Machine code does what the interpreter does, to the bit.
  options.tier = jit::make_eager_tier;
  const FormResult translated = execute(test, options);
  if (translated.code != result.code || translated.outputs != result.outputs ||
      translated.memory != result.memory) {
    return {1,
            "machine code and the interpreter differ: code " + std::to_string(translated.code) + " " +
                translated.message + "\n" + kernel_text(test),
            {},
            {}};
  }
  return result;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (isa_available(isa)) found.push_back(isa);
  }
  return found;
}

std::string forms_without_test(const std::string& group) {
  std::string missing;
  for (const auto& form : form_table(Isa::kBest).forms()) {
    if (form->group == group && (form->flags & kInternal) == 0 && !used_forms().contains(form->text))
      missing += form->text + "\n";
  }
  return missing;
}

}  // namespace outboard::softgpu::exec
