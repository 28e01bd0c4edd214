// What all copies share.
#pragma once

#include "client-lib/session/client.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {

// Where and how a copy is ordered.
struct CopyOrder {
  wire::Handle stream;
  bool asynchronous = false;
};

// Whose memory an address is. Device memory first: pinned and pageable host memory is everything else.
bool is_device(Client& client, uint64_t address);

// CUDA_ERROR_INVALID_VALUE if the range starts in device memory that the client knows and leaves it.
// `known` says whether the client knows it at all; else the server has to judge.
CUresult check_device_range(Client& client, uint64_t address, uint64_t bytes, bool* known);

// Linear copies of any size. `known` as above: an unknown destination is answered by the server.
CUresult copy_to_device(Client& client, uint64_t to, const void* from, uint64_t bytes,
                        const CopyOrder& order);
CUresult copy_from_device(Client& client, void* to, uint64_t from, uint64_t bytes, const CopyOrder& order);
CUresult copy_on_device(Client& client, uint64_t to, uint64_t from, uint64_t bytes, const CopyOrder& order);

// After a copy on the device of which a side may be memory that the host uses too.
CUresult finish_mirrored(Client& client, uint64_t to, uint64_t from, const CopyOrder& order);

// Data from the host is read when the call is made. That is early for an asynchronous copy from
// pinned memory which a host function, still to run, will fill: then waits for the stream first.
CUresult settle_source(Client& client, const void* from, const CopyOrder& order);

// Waits for everything before it in the stream, as far as the program could notice the difference.
CUresult wait_for_stream(Client& client, wire::Handle stream);

// What a wait that the client answers itself has to say: a broken session, or what went wrong before.
CUresult what_waits_report(Client& client);

}  // namespace outboard::client::calls
