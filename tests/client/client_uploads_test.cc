// Large images, and large copies to the device, are offered by their hash before they are sent.
#include <gtest/gtest.h>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/module_loading.h"
#include "protocol/base/content_hash.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

class UploadsTest : public testing::Test {
 protected:
  UploadsTest() {
    test_.make_current();
    image_ = ".version 9.0\n" + std::string(calls::kInlineImageBytes, ' ');
  }
  void answer(bool known, bool keeps) {
    test_.server.on(wire::Opcode::kOfferUpload, [known, keeps](const SeenCommand&) {
      wire::OfferUploadReply reply;
      reply.known = known;
      reply.keeps = keeps;
      return answer_with(reply);
    });
  }
  void load() {
    CUmodule module = nullptr;
    EXPECT_EQ(calls::cuModuleLoadData(client_, &module, image_.c_str()), CUDA_SUCCESS);
  }
  std::vector<SeenCommand> seen(wire::Opcode opcode) { return test_.server.commands_of(opcode); }

  ClientTest test_;
  Client& client_ = test_.client;
  std::string image_;
};

TEST_F(UploadsTest, WhatTheServerKnowsIsNotSent) {
  answer(true, true);
  load();
  const auto offers = seen(wire::Opcode::kOfferUpload);
  ASSERT_EQ(offers.size(), 1u);
  const auto offer = offers[0].as<wire::OfferUploadRequest>();
  const auto loads = seen(wire::Opcode::kLoadModule);
  ASSERT_EQ(loads.size(), 1u);
  const auto request = loads[0].as<wire::LoadModuleRequest>();
  EXPECT_EQ(request.upload, offer.upload);
  EXPECT_TRUE(loads[0].bulk.empty());
  EXPECT_TRUE(seen(wire::Opcode::kUploadChunk).empty());
  // PTX travels with its terminating zero.
  EXPECT_EQ(offer.total_bytes, image_.size() + 1);
  const auto hash = content_hash(std::as_bytes(std::span(image_.c_str(), image_.size() + 1)));
  EXPECT_TRUE(std::equal(hash.begin(), hash.end(), offer.hash.begin(), offer.hash.end()));
}

TEST_F(UploadsTest, WhatItDoesNotKnowIsSentUnderTheNumberOfTheOffer) {
  answer(false, true);
  load();
  const auto chunks = seen(wire::Opcode::kUploadChunk);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].as<wire::UploadChunkRequest>().upload,
            seen(wire::Opcode::kOfferUpload)[0].as<wire::OfferUploadRequest>().upload);
  EXPECT_EQ(chunks[0].bulk.size(), image_.size() + 1);
  load();
  EXPECT_EQ(seen(wire::Opcode::kOfferUpload).size(), 2u);
}

TEST_F(UploadsTest, AServerThatKeepsNothingIsAskedOnce) {
  answer(false, false);
  load();
  load();
  EXPECT_EQ(seen(wire::Opcode::kOfferUpload).size(), 1u);
  EXPECT_EQ(seen(wire::Opcode::kUploadChunk).size(), 2u);
}

TEST_F(UploadsTest, SmallImagesTravelWithTheirCommand) {
  image_ = ".version 9.0\n";
  load();
  EXPECT_TRUE(seen(wire::Opcode::kOfferUpload).empty());
  EXPECT_FALSE(seen(wire::Opcode::kLoadModule)[0].bulk.empty());
}

class CopiesTest : public UploadsTest {
 protected:
  static constexpr uint64_t kBytes = 2 * limits::kBulkChunkBytes + 4096;
  static constexpr CUdeviceptr kBase = 0x7000'0000'0000;

  CopiesTest() : data_(kBytes, std::byte{7}) { test_.memory(kBase, kBytes); }
  CUresult copy() {
    return calls::cuMemcpyHtoD_v2(client_, kBase, data_.data(), data_.size(), CU_STREAM_LEGACY);
  }
  std::vector<std::byte> data_;
};

TEST_F(CopiesTest, OfKnownDataTravelAsTheirNumbers) {
  answer(true, true);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  const auto copies = test_.server.commands_of(wire::Opcode::kCopyUpload, 3);
  const auto offers = seen(wire::Opcode::kOfferUpload);
  ASSERT_EQ(copies.size(), 3u);
  ASSERT_EQ(offers.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto request = copies[i].as<wire::CopyUploadRequest>();
    EXPECT_EQ(request.upload, offers[i].as<wire::OfferUploadRequest>().upload);
    EXPECT_EQ(request.destination, kBase + i * limits::kBulkChunkBytes);
    EXPECT_FALSE(request.asynchronous);
    EXPECT_TRUE(copies[i].bulk.empty());
    EXPECT_FALSE(copies[i].wants_reply);
  }
  const auto last = offers[2].as<wire::OfferUploadRequest>();
  EXPECT_EQ(last.total_bytes, 4096u);
  const auto hash = content_hash(std::span(data_).last(4096));
  EXPECT_TRUE(std::equal(hash.begin(), hash.end(), last.hash.begin(), last.hash.end()));
}

TEST_F(CopiesTest, OfUnknownDataCarryThem) {
  answer(false, true);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  const auto copies = test_.server.commands_of(wire::Opcode::kCopyUpload, 3);
  ASSERT_EQ(copies.size(), 3u);
  EXPECT_EQ(copies[0].bulk.size(), limits::kBulkChunkBytes);
  EXPECT_EQ(copies[2].bulk.size(), 4096u);
  EXPECT_TRUE(seen(wire::Opcode::kMemcpyHtoD).empty());
}

TEST_F(CopiesTest, IntoMemoryThatWasFilledBeforeAreNotOffered) {
  answer(true, true);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kMemcpyHtoD, 3).size(), 3u);
  EXPECT_EQ(seen(wire::Opcode::kOfferUpload).size(), 3u);
}

TEST_F(CopiesTest, AreNotOfferedToAServerThatKeepsNothing) {
  answer(false, false);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  test_.memory(kBase * 2, kBytes);
  ASSERT_EQ(calls::cuMemcpyHtoD_v2(client_, kBase * 2, data_.data(), kBytes, CU_STREAM_LEGACY), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kMemcpyHtoD, 6).size(), 6u);
  EXPECT_EQ(seen(wire::Opcode::kOfferUpload).size(), 3u);
}

TEST_F(CopiesTest, AreNotOfferedWhenTheyAreSmall) {
  answer(true, true);
  data_.resize(1024 * 1024 - 1);
  ASSERT_EQ(copy(), CUDA_SUCCESS);
  EXPECT_EQ(test_.server.commands_of(wire::Opcode::kMemcpyHtoD, 1).size(), 1u);
  EXPECT_TRUE(seen(wire::Opcode::kOfferUpload).empty());
}

}  // namespace
}  // namespace outboard::client
