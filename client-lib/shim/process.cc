#include "client-lib/shim/process.h"

#include <cstdlib>

#include "client-lib/session/connect.h"
#include "client-lib/shim/settings.h"

namespace outboard::client {
namespace {

Client* make_client() {
  Settings settings = load_settings();
  Client::Options options;
  options.connect = [connect = settings.connect, error = settings.error]() -> Result<Connection> {
    if (error) return fail(error->kind, error->message);
    return connect_to_server(connect);
  };
  options.log = settings.log;
  options.visible_devices = settings.visible_devices;
  options.offer_copies = settings.offer_copies;
  options.stats = std::move(settings.stats);
  auto* client = new Client(std::move(options));
  client->export_tables().install();
  return client;
}

// In .fini_array, which runs after every exit handler and every destructor of static objects of the
// program: the CUDA runtime still unloads its code and releases its contexts in those.
__attribute__((destructor)) void end_of_process();

Client* the_client() {
  static Client* const client = make_client();
  return client;
}

std::atomic<bool> client_exists{false};

void end_of_process() {
  if (client_exists.load(std::memory_order_acquire)) the_client()->end_of_process();
}

}  // namespace

Client& process_client() {
  Client* client = the_client();
  if (!client_exists.load(std::memory_order_relaxed)) client_exists.store(true, std::memory_order_release);
  return *client;
}

}  // namespace outboard::client

// Tells a person or a program that this libcuda.so.1 is Outboard's, and which.
extern "C" __attribute__((visibility("default"))) const char* outboard_client_version() {
  return OUTBOARD_VERSION;
}
