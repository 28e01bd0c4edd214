// What CUDA's runtimes of the last three versions ask a driver for when they start, as recorded from
// them (tests/abi/runtimes): every name is there in that historic version. Their private tables are
// exercised by the runtimes themselves: programs.runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "protocol/abi/proc_address.h"
#include "protocol/abi/proc_table_gen.h"

namespace outboard::abi {
namespace {

// Name, version and flags of one request.
struct Request {
  std::string name;
  int version = 0;
  uint64_t flags = 0;
};

std::vector<Request> requests_of(const std::string& runtime) {
  std::ifstream file(std::string(OUTBOARD_TEST_RUNTIMES) + "/" + runtime);
  std::vector<Request> requests;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind;
    Request request;
    if (words >> kind >> request.name >> request.version >> request.flags && kind == "proc")
      requests.push_back(request);
  }
  return requests;
}

class RuntimeRequests : public testing::TestWithParam<const char*> {};

TEST_P(RuntimeRequests, EveryNameIsThereInItsHistoricVersion) {
  const std::vector<Request> requests = requests_of(GetParam());
  ASSERT_GT(requests.size(), 350u);
  for (const Request& request : requests) {
    SCOPED_TRACE(request.name + " of version " + std::to_string(request.version));
    std::string symbol;
    static const std::string* found;
    static std::string last;
    found = nullptr;
    const SymbolResolver resolve = [](std::string_view name) -> void* {
      last = name;
      found = &last;
      return &last;
    };
    void* address = nullptr;
    CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    EXPECT_EQ(find_proc_address(proc_table(), resolve, request.name.c_str(), &address, request.version,
                                request.flags, &status),
              CUDA_SUCCESS);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SUCCESS);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->rfind(request.name, 0), 0u) << *found;
    const bool twin = found->ends_with("_ptsz") || found->ends_with("_ptds");
    EXPECT_EQ(twin, request.flags == CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) << *found;
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, RuntimeRequests,
                         testing::Values("cudart-11.8.89.txt", "cudart-12.4.127.txt", "cudart-13.0.88.txt"),
                         [](const auto& runtime) {
                           std::string name = runtime.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace outboard::abi
