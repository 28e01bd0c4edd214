#include "server/worker/reply_batch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/wire/reader.h"
#include "server/worker/command.h"

namespace outboard::server {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

TEST(ReplyBatch, EncodesWhatTheSchemaDescribes) {
  BulkPool pool(64, 4096, 2);
  ReplyBatch batch;
  const auto body = bytes_of("body");
  batch.append({.sequence = 300, .result = CUDA_SUCCESS, .deferred = {}, .body = body, .has_bulk = false, .bulk = {}});
  batch.append({.sequence = 299,
                .result = CUDA_ERROR_INVALID_VALUE,
                .deferred = {CUDA_ERROR_INVALID_HANDLE, 17},
                .body = {},
                .has_bulk = true,
                .bulk = pool.take(5)});
  EXPECT_EQ(batch.count(), 2u);
  EXPECT_EQ(batch.bulk_bytes(), 5u);

  wire::Reader in(batch.encoded());
  EXPECT_EQ(in.varint(), 300u);
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_EQ(in.u8(), 0u);
  EXPECT_TRUE(std::ranges::equal(in.bytes(), body));
  EXPECT_EQ(in.varint(), 299u);
  EXPECT_EQ(in.varint(), uint64_t{CUDA_ERROR_INVALID_VALUE});
  EXPECT_EQ(in.varint(), uint64_t{CUDA_ERROR_INVALID_HANDLE});
  EXPECT_EQ(in.varint(), 17u);
  EXPECT_EQ(in.u8(), 1u);
  EXPECT_EQ(in.varint(), 5u);
  EXPECT_TRUE(in.bytes().empty());
  EXPECT_TRUE(in.finished());
}

TEST(BulkPool, KeepsLargeBuffersUpToItsLimit) {
  BulkPool pool(64, 4096, 2);
  {
    BulkBuffer small = pool.take(64);
    BulkBuffer huge = pool.take(5000);
    BulkBuffer one = pool.take(100), two = pool.take(4096), three = pool.take(65);
    EXPECT_EQ(two.size(), 4096u);
    BulkBuffer moved = std::move(one);
    EXPECT_EQ(moved.size(), 100u);
    EXPECT_TRUE(one.empty());
  }
  EXPECT_EQ(pool.kept(), 2u);
  const BulkBuffer again = pool.take(1000);
  EXPECT_EQ(pool.kept(), 1u);
}

TEST(Command, ReadsAllFields) {
  wire::Writer out;
  out.varint(1000);
  out.u8(0x0f);
  out.handle({3, 1});
  out.u8(2);
  out.varint(77);
  out.bytes(bytes_of("body"));
  wire::Reader in(out.view());
  Command command;
  ASSERT_TRUE(read_command(in, command));
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(command.opcode, 1000);
  EXPECT_TRUE(command.wants_reply);
  EXPECT_EQ(command.context, (wire::Handle{3, 1}));
  EXPECT_EQ(command.capture_mode, 2);
  EXPECT_TRUE(command.has_bulk);
  EXPECT_EQ(command.bulk_bytes, 77u);
  EXPECT_EQ(command.body.size(), 4u);

  const auto all = out.view();
  for (size_t size = 0; size < all.size(); ++size) {
    wire::Reader cut(all.first(size));
    EXPECT_FALSE(read_command(cut, command)) << size;
  }
}

TEST(Command, UnknownFlagsAndOpcodesBeyondSixteenBitsAreNotCommands) {
  Command command;
  for (const auto& [opcode, flags] : {std::pair<uint64_t, uint8_t>{5, 0x10}, {0x10000, 0}}) {
    wire::Writer out;
    out.varint(opcode);
    out.u8(flags);
    out.bytes({});
    wire::Reader in(out.view());
    EXPECT_FALSE(read_command(in, command));
  }
}

}  // namespace
}  // namespace outboard::server
