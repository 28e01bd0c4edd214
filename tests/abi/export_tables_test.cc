#include "protocol/abi/export_tables.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "protocol/abi/export_slots.h"

namespace outboard::abi {
namespace {

CUcontext context_at(uintptr_t value) { return reinterpret_cast<CUcontext>(value); }

class FakeHost : public ExportTableHost {
 public:
  CUresult primary_context(CUdevice device, CUcontext* context) override {
    *context = context_at(0x100u + static_cast<unsigned>(device));
    return CUDA_SUCCESS;
  }
  CUcontext current_context() noexcept override { return current; }
  CUresult context_id(CUcontext context, uint64_t* id) override {
    *id = reinterpret_cast<uintptr_t>(context) + 1000;
    return CUDA_SUCCESS;
  }
  CUresult context_device(CUcontext context, CUdevice* device) override {
    *device = static_cast<int>(reinterpret_cast<uintptr_t>(context) - 0x100);
    return CUDA_SUCCESS;
  }
  CUresult driver_version(int* version) override {
    *version = 13000;
    return CUDA_SUCCESS;
  }
  CUresult device_identities(std::vector<DeviceIdentity>* list) override {
    *list = devices;
    return devices_result;
  }
  CUresult load_module(const void* image, CUmodule* module) override {
    loaded = image;
    *module = reinterpret_cast<CUmodule>(0x200);
    return CUDA_SUCCESS;
  }
  CUresult module_functions(CUmodule module, std::vector<CUfunction>* functions) override {
    if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *functions = {reinterpret_cast<CUfunction>(0x301), reinterpret_cast<CUfunction>(0x302)};
    return CUDA_SUCCESS;
  }
  CUresult stream_id(CUcontext, CUstream stream, uint64_t* id) override {
    *id = reinterpret_cast<uintptr_t>(stream) * 10;
    return CUDA_SUCCESS;
  }
  void note(std::string_view message) override { notes.emplace_back(message); }

  CUcontext current = nullptr;
  std::vector<DeviceIdentity> devices = std::vector<DeviceIdentity>(1);
  CUresult devices_result = CUDA_SUCCESS;
  const void* loaded = nullptr;
  std::vector<std::string> notes;
};

CUuuid uuid_of(std::string_view text) {
  CUuuid uuid{};
  size_t digit = 0;
  for (char c : text) {
    if (c == '-') continue;
    const unsigned value = static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    auto& byte = uuid.bytes[digit / 2];
    byte = static_cast<char>(digit % 2 ? (byte | value) : (value << 4));
    ++digit;
  }
  return uuid;
}

class ExportTablesTest : public testing::Test {
 protected:
  void SetUp() override { tables_.install(); }

  const void* const* table(std::string_view uuid) {
    const CUuuid id = uuid_of(uuid);
    const void* words = nullptr;
    result_ = tables_.get(&words, &id);
    return static_cast<const void* const*>(words);
  }

  template <typename Result, typename... Args>
  static Result call_as(const void* slot, Args... args) {
    return reinterpret_cast<Result (*)(Args...)>(const_cast<void*>(slot))(args...);
  }
  template <typename... Args>
  static CUresult call(const void* slot, Args... args) {
    return call_as<CUresult>(slot, args...);
  }

