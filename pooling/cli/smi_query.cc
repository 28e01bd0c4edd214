#include "pooling/cli/smi_query.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/base/uuid.h"

namespace outboard::cli {
namespace {

using wire::DeviceSnapshot;
using wire::Sensor;
using wire::WelcomeInfo;

constexpr uint64_t kMiB = 1 << 20;
constexpr const char* kNotAvailable = "[N/A]";

std::optional<int64_t> value_of(const std::vector<wire::AttributeValue>& list, int32_t id) {
  const auto found =
      std::find_if(list.begin(), list.end(), [id](const auto& entry) { return entry.id == id; });
  return found == list.end() ? std::nullopt : std::optional<int64_t>(found->value);
}

std::optional<int64_t> sensor(const DeviceSnapshot& device, Sensor id) {
  return value_of(device.sensors, static_cast<int32_t>(id));
}

std::string attribute(const DeviceSnapshot& device, CUdevice_attribute id) {
  return std::to_string(value_of(device.attributes, id).value_or(0));
}

std::string cuda_version(const WelcomeInfo& welcome) {
  return text(welcome.driver_version / 1000, ".", welcome.driver_version % 1000 / 10);
}

uint64_t used_bytes(const DeviceSnapshot& device) {
  return device.total_memory_bytes - std::min(device.free_memory_bytes, device.total_memory_bytes);
}

// "00000000:3B:00.0": NVML's form has eight digits of domain.
std::string bus_id(const DeviceSnapshot& device) {
  std::string id = device.pci_bus_id;
  for (char& c : id) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return id.find(':') == 4 ? "0000" + id : id;
}

// A value and its unit, which "nounits" leaves away.
struct Value {
  std::string number;
  const char* unit = "";
};

Value measured(std::optional<int64_t> number, const char* unit) {
  return number ? Value{std::to_string(*number), unit} : Value{kNotAvailable};
}

Value watts(std::optional<int64_t> milliwatts) {
  if (!milliwatts) return {kNotAvailable};
  char number[32];
  std::snprintf(number, sizeof number, "%.2f", static_cast<double>(*milliwatts) / 1000);
  return {number, " W"};
}

struct Place {
  const WelcomeInfo& welcome;
  const DeviceSnapshot& device;
  size_t index;
};

struct Field {
  const char* name;
  const char* unit;  // in the line of names
  Value (*get)(const Place&);
};

constexpr Field kFields[] = {
    {"index", "", [](const Place& p) { return Value{std::to_string(p.index)}; }},
    {"count", "", [](const Place& p) { return Value{std::to_string(p.welcome.devices.size())}; }},
    {"name", "", [](const Place& p) { return Value{printable(p.device.name, limits::kNameBytes)}; }},
    {"gpu_name", "", [](const Place& p) { return Value{printable(p.device.name, limits::kNameBytes)}; }},
    {"uuid", "", [](const Place& p) { return Value{gpu_uuid_text(p.device.uuid)}; }},
    {"gpu_uuid", "", [](const Place& p) { return Value{gpu_uuid_text(p.device.uuid)}; }},
    {"driver_version", "", [](const Place& p) { return Value{cuda_version(p.welcome)}; }},
    {"pci.bus_id", "", [](const Place& p) { return Value{bus_id(p.device)}; }},
    {"gpu_bus_id", "", [](const Place& p) { return Value{bus_id(p.device)}; }},
    {"compute_cap", "",
     [](const Place& p) {
       return Value{attribute(p.device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) + "." +
                    attribute(p.device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)};
     }},
    {"memory.total", " [MiB]",
     [](const Place& p) { return Value{std::to_string(p.device.total_memory_bytes / kMiB), " MiB"}; }},
    {"memory.used", " [MiB]",
     [](const Place& p) { return Value{std::to_string(used_bytes(p.device) / kMiB), " MiB"}; }},
    {"memory.free", " [MiB]",
     [](const Place& p) {
       return Value{std::to_string((p.device.total_memory_bytes - used_bytes(p.device)) / kMiB), " MiB"};
     }},
    {"utilization.gpu", " [%]",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kBusyPercent), " %"); }},
    {"utilization.memory", " [%]",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kMemoryBusyPercent), " %"); }},
    {"temperature.gpu", "",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kTemperatureC), ""); }},
    {"fan.speed", " [%]",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kFanPercent), " %"); }},
    {"power.draw", " [W]", [](const Place& p) { return watts(sensor(p.device, Sensor::kPowerMilliwatts)); }},
    {"power.limit", " [W]",
     [](const Place& p) { return watts(sensor(p.device, Sensor::kPowerLimitMilliwatts)); }},
    {"clocks.sm", " [MHz]",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kSmClockMhz), " MHz"); }},
    {"clocks.mem", " [MHz]",
     [](const Place& p) { return measured(sensor(p.device, Sensor::kMemoryClockMhz), " MHz"); }},
    {"pstate", "",
     [](const Place& p) {
       const auto state = sensor(p.device, Sensor::kPerformanceState);
       return Value{state ? "P" + std::to_string(*state) : kNotAvailable};
     }},
};

