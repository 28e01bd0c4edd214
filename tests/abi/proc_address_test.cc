#include "protocol/abi/proc_address.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "protocol/abi/proc_table_gen.h"

namespace outboard::abi {
namespace {

constexpr uint64_t kPlain = CU_GET_PROC_ADDRESS_DEFAULT;
constexpr uint64_t kLegacy = CU_GET_PROC_ADDRESS_LEGACY_STREAM;
constexpr uint64_t kPerThread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;

struct Found {
  CUresult result;
  std::string symbol;
  CUdriverProcAddressQueryResult status;
};

// The "address" of a symbol is a string that holds its name.
Found find(ProcTable table, const char* name, int version, uint64_t flags) {
  static std::string last;
  Found found{CUDA_SUCCESS, "", CU_GET_PROC_ADDRESS_SUCCESS};
  void* address = &last;
  const SymbolResolver resolve = [](std::string_view symbol) -> void* {
    last = symbol;
    return &last;
  };
  found.result = find_proc_address(table, resolve, name, &address, version, flags, &found.status);
  if (address != nullptr) found.symbol = last;
  return found;
}

constexpr ProcVersion kA[] = {
    {2000, "cuA", nullptr}, {3020, "cuA_v2", "cuA_v2_ptds"}, {12000, "cuA_v3", nullptr}};
constexpr ProcVersion kB[] = {{7000, "cuB", "cuB_ptsz"}};
constexpr ProcName kNames[] = {{"cuA", kA}, {"cuB", kB}};

TEST(ProcAddress, PicksTheNewestThatIsNotNewer) {
  EXPECT_EQ(find(kNames, "cuA", 2000, kPlain).symbol, "cuA");
  EXPECT_EQ(find(kNames, "cuA", 3019, kPlain).symbol, "cuA");
  EXPECT_EQ(find(kNames, "cuA", 3020, kPlain).symbol, "cuA_v2");
  EXPECT_EQ(find(kNames, "cuA", 13000, kPlain).symbol, "cuA_v3");
  EXPECT_EQ(find(kNames, "cuA", 99999, kPlain).symbol, "cuA_v3");
}

TEST(ProcAddress, PerThreadOnlyWhereThereIsATwin) {
  EXPECT_EQ(find(kNames, "cuA", 2000, kPerThread).symbol, "cuA");
  EXPECT_EQ(find(kNames, "cuA", 4000, kPerThread).symbol, "cuA_v2_ptds");
  EXPECT_EQ(find(kNames, "cuA", 12000, kPerThread).symbol, "cuA_v3");
  EXPECT_EQ(find(kNames, "cuB", 7000, kPerThread).symbol, "cuB_ptsz");
  EXPECT_EQ(find(kNames, "cuB", 7000, kLegacy).symbol, "cuB");
}

TEST(ProcAddress, SaysWhyThereIsNone) {
  const Found unknown = find(kNames, "cuC", 13000, kPlain);
  EXPECT_EQ(unknown.result, CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(unknown.status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  EXPECT_EQ(unknown.symbol, "");
  const Found old = find(kNames, "cuB", 6050, kPlain);
  EXPECT_EQ(old.result, CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(old.status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
  EXPECT_EQ(old.symbol, "");
  EXPECT_EQ(find(kNames, "", 0, kPlain).status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

TEST(ProcAddress, ASymbolThatThisLibraryLacksIsNotFound) {
  void* address = nullptr;
  CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
  const SymbolResolver nothing = [](std::string_view) -> void* { return nullptr; };
  EXPECT_EQ(find_proc_address(kNames, nothing, "cuA", &address, 13000, kPlain, &status),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

TEST(ProcAddress, ChecksItsArguments) {
  void* address = nullptr;
  const SymbolResolver nothing = [](std::string_view) -> void* { return nullptr; };
  EXPECT_EQ(find_proc_address(kNames, nothing, nullptr, &address, 13000, 0, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(find_proc_address(kNames, nothing, "cuA", nullptr, 13000, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(find_proc_address(kNames, nothing, "cuA", &address, -1, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(find_proc_address(kNames, nothing, "cuA", &address, 13000, 3, nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST(ProcTable, IsSortedAndComplete) {
  const ProcTable table = proc_table();
  EXPECT_EQ(table.size(), 478u) << "names of CUDA 13.0: 450, and 28 of graphics";
  for (size_t i = 1; i < table.size(); ++i) EXPECT_LT(std::strcmp(table[i - 1].name, table[i].name), 0);
  for (const ProcName& name : table) {
    ASSERT_FALSE(name.versions.empty()) << name.name;
    for (size_t i = 1; i < name.versions.size(); ++i) {
      EXPECT_LT(name.versions[i - 1].introduced, name.versions[i].introduced) << name.name;
    }
  }
}

// What CUDA 13.0's runtime asks for at its start, by the exact historic version.
TEST(ProcTable, AnswersTheRuntimesQuestions) {
  const ProcTable table = proc_table();
  EXPECT_EQ(find(table, "cuCtxCreate", 3020, kPlain).symbol, "cuCtxCreate_v2");
  EXPECT_EQ(find(table, "cuGetProcAddress", 11030, kPlain).symbol, "cuGetProcAddress");
  EXPECT_EQ(find(table, "cuGetProcAddress", 12000, kPlain).symbol, "cuGetProcAddress_v2");
  EXPECT_EQ(find(table, "cuCtxGetDevice", 2000, kPlain).symbol, "cuCtxGetDevice");
  EXPECT_EQ(find(table, "cuCtxGetDevice", 13000, kPlain).symbol, "cuCtxGetDevice_v2");
  EXPECT_EQ(find(table, "cuDevicePrimaryCtxRelease", 7000, kPlain).symbol, "cuDevicePrimaryCtxRelease");
  EXPECT_EQ(find(table, "cuMemcpyHtoD", 7000, kPerThread).symbol, "cuMemcpyHtoD_v2_ptds");
  EXPECT_EQ(find(table, "cuLaunchKernel", 7000, kPerThread).symbol, "cuLaunchKernel_ptsz");
}

}  // namespace
}  // namespace outboard::abi
