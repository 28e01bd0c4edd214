#include "client-lib/calls/offered_copies.h"

#include <algorithm>
#include <array>

#include "protocol/base/content_hash.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_module_gen.h"
#include "protocol/wire/reader.h"

namespace outboard::client::calls {
namespace {

constexpr uint64_t kLeastBytes = 1024 * 1024;
constexpr uint64_t kPieceBytes = limits::kBulkChunkBytes;
// One round trip asks for so many pieces (128 MiB), which the server then holds ready.
constexpr size_t kPiecesAtOnce = 16;

struct Piece {
  std::span<const std::byte> data;
  uint32_t upload = 0;
  PendingCall pending;
  bool known = false;
};

// Data that are written over and over are new each time. What is filled for the first time may be what
// another process of the same user has sent before.
bool worth_offering(Client& client, uint64_t to, uint64_t bytes) {
  const OutgoingUploads& uploads = client.uploads();
  if (uploads.copies() == OfferCopies::kNever || bytes < kLeastBytes) return false;
  const bool fills = client.device_memory().note_upload(to, bytes);
  if (!uploads.server_keeps()) return false;
  return uploads.copies() == OfferCopies::kAlways || (fills && client.session().link().worth_asking(bytes));
}

// All questions travel together.
CUresult ask(Client& client, std::span<Piece> pieces) {
  const CommandScope scope = client.scope();
  size_t asked = 0;
  CUresult result = CUDA_SUCCESS;
  for (Piece& piece : pieces) {
    piece.upload = client.uploads().next_number();
    piece.known = false;
    piece.pending.restart();
    const ContentHash hash = content_hash(piece.data);  // the request only points at it
    const wire::OfferUploadRequest request{piece.upload, piece.data.size(), hash};
    if (!client.session().begin(scope, request, piece.pending)) {
      result = Session::kLost;
      break;
    }
    ++asked;
  }
  for (Piece& piece : pieces.first(asked)) {
    Reply raw;
    wire::OfferUploadReply reply;
    CUresult answered = client.session().finish(piece.pending, raw);
    if (answered == CUDA_SUCCESS)
      answered = client.decode_reply<wire::OfferUploadRequest>(answered, raw, reply);
    if (result == CUDA_SUCCESS) result = answered;
    piece.known = reply.known;
    if (answered == CUDA_SUCCESS && !reply.keeps) client.uploads().server_keeps_nothing();
  }
  return result;
}

CUresult copy(Client& client, uint64_t to, const Piece& piece, const CopyOrder& order) {
  if (!client.uploads().server_keeps())
    return client.post(wire::MemcpyHtoDRequest{to, order.stream, order.asynchronous}, piece.data);
  const auto bulk = piece.known ? std::span<const std::byte>() : piece.data;
  return client.post(wire::CopyUploadRequest{to, order.stream, order.asynchronous, piece.upload}, bulk);
}

}  // namespace

std::optional<CUresult> copy_offered(Client& client, uint64_t to, std::span<const std::byte> data,
                                     const CopyOrder& order) {
  if (!worth_offering(client, to, data.size())) return std::nullopt;
  const std::unique_lock turn(client.uploads().offering(), std::try_to_lock);
  if (!turn.owns_lock()) return std::nullopt;
  std::array<Piece, kPiecesAtOnce> pieces;
  while (!data.empty()) {
    size_t count = 0;
    while (count < pieces.size() && !data.empty()) {
      pieces[count].data = data.first(std::min<uint64_t>(kPieceBytes, data.size()));
      data = data.subspan(pieces[count++].data.size());
    }
    if (const CUresult result = ask(client, std::span(pieces).first(count)); result != CUDA_SUCCESS)
      return result;
    for (const Piece& piece : std::span(pieces).first(count)) {
      if (const CUresult result = copy(client, to, piece, order); result != CUDA_SUCCESS) return result;
      to += piece.data.size();
    }
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
