#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

unsigned bits_of_type(const std::string& type) {
  return type == "pred" ? 1 : static_cast<unsigned>(std::stoul(type.substr(1)));
}

Values edges_for(unsigned bits) {
  Values values;
  for (unsigned shift : {0u, 1u, 4u, 7u, 8u, 15u, 16u, 23u, 31u, 32u, 47u, 62u, 63u}) {
    if (shift >= bits) continue;
    uint64_t power = uint64_t{1} << shift;
    for (uint64_t value : {power, power - 1, ~power, ~power + 1}) values.push_back(low_bits(value, bits));
  }
  for (uint64_t value : {uint64_t{0x1234'5678'9abc'def0}, uint64_t{0xfedc'ba98'7654'3210},
                         uint64_t{0x00ff'00ff'8080'7f01}, uint64_t{3}, uint64_t{100}}) {
    values.push_back(low_bits(value, bits));
  }
  return values;
}

}  // namespace

const Values& integer_edges(const std::string& type) {
  static const Values bit{0, 1}, b16 = edges_for(16), b32 = edges_for(32), b64 = edges_for(64);
  return type == "pred" ? bit : type == "b16" ? b16 : type == "b32" ? b32 : b64;
}

void check_form(const FormCheck& check) {
  FormCase test;
  test.code = check.code;
  if (test.code.empty()) {
    test.code = check.opcode + " %o0";
    for (size_t i = 0; i < check.inputs.size(); ++i) test.code += ", %i" + std::to_string(i);
    test.code += ";";
  }
  test.outputs = {check.output};
  const unsigned bits = bits_of_type(check.output);
  for (unsigned round = 0; round < check.rounds; ++round) {
    test.inputs.clear();
    for (size_t i = 0; i < check.inputs.size(); ++i) {
      const Values& edges = check.edges.empty() ? integer_edges(check.inputs[i]) : *check.edges[i];
      // Strides without common factors walk through many combinations.
      const unsigned stride = i == 0 ? 1 : i == 1 ? 5 + round : 11 + 3 * round;
      test.inputs.push_back(
          {check.inputs[i], row_of([&](uint32_t lane) {
             return edges[(lane * stride + round * 33 + i * 3 + lane * lane * (i == 2)) % edges.size()];
           })});
    }
    for (Isa isa : available_isas()) {
      const FormResult result = run_form(test, isa);
      ASSERT_EQ(result.code, 0) << check.opcode << ": " << result.message;
      for (uint32_t lane = 0; lane < 32; ++lane) {
        Values in;
        for (const Input& input : test.inputs) in.push_back(input.row[lane]);
        const uint64_t got = low_bits(result.outputs[0][lane], bits);
        if (check.accepts && check.accepts(in, got)) continue;
        const uint64_t want = check.expected ? low_bits(check.expected(in), bits) : 0;
        if (!check.accepts && got == want) continue;
        std::string inputs;
        for (uint64_t value : in) inputs += " " + testing::PrintToString(reinterpret_cast<void*>(value));
        ADD_FAILURE() << check.opcode << (isa == Isa::kAvx2 ? " (avx2)" : " (avx512)") << " inputs" << inputs
                      << ": got " << std::hex << got << (check.accepts ? ", near " : ", want ") << want;
        return;
      }
    }
  }
}

}  // namespace outboard::softgpu::exec
