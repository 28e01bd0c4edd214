#include "pooling/cli/smi_query.h"

#include <gtest/gtest.h>

#include "pooling/cli/options.h"

namespace outboard::cli {
namespace {

using wire::Sensor;

wire::WelcomeInfo a_welcome() {
  wire::WelcomeInfo welcome;
  welcome.server_name = "lab";
  welcome.server_version = "0.1.0";
  welcome.driver_version = 13000;
  wire::DeviceSnapshot device;
  device.name = "Fast\tdevice";
  for (uint8_t i = 0; i < 16; ++i) device.uuid[i] = i;
  device.pci_bus_id = "0000:3b:00.0";
  device.total_memory_bytes = 8ull << 30;
  device.free_memory_bytes = 5ull << 30;
  device.attributes = {{75, 9}, {76, 0}};
  device.sensors = {{static_cast<int32_t>(Sensor::kBusyPercent), 37},
                    {static_cast<int32_t>(Sensor::kPowerMilliwatts), 61499},
                    {static_cast<int32_t>(Sensor::kPerformanceState), 8},
                    {4711, 1}};  // of a later version
  welcome.devices = {device, device};
  welcome.devices[1].sensors.clear();
  welcome.devices[1].free_memory_bytes = 9ull << 30;  // more than there is
  welcome.processes = {{4711, "train", 1, 300ull << 20}};
  return welcome;
}

TEST(Smi, AQueryHasALineForEachDevice) {
  const auto out = smi_query(a_welcome(), {"index", "memory.used", "utilization.gpu", "power.draw"}, {});
  ASSERT_TRUE(out);
  EXPECT_EQ(*out,
            "index, memory.used [MiB], utilization.gpu [%], power.draw [W]\n"
            "0, 3072 MiB, 37 %, 61.50 W\n"
            "1, 0 MiB, [N/A], [N/A]\n");
}

TEST(Smi, HeaderAndUnitsCanBeLeftAway) {
  const auto out = smi_query(a_welcome(), {"name", "memory.total", "compute_cap", "pci.bus_id", "pstate"},
                             {.header = false, .units = false});
  ASSERT_TRUE(out);
  EXPECT_EQ(*out,
            "Fast?device, 8192, 9.0, 00000000:3B:00.0, P8\n"
            "Fast?device, 8192, 9.0, 00000000:3B:00.0, [N/A]\n");
}

TEST(Smi, AnUnknownFieldIsNamedWithThoseThatExist) {
  const auto out = smi_query(a_welcome(), {"index", "colour"}, {});
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().message.find("\"colour\""), std::string::npos);
  EXPECT_NE(out.error().message.find("memory.used"), std::string::npos);
}

TEST(Smi, TheListNamesDevicesAsNvidiaSmiDoes) {
  EXPECT_EQ(smi_list(a_welcome()).substr(0, 69),
            "GPU 0: Fast?device (UUID: GPU-00010203-0405-0607-0809-0a0b0c0d0e0f)\nG");
}

TEST(Smi, TheTableIsStraightAndHasTheProcesses) {
  const std::string table = smi_table(a_welcome(), "Now");
  size_t lines = 0;
  for (size_t at = table.find('\n') + 1; at < table.size(); ++lines) {
    const size_t end = table.find('\n', at);
    if (end != at) {
      EXPECT_EQ(end - at, 91u) << table.substr(at, end - at);
    }
    at = end + 1;
  }
  EXPECT_GT(lines, 12u);
  EXPECT_NE(table.find("3072MiB / 8192MiB"), std::string::npos);
  EXPECT_NE(table.find("37%      Default"), std::string::npos);
  EXPECT_NE(table.find("4711   C   train"), std::string::npos);
  EXPECT_NE(table.find("300MiB"), std::string::npos);
}

SmiOptions parse(std::vector<const char*> words) {
  words.insert(words.begin(), {"outboard", "smi"});
  const Command command = parse_command_line(static_cast<int>(words.size()), words.data());
  const auto* smi = std::get_if<SmiOptions>(&command);
  if (smi == nullptr) ADD_FAILURE() << std::get<PrintAndExit>(command).text;
  return smi == nullptr ? SmiOptions{} : *smi;
}

TEST(Smi, ItsOptionsAreNvidiaSmis) {
  EXPECT_TRUE(parse({"-L"}).list);
  const SmiOptions query = parse({"--query-gpu=name,memory.used", "--format=csv,noheader,nounits"});
  EXPECT_EQ(query.query, (std::vector<std::string>{"name", "memory.used"}));
  EXPECT_FALSE(query.format.header);
  EXPECT_FALSE(query.format.units);
  for (const char* format : {"--format=xml", "--format=noheader"}) {
    const char* words[] = {"outboard", "smi", "--query-gpu=name", format};
    EXPECT_TRUE(std::holds_alternative<PrintAndExit>(parse_command_line(4, words))) << format;
  }
}

}  // namespace
}  // namespace outboard::cli