  FakeHost host_;
  ExportTables tables_{host_};
  CUresult result_ = CUDA_SUCCESS;
};

constexpr char kCudart[] = "6bd5fb6c-5bf4-e74a-8987-d93912fd9df9";
constexpr char kHooks[] = "a094798c-2e74-2e74-93f2-0800200c0a66";
constexpr char kTls[] = "42d85a81-23f6-cb47-8298-f6e78a3aecdc";
constexpr char kStorage[] = "c693336e-1121-df11-a8c3-68f355d89593";
constexpr char kChecks[] = "263e8860-7cd2-6143-92f6-bbd5006dfa7e";
constexpr char kIntegrity[] = "d4082055-bde6-704b-8d34-ba123c66e1f2";
constexpr char kToolsContext[] = "21318c60-9714-3248-8ca6-41ff7324c8f2";
constexpr char kToolsModule[] = "6e163fbe-b958-444d-835c-e182aff1991e";
constexpr char kSmMap[] = "1734dc26-800d-4745-8726-c0f1e7dd8bca";
constexpr char kUnknown[] = "00112233-4455-6677-8899-aabbccddeeff";

TEST_F(ExportTablesTest, SizeWordsAndFilledSlots) {
  const std::pair<const char*, size_t> sizes[] = {{kCudart, 13},      {kHooks, 7},     {kTls, 4},
                                                  {kChecks, 4},       {kIntegrity, 3}, {kToolsContext, 93},
                                                  {kToolsModule, 57}, {kSmMap, 64},    {kUnknown, 96}};
  for (const auto& [uuid, words] : sizes) {
    const void* const* const found = table(uuid);
    ASSERT_NE(found, nullptr) << uuid;
    EXPECT_EQ(reinterpret_cast<size_t>(found[0]), words * 8) << uuid;
    for (size_t slot = 1; slot < words; ++slot) EXPECT_NE(found[slot], nullptr) << uuid << " slot " << slot;
    EXPECT_EQ(found, table(uuid)) << "a table's address is part of the integrity answer";
  }
}

TEST_F(ExportTablesTest, StorageHasNoSizeWordAndEndsWithNull) {
  const void* const* const storage = table(kStorage);
  ASSERT_NE(storage, nullptr);
  for (size_t slot = 0; slot < 3; ++slot) EXPECT_GT(reinterpret_cast<size_t>(storage[slot]), 4096u);
  EXPECT_EQ(storage[3], nullptr);
}

TEST_F(ExportTablesTest, RefusesWhatCallersWantRefused) {
  for (const char* uuid : {"f8cff951-2146-8b4e-b9e2-fb469e7c0dd9", "da9151d3-3ae6-cc41-a5c0-4f26d533e328",
                           "7cb63f9b-0000-0000-0000-000000000000", "bfdb432d-1111-1111-1111-111111111111"}) {
    EXPECT_EQ(table(uuid), nullptr) << uuid;
    EXPECT_EQ(result_, CUDA_ERROR_NOT_SUPPORTED) << uuid;
  }
  EXPECT_TRUE(host_.notes.empty());
}

TEST_F(ExportTablesTest, NullArguments) {
  const CUuuid id = uuid_of(kCudart);
  const void* words = nullptr;
  EXPECT_EQ(tables_.get(nullptr, &id), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(tables_.get(&words, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ExportTablesTest, UnknownTablesAreGivenOutAndNotedOnce) {
  const void* const* const first = table(kUnknown);
  table(kUnknown);
  ASSERT_EQ(host_.notes.size(), 1u);
  EXPECT_NE(host_.notes[0].find(kUnknown), std::string::npos);
  EXPECT_EQ(call(first[5]), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(call(first[5]), CUDA_ERROR_NOT_SUPPORTED);
  ASSERT_EQ(host_.notes.size(), 2u);
  EXPECT_NE(host_.notes[1].find("function 5"), std::string::npos);
  EXPECT_NE(host_.notes[1].find(kUnknown), std::string::npos);
  EXPECT_NE(table("ffffffff-4455-6677-8899-aabbccddeeff"), first) << "so that the log can tell them apart";
}

TEST_F(ExportTablesTest, ManyUnknownTablesShareTheLast) {
  std::vector<const void*> given;
  for (char c = '0'; c <= '9'; ++c) {
    std::string uuid = kUnknown;
    uuid[35] = c;
    given.push_back(table(uuid));
    EXPECT_EQ(result_, CUDA_SUCCESS);
  }
  EXPECT_NE(given[6], given[7]);
  EXPECT_EQ(given[8], given[9]);
}

TEST_F(ExportTablesTest, CudartInterface) {
  const void* const* const cudart = table(kCudart);
  CUcontext context = nullptr;
  EXPECT_EQ(call(cudart[2], &context, CUdevice{3}), CUDA_SUCCESS);
  EXPECT_EQ(context, context_at(0x103));
  CUmodule module = nullptr;
  const int image = 0;
  EXPECT_EQ(call(cudart[1], &module, static_cast<const void*>(&image)), CUDA_SUCCESS);
  EXPECT_EQ(host_.loaded, &image);
  EXPECT_NE(module, nullptr);
  EXPECT_EQ(call(cudart[3]), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(host_.notes.size(), 1u);
}

TEST_F(ExportTablesTest, HooksGiveRoomForWhatTheyCount) {
  const void* const* const hooks = table(kHooks);
  for (const auto& [slot, expected] : {std::pair<size_t, size_t>{2, 1024}, {6, 14}}) {
    void* buffer = nullptr;
    size_t count = 0;
    EXPECT_EQ(call(hooks[slot], &buffer, &count), CUDA_SUCCESS);
    EXPECT_EQ(count, expected);
    std::memset(buffer, 0, count * sizeof(void*));  // ASan would object
  }
}

TEST_F(ExportTablesTest, ThreadContextAndChecks) {
  host_.current = context_at(0x105);
  CUcontext context = nullptr;
  EXPECT_EQ(call(table(kTls)[2], &context), CUDA_SUCCESS);
  EXPECT_EQ(context, host_.current);
  uint32_t problem = 9;
  const void* detail = nullptr;
  EXPECT_EQ(call(table(kChecks)[2], host_.current, &problem, &detail), CUDA_SUCCESS);
  EXPECT_EQ(problem, 0u);
  EXPECT_EQ(call(table(kChecks)[3]), 0);
}

TEST_F(ExportTablesTest, StorageUsesTheCurrentContextFor0) {
  const void* const* const storage = table(kStorage);
  const auto get = [&](CUcontext context, void** value) {
    return call(storage[2], value, context, static_cast<void*>(&host_));
  };
  void* value = nullptr;
  EXPECT_EQ(get(nullptr, &value), CUDA_ERROR_INVALID_CONTEXT);
  host_.current = context_at(0x100);
  EXPECT_EQ(get(nullptr, &value), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call(storage[0], CUcontext{}, static_cast<void*>(&host_), static_cast<void*>(&value),
                 ContextLocalStorage::Destructor{}),
            CUDA_SUCCESS);
  EXPECT_EQ(get(nullptr, &value), CUDA_SUCCESS);
  EXPECT_EQ(value, &value);
  EXPECT_EQ(get(context_at(0x100), &value), CUDA_SUCCESS);
  EXPECT_EQ(get(context_at(0x101), &value), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call(storage[1], context_at(0x100), static_cast<void*>(&host_)), CUDA_SUCCESS);
  EXPECT_EQ(call(storage[1], context_at(0x100), static_cast<void*>(&host_)), CUDA_SUCCESS);
  EXPECT_EQ(get(nullptr, &value), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ExportTablesTest, IntegrityAnswersForThisThreadAndTheseTables) {
  host_.devices[0].pci_bus = 7;
  const void* const* const integrity = table(kIntegrity);
  uint64_t answer[2] = {};
  EXPECT_EQ(call(integrity[1], uint32_t{13002}, uint64_t{1234567}, &answer[0]), CUDA_SUCCESS);
  IntegrityQuestion question;
  question.driver_version = 13000;
  question.version = 13002;
  question.process_id = static_cast<uint32_t>(getpid());
  question.thread_low_bits = static_cast<uint32_t>(pthread_self());
  question.cudart_table = reinterpret_cast<uint64_t>(table(kCudart));
  question.integrity_table = reinterpret_cast<uint64_t>(integrity);
  question.integrity_function = reinterpret_cast<uint64_t>(integrity[1]);
  question.unix_seconds = 1234567;
  question.devices = host_.devices;
  EXPECT_EQ((std::array{answer[0], answer[1]}), integrity_answer(question));
  host_.devices_result = CUDA_ERROR_NOT_INITIALIZED;
  EXPECT_EQ(call(integrity[1], uint32_t{13002}, uint64_t{1234567}, &answer[0]), CUDA_ERROR_NOT_INITIALIZED);
}

TEST_F(ExportTablesTest, ToolsContextKnowsContextsAndStreams) {
  const void* const* const tools = table(kToolsContext);
  host_.current = context_at(0x100);
  uint64_t id = 0;
  EXPECT_EQ(call(tools[4], CUcontext{}, &id), CUDA_SUCCESS);
  EXPECT_EQ(id, 0x100u + 1000);
  CUdevice device = -1;
  EXPECT_EQ(call(tools[3], context_at(0x102), &device), CUDA_SUCCESS);
  EXPECT_EQ(device, 2);
  const auto id_of = [&](uintptr_t stream, int per_thread) {
    void* hidden = nullptr;
    uint64_t stream_id = 0;
    EXPECT_EQ(call(tools[51], CUcontext{}, reinterpret_cast<CUstream>(stream), &hidden, per_thread),
              CUDA_SUCCESS);
    EXPECT_NE(hidden, nullptr);
    EXPECT_EQ(call(tools[39], CUcontext{}, hidden, &stream_id), CUDA_SUCCESS);
    return stream_id;
  };
  EXPECT_EQ(id_of(0x500, 0), 0x500u * 10);
  EXPECT_EQ(id_of(0, 0), 10u) << "CU_STREAM_LEGACY";
  EXPECT_EQ(id_of(0, 1), 20u) << "CU_STREAM_PER_THREAD";
}

TEST_F(ExportTablesTest, ToolsModuleVisitsEveryFunction) {
  const void* const* const tools = table(kToolsModule);
  std::vector<CUfunction> visited;
  const auto visit = +[](void* opaque, CUfunction function, uint64_t) {
    static_cast<std::vector<CUfunction>*>(opaque)->push_back(function);
  };
  // The result is a count, not an error code.
  EXPECT_EQ(call_as<int>(tools[7], CUcontext{}, reinterpret_cast<CUmodule>(0x200), visit,
                         static_cast<void*>(&visited)),
            2);
  EXPECT_EQ(visited.size(), 2u);
  EXPECT_EQ(call_as<int>(tools[7], CUcontext{}, CUmodule{}, visit, static_cast<void*>(&visited)), 0);
}

TEST(ExportTables, WithoutAnInstanceTheSlotsSaySo) {
  const void* const* cudart = nullptr;
  {
    FakeHost host;
    ExportTables tables(host);
    tables.install();
    cudart = cudart_interface_table();
  }
  CUcontext context = nullptr;
  const auto primary = reinterpret_cast<CUresult (*)(CUcontext*, CUdevice)>(const_cast<void*>(cudart[2]));
  EXPECT_EQ(primary(&context, 0), CUDA_ERROR_NOT_INITIALIZED);
}

}  // namespace
}  // namespace outboard::abi
