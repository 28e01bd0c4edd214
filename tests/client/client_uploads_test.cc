// Large images are offered by their hash before they are sent.
#include <gtest/gtest.h>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/module_loading.h"
#include "protocol/base/content_hash.h"
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

}  // namespace
}  // namespace outboard::client
