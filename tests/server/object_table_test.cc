#include "server/worker/object_table.h"

#include <gtest/gtest.h>

namespace outboard::server {
namespace {

using wire::Handle;
using wire::HandleKind;

constexpr ObjectOrigin kOrigin{17, 42};

TEST(ObjectTable, FindsBothWaysAndForgets) {
  ObjectTable table;
  const Handle handle{5, 2};
  ASSERT_TRUE(table.insert(HandleKind::kStream, handle, 0xabc, kOrigin));
  EXPECT_EQ(table.find(HandleKind::kStream, handle), 0xabcu);
  EXPECT_EQ(table.handle_of(HandleKind::kStream, 0xabc), handle);
  EXPECT_EQ(table.origin_of(HandleKind::kStream, handle)->sequence, 42u);
  EXPECT_EQ(table.erase(HandleKind::kStream, handle), 0xabcu);
  EXPECT_EQ(table.find(HandleKind::kStream, handle), std::nullopt);
  EXPECT_EQ(table.handle_of(HandleKind::kStream, 0xabc), std::nullopt);
  EXPECT_EQ(table.erase(HandleKind::kStream, handle), std::nullopt);
  EXPECT_EQ(table.count(), 0u);
}

TEST(ObjectTable, AnotherGenerationOrKindIsUnknown) {
  ObjectTable table;
  ASSERT_TRUE(table.insert(HandleKind::kStream, {5, 2}, 1, kOrigin));
  EXPECT_EQ(table.find(HandleKind::kStream, {5, 1}), std::nullopt);
  EXPECT_EQ(table.find(HandleKind::kStream, {5, 3}), std::nullopt);
  EXPECT_EQ(table.find(HandleKind::kEvent, {5, 2}), std::nullopt);
  EXPECT_EQ(table.erase(HandleKind::kStream, {5, 1}), std::nullopt);
  EXPECT_EQ(table.find(HandleKind::kStream, {5, 2}), 1u);
}

TEST(ObjectTable, HostileHandlesAreViolations) {
  ObjectTable table;
  ASSERT_TRUE(table.insert(HandleKind::kEvent, {1, 1}, 1, kOrigin));
  for (const Handle bad :
       {Handle{0, 0}, Handle{0, 1}, Handle{1, 1}, Handle{1, 2}, Handle{ObjectTable::kMaxIndex, 1},
        Handle{wire::kServerIndexBase, 1}, Handle{UINT32_MAX, UINT32_MAX}}) {
    auto status = table.insert(HandleKind::kEvent, bad, 2, kOrigin);
    ASSERT_FALSE(status) << bad.index;
    EXPECT_EQ(status.error().kind, ErrorKind::kProtocolViolation);
  }
  for (const auto kind : {HandleKind::kNone, HandleKind::kLimit, static_cast<HandleKind>(255)}) {
    EXPECT_FALSE(table.insert(kind, {1, 1}, 2, kOrigin));
    EXPECT_EQ(table.find(kind, {1, 1}), std::nullopt);
    EXPECT_EQ(table.erase(kind, {1, 1}), std::nullopt);
    EXPECT_EQ(table.handle_of(kind, 1), std::nullopt);
    EXPECT_FALSE(table.adopt(kind, 1, kOrigin));
  }
  EXPECT_EQ(table.find(HandleKind::kEvent, {UINT32_MAX, UINT32_MAX}), std::nullopt);
  EXPECT_EQ(table.count(), 1u);
}

// A context with a module of its own and a library's, each with a function; and a kernel's function in it.
struct Owned {
  ObjectTable objects;
  const Handle context{3, 1}, module{1, 1}, library{1, 1}, library_module{2, 1};

