#include "tests/client/scripted_server.h"

#include <gtest/gtest.h>

#include <utility>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client {

wire::DeviceSnapshot ScriptedServer::device(uint8_t number) {
  wire::DeviceSnapshot device;
  device.name = "Scripted device " + std::to_string(number);
  device.uuid[0] = 0xA0;
  device.uuid[15] = number;
  device.pci_bus_id = "0000:0" + std::to_string(number) + ":00.0";
  device.total_memory_bytes = uint64_t{8} << 30;
  device.context_api_version = 3020;
  device.attributes = {{CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
                       {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
                       {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
                       {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
                       {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
                       {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
                       {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
                       {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                       {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 4},
                       {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
                       {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448},
                       {CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, number}};
  return device;
}

ScriptedServer::ScriptedServer(int devices) {
  std::tie(end_, client_end_) = transport::loopback_pair();
  sender_ = std::make_unique<wire::FrameSender>(*end_);
  welcome_.server_name = "scripted";
  welcome_.driver_version = 13000;
  for (int i = 0; i < devices; ++i) welcome_.devices.push_back(device(static_cast<uint8_t>(i)));
  thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  hang_up();
  thread_.join();
}

Result<Connection> ScriptedServer::connect() { return Connection{std::move(client_end_), welcome_}; }

void ScriptedServer::on(wire::Opcode opcode, Script script) {
  std::lock_guard lock(mutex_);
  scripts_[opcode] = std::move(script);
}

void ScriptedServer::defer(CUresult result, wire::Opcode opcode) {
  std::lock_guard lock(mutex_);
  deferred_ = result;
  deferred_opcode_ = opcode;
}

void ScriptedServer::send(const wire::Envelope& envelope) {
  std::lock_guard lock(send_mutex_);
  (void)sender_->send(envelope).has_value();
}

void ScriptedServer::send_raw(std::span<const std::byte> bytes) {
  std::lock_guard lock(send_mutex_);
  const transport::ConstBuffer piece = bytes;
  (void)end_->send(std::span(&piece, 1)).has_value();
}

void ScriptedServer::hang_up() { end_->shutdown(); }

std::vector<SeenCommand> ScriptedServer::commands(size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_.size() >= count; });
  return seen_;
}

std::vector<SeenCommand> ScriptedServer::commands_of(wire::Opcode opcode, size_t count) {
  std::unique_lock lock(mutex_);
  std::vector<SeenCommand> found;
  changed_.wait_for(lock, std::chrono::seconds(10), [&] {
    found.clear();
    for (const SeenCommand& command : seen_) {
      if (command.opcode == opcode) found.push_back(command);
    }
    return found.size() >= count;
  });
  return found;
}

bool ScriptedServer::saw_goodbye() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return goodbye_; });
}

void ScriptedServer::serve() {
  wire::FrameReceiver receiver(*end_);
  while (true) {
    auto frame = receiver.receive();
    if (!frame) return;
    if (frame->envelope.as<wire::Goodbye>() != nullptr) {
      std::lock_guard lock(mutex_);
      goodbye_ = true;
      changed_.notify_all();
      continue;
    }
    handle(*frame);
  }
}

void ScriptedServer::handle(const wire::Frame& frame) {
  wire::CommandReader reader(frame);
  wire::Command command;
  uint64_t last = 0;
  while (reader.next(command)) {
    SeenCommand seen{command.opcode,
                     command.sequence,
                     command.wants_reply,
                     command.context,
                     command.capture_mode,
                     {command.body.begin(), command.body.end()},
                     {command.bulk.begin(), command.bulk.end()}};
    last = seen.sequence;
    Script script;
    wire::ReplyFields fields;
    {
      std::lock_guard lock(mutex_);
      if (const auto it = scripts_.find(seen.opcode); it != scripts_.end()) script = it->second;
      seen_.push_back(seen);
      if (seen.wants_reply) {
        fields.deferred_result = static_cast<uint32_t>(std::exchange(deferred_, CUDA_SUCCESS));
        fields.deferred_opcode = deferred_opcode_;
      }
      changed_.notify_all();
    }
    const Answer answer = script ? script(seen) : Answer{};
    if (!seen.wants_reply) continue;
    fields.sequence = seen.sequence;
    fields.result = static_cast<uint32_t>(answer.result);
    wire::ReplyWriter writer;
    writer.append(fields, answer.body, answer.bulk.size());
    wire::Envelope envelope;
    envelope.command_count = 1;
    envelope.acknowledged = acknowledging_ ? seen.sequence : 0;
    envelope.kind = wire::RepliesFrame{};
    const transport::ConstBuffer bulk = answer.bulk;
    std::lock_guard lock(send_mutex_);
    (void)sender_->send(envelope, writer.view(), std::span(&bulk, 1)).has_value();
  }
  EXPECT_TRUE(reader.end());
  if (!acknowledging_) return;
  wire::Envelope envelope;
  envelope.acknowledged = last;
  envelope.kind = wire::Heartbeat{};
  send(envelope);
}

namespace {

Client::Options options_for(ScriptedServer& server, std::optional<std::string> visible) {
  Client::Options options;
  options.connect = [&server] { return server.connect(); };
  options.visible_devices = std::move(visible);
  return options;
}

}  // namespace

ClientTest::ClientTest(int devices, std::optional<std::string> visible)
    : server(devices), client(options_for(server, std::move(visible))) {
  EXPECT_EQ(client.initialize(0), CUDA_SUCCESS);
}

void ClientTest::make_current() {
  CUcontext context = nullptr;
  ASSERT_EQ(calls::cuDevicePrimaryCtxRetain(client, &context, 0), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuCtxSetCurrent(client, context), CUDA_SUCCESS);
}

CUdeviceptr ClientTest::memory(uint64_t address, uint64_t bytes) {
  server.on(wire::Opcode::kMemAlloc, [address](const SeenCommand&) {
    wire::MemAllocReply reply;
    reply.address = address;
    return answer_with(reply);
  });
  CUdeviceptr pointer = 0;
  EXPECT_EQ(calls::cuMemAlloc_v2(client, &pointer, bytes), CUDA_SUCCESS);
  return pointer;
}

}  // namespace outboard::client
