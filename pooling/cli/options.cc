#include "pooling/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "protocol/base/bytes.h"
#include "protocol/base/config.h"

namespace outboard::cli {
namespace {

constexpr const char* kRunFooter =
    "The program's exit code is passed through; 128+N when signal N ended it; 125 when outboard\n"
    "itself failed, 126 when the program cannot be executed, 127 when it is not found.\n"
    "Examples:\n"
    "  outboard run ./vector_add\n"
    "  outboard run --server 127.0.0.1:7070 -- python3 train.py --epochs 3\n";

// A usage error found in a value; CLI11 turns it into its own kind of message.
template <typename T>
T value_or_throw(const char* option, const Result<T>& parsed) {
  if (!parsed) throw CLI::ValidationError(option, parsed.error().message);
  return *parsed;
}

// CLI11 never sees PROGRAM (see find_program), so its help text would not name it.
class RunFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: outboard run [OPTIONS] [--] PROGRAM [ARGS...]\n";
  }
};

struct Raw {
  RunOptions run;
  DevicesOptions devices;
  SmiOptions smi;
  DoctorOptions doctor;
  VersionOptions version;
  bool quiet = false;
  bool stats = false;
};

void add_server_option(CLI::App& app, std::optional<std::string>& server, const char* otherwise) {
  app.add_option("--server", server, std::string("Server to use: HOST:PORT or unix:PATH; ") + otherwise)
      ->type_name("ADDR");
}

void add_output_option(CLI::App& app, OutputFormat& format) {
  app.add_option_function<std::string>(
         "-o,--output",
         [&format](const std::string& name) {
           format = name == "json" ? OutputFormat::kJson : OutputFormat::kTable;
         },
         "Output format: table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->option_text("FORMAT");
}

CLI::App* add_run(CLI::App& app, Raw& raw) {
  CLI::App* run = app.add_subcommand("run", "Run a program with remote devices");
  add_server_option(*run, raw.run.server,
                    "default: OUTBOARD_SERVER, the configuration file, a private server");
  run->add_option("--driver", raw.run.driver,
                  "Driver of the private server: auto, softgpu or a path to a libcuda.so.1")
      ->type_name("DRIVER");
  run->add_option_function<std::string>(
         "--memory",
         [&raw](const std::string& text) {
           raw.run.memory_bytes = value_or_throw("--memory", parse_bytes(text));
         },
         "Device memory to ask for, for example 4GiB")
      ->type_name("SIZE");
  run->add_option_function<std::string>(
         "--compute",
         [&raw](const std::string& text) {
           raw.run.compute_percent = value_or_throw("--compute", parse_percent(text));
         },
         "Share of the device's compute to ask for, for example 30%")
      ->type_name("PERCENT");
  run->add_option("--log-level", raw.run.log_level,
                  "error, warn, info or debug, for the program's libcuda and the server")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->option_text("LEVEL");
  run->add_flag("--stats", raw.stats, "Also say what each process did");
  run->add_flag("-q,--quiet", raw.quiet, "Say nothing after the program ended");
  run->formatter(std::make_shared<RunFormatter>());
  run->footer(kRunFooter);
  return run;
}

// "csv", "csv,noheader", "csv,noheader,nounits"...
void set_smi_format(const std::string& words, SmiFormat& format) {
  bool csv = false;
  for (const std::string& word : CLI::detail::split(words, ',')) {
    if (word == "csv") {
      csv = true;
    } else if (word == "noheader") {
      format.header = false;
    } else if (word == "nounits") {
      format.units = false;
    } else {
      throw CLI::ValidationError("--format", "\"" + word + "\" is none of csv, noheader and nounits.");
    }
  }
  if (!csv) throw CLI::ValidationError("--format", "it has to contain csv, the only format there is.");
}

void add_smi(CLI::App& app, Raw& raw) {
  CLI::App* smi = app.add_subcommand("smi", "Show devices and your processes on them, as nvidia-smi does");
  add_server_option(*smi, raw.smi.server,
                    "default: OUTBOARD_SERVER, the configuration file, this machine's own");
  smi->add_flag("-L,--list-gpus", raw.smi.list, "One line for each device");
  smi->add_option("--query-gpu", raw.smi.query, "Fields to print, for example name,memory.used")
      ->delimiter(',')
      ->option_text("FIELDS")
      ->excludes("-L");
  smi->add_option_function<std::string>(
         "--format", [&raw](const std::string& words) { set_smi_format(words, raw.smi.format); },
         "csv, and of noheader and nounits what is wanted")
      ->option_text("csv[,noheader][,nounits]")
      ->needs("--query-gpu");
}

Command to_command(const CLI::App& app, Raw& raw) {
  if (app.got_subcommand("run")) {
    if (raw.quiet) raw.run.summary = Summary::kQuiet;
    if (raw.stats) raw.run.summary = Summary::kFull;
    return raw.run;
  }
  if (app.got_subcommand("devices")) return raw.devices;
  if (app.got_subcommand("smi")) return raw.smi;
  if (app.got_subcommand("doctor")) return raw.doctor;
  return raw.version;
}

// Where the program's own words begin: after "run" and its options. CLI11 would look for options
// behind PROGRAM too, so the tail never reaches it. Returns argc when there is none.
int find_program(int argc, const char* const* argv) {
  constexpr std::string_view kWithValue[] = {"--server", "--driver", "--memory", "--compute", "--log-level"};
  if (argc < 2 || std::string_view(argv[1]) != "run") return argc;
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return i + 1;
    if (word.empty() || word[0] != '-') return i;
    if (std::ranges::find(kWithValue, word) != std::end(kWithValue)) ++i;
  }
  return argc;
}

