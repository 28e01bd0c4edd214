#include "client-lib/state/modules.h"

#include <gtest/gtest.h>

namespace outboard::client {
namespace {

TEST(ModuleStore, CodeThatComesAndGoesIsForgottenInTheEnd) {
  ModuleStore store;
  ModuleInfo* kept = store.new_module();
  FunctionInfo* first = store.new_function(*kept, "kept");
  for (size_t round = 0; round < 3 * ModuleStore::kKeptFunctions; ++round) {
    ModuleInfo* module = store.new_module();
    FunctionInfo* kernel = store.new_function(*module, "a");
    store.new_function(*module, "b");
    if (round % 2 == 0) store.copy_function(*kernel);
    store.retire(*module);
    // Who found it just before may still look.
    ASSERT_EQ(kernel->name, "a");
    ASSERT_LE(store.functions(), ModuleStore::kKeptFunctions + 1);
  }
  EXPECT_GT(store.functions(), ModuleStore::kKeptFunctions - 3);
  EXPECT_EQ(kept->functions_by_name.at("kept"), first);
  EXPECT_EQ(first->name, "kept");
  store.retire(*kept);
  store.retire(*kept);
}

TEST(ModuleStore, ModulesWithoutFunctionsAreForgottenToo) {
  ModuleStore store;
  for (size_t round = 0; round < 2 * ModuleStore::kKeptFunctions; ++round) store.retire(*store.new_module());
  EXPECT_EQ(store.functions(), 0u);
}

}  // namespace
}  // namespace outboard::client
