#include "server/softgpu/device/config.h"

#include <gtest/gtest.h>

#include <map>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/attributes.h"

namespace outboard::softgpu {
namespace {

Result<DeviceConfig> read(std::map<std::string, std::string> values) {
  return read_config([values = std::move(values)](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  });
}

TEST(Config, SizesInBinaryUnits) {
  EXPECT_EQ(parse_bytes("8GiB").value(), uint64_t{8} << 30);
  EXPECT_EQ(parse_bytes("8G").value(), uint64_t{8} << 30);
  EXPECT_EQ(parse_bytes("512mb").value(), uint64_t{512} << 20);
  EXPECT_EQ(parse_bytes("1048576").value(), uint64_t{1} << 20);
  for (const char* wrong : {"", "G", "8X", "8GG", "-1", "99999999999999T", "8 G"})
    EXPECT_FALSE(parse_bytes(wrong)) << wrong;
}

TEST(Config, ValuesThatMakeNoSenseAreNamed) {
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"OUTBOARD_SOFTGPU_DEVICES", "17"},
                                          {"OUTBOARD_SOFTGPU_DEVICES", "0"},
                                          {"OUTBOARD_SOFTGPU_JIT", "perhaps"},
                                          {"OUTBOARD_SOFTGPU_LAUNCH_TIMEOUT", "-1"},
                                          {"OUTBOARD_SOFTGPU_CORES", "many"},
                                          {"OUTBOARD_SOFTGPU_MEMORY", "1k"}}) {
    const auto config = read({{name, value}});
    ASSERT_FALSE(config) << name;
    EXPECT_NE(config.error().message.find(name), std::string::npos);
    EXPECT_NE(config.error().message.find(value), std::string::npos);
  }
}

TEST(Config, ComputeCapabilities) {
  for (const auto& [text, value] :
       std::map<std::string, uint32_t>{{"", 90}, {"7.5", 75}, {"12.1", 121}, {"99.9", 999}}) {
    const auto config = read({{"OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY", text}});
    ASSERT_TRUE(config) << text;
    EXPECT_EQ(config->compute_capability, value);
  }
  for (const char* wrong : {"9", "9.", ".0", "9.0a", "90", "7.4", "100.0", "-9.0", "9.x", "99999999999.0"})
    EXPECT_FALSE(read({{"OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY", wrong}})) << wrong;
}

TEST(Config, SettingsAreTaken) {
  const auto config = read({{"OUTBOARD_SOFTGPU_DEVICES", "3"},
                            {"OUTBOARD_SOFTGPU_MEMORY", "1GiB"},
                            {"OUTBOARD_SOFTGPU_CORES", "5"},
                            {"OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY", "13.0"},
                            {"OUTBOARD_SOFTGPU_JIT", "off"},
                            {"OUTBOARD_SOFTGPU_LAUNCH_TIMEOUT", "9"},
                            {"OUTBOARD_SOFTGPU_STATE", "none"}});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->jit, Jit::kOff);
  EXPECT_EQ(config->launch_timeout_s, 9u);
  EXPECT_EQ(config->devices, 3u);
  EXPECT_EQ(config->memory_bytes, uint64_t{1} << 30);
  EXPECT_EQ(config->cores, 5u);
  EXPECT_EQ(config->compute_capability, 130u);
  EXPECT_TRUE(config->state_folder.empty());
  EXPECT_EQ(config->visible, (std::vector<uint32_t>{0, 1, 2}));
}

TEST(Config, VisibleDevices) {
  using List = std::vector<uint32_t>;
  EXPECT_EQ(visible_devices(nullptr, 3, "host"), (List{0, 1, 2}));
  EXPECT_EQ(visible_devices("", 3, "host"), List{});
  EXPECT_EQ(visible_devices("2,0", 3, "host"), (List{2, 0}));
  EXPECT_EQ(visible_devices("1, 7, 0", 3, "host"), List{1});  // ends at the first that is not there
  EXPECT_EQ(visible_devices("1,1", 3, "host"), List{1});
  EXPECT_EQ(visible_devices("-1", 3, "host"), List{});
  EXPECT_EQ(visible_devices(uuid_text(device_uuid("host", 2)).substr(0, 16).c_str(), 3, "host"), List{2});
}

TEST(Config, UuidsAreStableAndDiffer) {
  EXPECT_EQ(device_uuid("a", 0), device_uuid("a", 0));
  EXPECT_NE(device_uuid("a", 0), device_uuid("a", 1));
  EXPECT_NE(device_uuid("a", 0), device_uuid("b", 0));
  EXPECT_EQ(uuid_text(device_uuid("a", 0)).size(), 40u);
}

TEST(Attributes, EveryIdHasAValueAndOthersNone) {
  int value = 0;
  for (int id = 1; id < CU_DEVICE_ATTRIBUTE_MAX; ++id)
    EXPECT_TRUE(device_attribute({0, 4}, id, &value)) << id;
  EXPECT_FALSE(device_attribute({0, 4}, 0, &value));
  EXPECT_FALSE(device_attribute({0, 4}, CU_DEVICE_ATTRIBUTE_MAX, &value));
  ASSERT_TRUE(device_attribute({0, 4}, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &value));
  EXPECT_EQ(value, 4);
  ASSERT_TRUE(device_attribute({1, 4}, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &value));
  EXPECT_EQ(value, 9);
  ASSERT_TRUE(device_attribute({1, 4, 121}, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &value));
  EXPECT_EQ(value, 12);
  ASSERT_TRUE(device_attribute({1, 4, 121}, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &value));
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace outboard::softgpu