bool has_command(const CLI::App& app, const std::string& name) {
  return !app.get_subcommands([&name](const CLI::App* command) { return command->get_name() == name; })
              .empty();
}

PrintAndExit usage_error(const std::string& what, int exit_code = kUsageExitCode) {
  return PrintAndExit{"outboard: " + what + "\nSee `outboard --help` and `outboard COMMAND --help`.\n",
                      exit_code};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  Raw raw;
  CLI::App app("outboard: GPUs your machine doesn't have", "outboard");
  app.require_subcommand(1);
  CLI::App* run = add_run(app, raw);
  CLI::App* devices = app.add_subcommand("devices", "List the devices that a program would see");
  add_server_option(*devices, raw.devices.server,
                    "default: OUTBOARD_SERVER, the configuration file, this machine's own");
  devices->add_option("--driver", raw.devices.driver, "Driver of the private server: auto, softgpu or a path")
      ->type_name("DRIVER");
  add_output_option(*devices, raw.devices.format);
  add_smi(app, raw);
  CLI::App* doctor =
      app.add_subcommand("doctor", "Say what works on this machine, and what to do about what does not");
  add_server_option(*doctor, raw.doctor.server,
                    "default: OUTBOARD_SERVER, the configuration file, a private server");
  doctor->add_option("PROGRAM", raw.doctor.programs, "Programs to look at: can their CUDA be remote?");
  add_output_option(*doctor, raw.doctor.format);
  CLI::App* version = app.add_subcommand("version", "Print the versions of this program and of its protocol");
  add_output_option(*version, raw.version.format);

  if (argc < 2) return PrintAndExit{app.help(), 2};
  const std::string first = argv[1];
  if (first == "--version") return raw.version;
  if (!first.starts_with("-") && !has_command(app, first)) {
    return usage_error("there is no command \"" + first +
                       "\"; the commands are run, devices, smi, doctor and version.");
  }

  const int program_at = std::min(find_program(argc, argv), argc);
  int own_words = program_at;
  if (own_words > 2 && std::string_view(argv[own_words - 1]) == "--") --own_words;
  try {
    app.parse(own_words, argv);
  } catch (const CLI::CallForHelp&) {
    const auto asked = app.get_subcommands();
    return PrintAndExit{asked.empty() ? app.help() : asked.front()->help(), 0};
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what(), run->parsed() ? kRunFailedExitCode : kUsageExitCode);
  }
  if (run->parsed() && program_at == argc) return usage_error("run needs a PROGRAM.", kRunFailedExitCode);
  raw.run.command.assign(argv + program_at, argv + argc);
  return to_command(app, raw);
}

}  // namespace outboard::cli