  Owned() {
    using enum HandleKind;
    EXPECT_TRUE(objects.insert(kContext, context, 1, {}));
    EXPECT_TRUE(objects.insert(kStream, {1, 1}, 2, {}, {context, kNone, {}}));
    EXPECT_TRUE(objects.insert(kStream, {2, 1}, 3, {}, {{1, 1}, kNone, {}}));
    EXPECT_TRUE(objects.insert(kModule, module, 4, {}, {context, kNone, {}}));
    EXPECT_TRUE(objects.insert(kFunction, {1, 1}, 5, {}, {{}, kModule, module}));
    EXPECT_TRUE(objects.adopt(kTexRef, 6, {}, {context, kModule, module}));
    EXPECT_TRUE(objects.insert(kLibrary, library, 7, {}));
    EXPECT_TRUE(objects.insert(kFunction, {2, 1}, 8, {}, {{}, kLibrary, library}));
    EXPECT_TRUE(objects.insert(kFunction, {3, 1}, 9, {}, {context, kLibrary, library}));
    EXPECT_TRUE(objects.insert(kModule, library_module, 10, {}, {context, kLibrary, library}));
    EXPECT_TRUE(objects.insert(kFunction, {4, 1}, 11, {}, {{}, kModule, library_module}));
  }
};

TEST(ObjectTable, WhatAModuleHasGoesWithIt) {
  Owned all;
  EXPECT_EQ(all.objects.erase(HandleKind::kModule, all.module), 4u);
  EXPECT_FALSE(all.objects.find(HandleKind::kFunction, {1, 1}));
  EXPECT_EQ(all.objects.count(HandleKind::kTexRef), 0u);
  EXPECT_EQ(all.objects.count(HandleKind::kFunction), 3u);
  // Their numbers are free.
  EXPECT_TRUE(all.objects.insert(HandleKind::kFunction, {1, 2}, 5, {}));
  EXPECT_EQ(all.objects.adopt(HandleKind::kTexRef, 60, {})->index, wire::kServerIndexBase);
}

TEST(ObjectTable, WhatALibraryHasGoesWithItInEveryContext) {
  Owned all;
  EXPECT_EQ(all.objects.erase(HandleKind::kLibrary, all.library), 7u);
  EXPECT_EQ(all.objects.count(HandleKind::kFunction), 1u);  // the module's, whose number the library has too
  EXPECT_EQ(all.objects.find(HandleKind::kFunction, {1, 1}), 5u);
  EXPECT_FALSE(all.objects.find(HandleKind::kModule, all.library_module));
}

TEST(ObjectTable, WhatAContextHasGoesWithIt) {
  Owned all;
  EXPECT_EQ(all.objects.owners_of(HandleKind::kFunction, {3, 1}).context, all.context);
  all.objects.erase_content_of(all.context);
  EXPECT_TRUE(all.objects.find(HandleKind::kContext, all.context));
  EXPECT_EQ(all.objects.find(HandleKind::kStream, {2, 1}), 3u);  // another context's
  EXPECT_EQ(all.objects.find(HandleKind::kFunction, {2, 1}), 8u);
  // What is left: context, stream, library and its kernel.
  EXPECT_EQ(all.objects.count(), 4u);
  EXPECT_EQ(all.objects.erase(HandleKind::kContext, all.context), 1u);
}

TEST(ObjectTable, AdoptsOnceAndReusesNumbersWithAnotherGeneration) {
  ObjectTable table;
  const auto first = table.adopt(HandleKind::kGraphNode, 0x10, kOrigin);
  ASSERT_TRUE(first);
  EXPECT_GE(first->index, wire::kServerIndexBase);
  EXPECT_EQ(*table.adopt(HandleKind::kGraphNode, 0x10, kOrigin), *first);
  EXPECT_EQ(table.erase(HandleKind::kGraphNode, *first), 0x10u);
  const auto second = table.adopt(HandleKind::kGraphNode, 0x20, kOrigin);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->index, first->index);
  EXPECT_NE(second->generation, first->generation);
  EXPECT_EQ(table.find(HandleKind::kGraphNode, *first), std::nullopt);
}

TEST(ObjectTable, AdoptReturnsTheClientsOwnHandleWhereThereIsOne) {
  ObjectTable table;
  ASSERT_TRUE(table.insert(HandleKind::kGraph, {9, 1}, 0x99, kOrigin));
  EXPECT_EQ(*table.adopt(HandleKind::kGraph, 0x99, kOrigin), (Handle{9, 1}));
}

TEST(ObjectTable, ErasingAnOldHandleLeavesANewOwnerOfTheSameDriverHandle) {
  ObjectTable table;
  ASSERT_TRUE(table.insert(HandleKind::kEvent, {1, 1}, 0x5, kOrigin));
  ASSERT_TRUE(table.insert(HandleKind::kEvent, {2, 1}, 0x5, kOrigin));
  table.erase(HandleKind::kEvent, {1, 1});
  EXPECT_EQ(table.handle_of(HandleKind::kEvent, 0x5), (Handle{2, 1}));
}

}  // namespace
}  // namespace outboard::server