std::string padded(std::string cell, size_t width, bool right = false) {
  cell = cell.substr(0, width);
  const std::string space(width - cell.size(), ' ');
  return right ? space + cell : cell + space;
}

constexpr const char* kRule =
    "+-----------------------------------------+------------------------+----------------------+\n";
constexpr const char* kBar =
    "+-----------------------------------------------------------------------------------------+\n";

std::string line(const std::string& content) { return "| " + padded(content, 87) + " |\n"; }

std::string cells(const std::string& first, const std::string& second, const std::string& third) {
  return "| " + padded(first, 39) + " | " + padded(second, 22) + " | " + padded(third, 20, true) + " |\n";
}

std::string device_rows(const WelcomeInfo& welcome, size_t index) {
  const DeviceSnapshot& device = welcome.devices[index];
  const auto power = [&](Sensor id) {
    const auto milliwatts = sensor(device, id);
    return milliwatts ? std::to_string(*milliwatts / 1000) + "W" : std::string("N/A");
  };
  const auto with = [&](Sensor id, const char* unit) {
    const auto value = sensor(device, id);
    return value ? std::to_string(*value) + unit : std::string("N/A");
  };
  const auto state = sensor(device, Sensor::kPerformanceState);
  return cells(padded(std::to_string(index), 3, true) + "  " + padded(printable(device.name, 64), 34),
               padded(bus_id(device), 17) + " Off", "N/A") +
         cells(padded(with(Sensor::kFanPercent, "%"), 5) + padded(with(Sensor::kTemperatureC, "C"), 6) +
                   padded(state ? "P" + std::to_string(*state) : "N/A", 7) +
                   padded(power(Sensor::kPowerMilliwatts) + " / " + power(Sensor::kPowerLimitMilliwatts), 18),
               padded(text(used_bytes(device) / kMiB, "MiB / ", device.total_memory_bytes / kMiB, "MiB"), 22,
                      true),
               with(Sensor::kBusyPercent, "%") + "      Default");
}

std::string process_rows(const WelcomeInfo& welcome) {
  std::string rows;
  for (const wire::ProcessInfo& process : welcome.processes) {
    rows += line(padded(std::to_string(process.device), 4, true) + "   " +
                 padded(std::to_string(process.process_id), 10, true) + "   C   " +
                 padded(printable(process.process_name, 48), 48) + " " +
                 padded(text(process.memory_bytes / kMiB, "MiB"), 13, true));
  }
  return rows.empty() ? line(" No running processes of yours found") : rows;
}

}  // namespace

std::string smi_table(const WelcomeInfo& welcome, std::string_view now) {
  std::string table = std::string(now) + "\n" + kBar;
  table += line(padded("Outboard " + printable(welcome.server_version, 16), 24) +
                padded("Server: " + printable(welcome.server_name, 24), 34) +
                "CUDA Version: " + cuda_version(welcome));
  table += kRule;
  table += cells("GPU  Name", "Bus-Id          Disp.A", "Volatile Uncorr. ECC");
  table += cells("Fan  Temp  Perf   Pwr:Usage/Cap", "          Memory-Usage", "GPU-Util  Compute M.");
  table += kRule;
  for (size_t i = 0; i < welcome.devices.size(); ++i) table += device_rows(welcome, i) + kRule;
  if (welcome.devices.empty()) table += line("The server has no device.") + kBar;
  table += "\n";
  table += kBar;
  table += line("Processes of yours:");
  table += line(" GPU          PID   Type Process name                                     GPU Memory");
  table += kBar;
  return table + process_rows(welcome) + kBar;
}

std::string smi_list(const WelcomeInfo& welcome) {
  std::string list;
  for (size_t i = 0; i < welcome.devices.size(); ++i) {
    list += text("GPU ", i, ": ", printable(welcome.devices[i].name, limits::kNameBytes),
                 " (UUID: ", gpu_uuid_text(welcome.devices[i].uuid), ")\n");
  }
  return list;
}

Result<std::string> smi_query(const WelcomeInfo& welcome, const std::vector<std::string>& fields,
                              const SmiFormat& format) {
  std::vector<const Field*> wanted;
  std::string names;
  for (const std::string& name : fields) {
    const auto* found = std::find_if(std::begin(kFields), std::end(kFields),
                                     [&](const Field& field) { return name == field.name; });
    if (found == std::end(kFields)) {
      std::string known;
      for (const Field& field : kFields) known += (known.empty() ? "" : ", ") + std::string(field.name);
      return fail(ErrorKind::kInvalidArgument, text("Field \"", printable(name, 64),
                                                    "\" is not a field to query; those are ", known, "."));
    }
    wanted.push_back(found);
    names += (names.empty() ? "" : ", ") + name + (format.units ? found->unit : "");
  }
  std::string out = format.header ? names + "\n" : "";
  for (size_t i = 0; i < welcome.devices.size(); ++i) {
    std::string row;
    for (const Field* field : wanted) {
      const Value value = field->get({welcome, welcome.devices[i], i});
      row += (row.empty() ? "" : ", ") + value.number + (format.units ? value.unit : "");
    }
    out += row + "\n";
  }
  return out;
}

}  // namespace outboard::cli
