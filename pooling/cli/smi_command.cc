#include <cstdio>
#include <ctime>

#include "pooling/cli/commands.h"
#include "pooling/cli/server_query.h"
#include "pooling/cli/smi_query.h"

namespace outboard::cli {
namespace {

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
  return text;
}

Result<std::string> answer_text(const SmiOptions& options, const wire::WelcomeInfo& welcome) {
  if (!options.query.empty()) return smi_query(welcome, options.query, options.format);
  return options.list ? smi_list(welcome) : smi_table(welcome, now_text());
}

}  // namespace

int smi_command(const SmiOptions& options) {
  const auto failed = [](const Error& error) {
    say(error.message);
    return 1;
  };
  const auto answer = ask_server(options.server, std::nullopt);
  if (!answer) return failed(answer.error());
  const auto output = answer_text(options, answer->welcome);
  if (!output) return failed(output.error());
  std::fputs(output->c_str(), stdout);
  return 0;
}

}  // namespace outboard::cli
