// Copies of graphs between device memory and this process: where the data comes from and goes to is
// looked at when the device gets there, at every launch.
#include <algorithm>
#include <cstring>

#include "client-lib/calls/graph_nodes.h"
#include "client-lib/calls/handles.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_stream_gen.h"

namespace outboard::client::calls {
namespace {

// The box of a host side if it lies in memory without gaps, as it travels; else null.
std::byte* gapless(const Side& side, const Box& box) {
  const bool rows = side.pitch == box.width || (box.height == 1 && box.depth == 1);
  const bool slices = side.height == box.height || box.depth == 1;
  return rows && slices ? host_row(side, 0, 0, 0) : nullptr;
}

template <typename Function>
void for_each_row(const Box& box, Function function) {
  uint64_t at = 0;
  for (uint64_t z = 0; z < box.depth; ++z) {
    for (uint64_t y = 0; y < box.height; ++y, at += box.width) function(y, z, at);
  }
}

// On the thread of host functions; an error is one of the connection, which everybody notices.
void send_source(Client& client, uint64_t number, const Copy& copy) {
  std::vector<std::byte> packed;
  const std::byte* data = gapless(copy.from, copy.box);
  if (data == nullptr) {
    packed.resize(copy.box.bytes());
    for_each_row(copy.box, [&](uint64_t y, uint64_t z, uint64_t at) {
      std::memcpy(packed.data() + at, host_row(copy.from, 0, y, z), copy.box.width);
    });
    data = packed.data();
  }
  for (uint64_t offset = 0; offset < copy.box.bytes(); offset += limits::kBulkChunkBytes) {
    const uint64_t chunk = std::min<uint64_t>(limits::kBulkChunkBytes, copy.box.bytes() - offset);
    (void)client.session().post(client.scope(), wire::HostCopyWriteRequest{number, offset},
                                {data + offset, chunk});
  }
}

void fetch_result(Client& client, uint64_t number, const Copy& copy) {
  std::vector<std::byte> packed;
  std::byte* data = gapless(copy.to, copy.box);
  const bool in_place = data != nullptr;
  if (!in_place) {
    packed.resize(copy.box.bytes());
    data = packed.data();
  }
  for (uint64_t offset = 0; offset < copy.box.bytes(); offset += limits::kBulkChunkBytes) {
    const uint64_t chunk = std::min<uint64_t>(limits::kBulkChunkBytes, copy.box.bytes() - offset);
    Reply reply;
    const wire::HostCopyReadRequest request{number, offset, chunk};
    if (client.session().call(client.scope(), request, reply, CallOptions{{}, {data + offset, chunk}}) !=
        CUDA_SUCCESS)
      return;
  }
  if (in_place) return;
  for_each_row(copy.box, [&](uint64_t y, uint64_t z, uint64_t at) {
    std::memcpy(host_row(copy.to, 0, y, z), packed.data() + at, copy.box.width);
  });
}

void copy_rows(const Copy& copy) {
  for_each_row(copy.box, [&](uint64_t y, uint64_t z, uint64_t) {
    std::memmove(host_row(copy.to, 0, y, z), host_row(copy.from, 0, y, z), copy.box.width);
  });
}

Side host_line(const void* address, uint64_t bytes) {
  Side side;
  side.host = address;
  side.pitch = bytes;
  side.height = 1;
  return side;
}

Side device_line(uint64_t address, uint64_t bytes) {
  Side side;
  side.type = CU_MEMORYTYPE_DEVICE;
  side.device = address;
  side.pitch = bytes;
  side.height = 1;
  return side;
}

// As cuGraphMemcpyNodeGetParams tells it.
CUDA_MEMCPY3D structure_of(const Copy& copy) {
  CUDA_MEMCPY3D s{};
  const Side& from = copy.from;
  const Side& to = copy.to;
  s.srcMemoryType = from.type;
  s.srcHost = from.host;
  s.srcDevice = from.device;
  s.srcArray = from.array;
  s.srcPitch = from.pitch;
  s.srcHeight = from.height;
  s.srcXInBytes = from.x;
  s.srcY = from.y;
  s.srcZ = from.z;
  s.srcLOD = from.level;
  s.dstMemoryType = to.type;
  s.dstHost = const_cast<void*>(to.host);
  s.dstDevice = to.device;
  s.dstArray = to.array;
  s.dstPitch = to.pitch;
  s.dstHeight = to.height;
  s.dstXInBytes = to.x;
  s.dstY = to.y;
  s.dstZ = to.z;
  s.dstLOD = to.level;
  s.WidthInBytes = copy.box.width;
  s.Height = copy.box.height;
  s.Depth = copy.box.depth;
  return s;
}

}  // namespace

CUresult describe_host_copy(Client& client, const Copy& copy, const CUDA_MEMCPY3D& given,
                            wire::GraphNodeParams* to) {
  to->type = CU_GRAPH_NODE_TYPE_MEMCPY;
  to->width = copy.box.width;
  to->height = copy.box.height;
  to->depth = copy.box.depth;
  to->to_host = copy.to.type == CU_MEMORYTYPE_HOST;
  to->from_host = copy.from.type == CU_MEMORYTYPE_HOST;
  bool known = false;
  if (!to->to_host) {
    const CUresult r = device_end(client, copy.to, copy.box, &to->destination, &known);
    if (r != CUDA_SUCCESS) return r;
  }
  if (!to->from_host) {
    const CUresult r = device_end(client, copy.from, copy.box, &to->source, &known);
    if (r != CUDA_SUCCESS) return r;
  }
  const bool fetches = to->to_host;
  const bool sends = to->from_host;
  to->callback = client.host_functions().add_repeating(
      [&client, copy, fetches, sends](uint64_t number) {
        if (fetches && sends) {
          copy_rows(copy);
        } else if (sends) {
          send_source(client, number, copy);
        } else {
          fetch_result(client, number, copy);
        }
      },
      [&client](uint64_t number) { client.graphs().remove_callback(number); });
  client.graphs().add_callback(to->callback, {{}, given});
  return CUDA_SUCCESS;
}

Copy line_to_device(uint64_t to, const void* from, uint64_t bytes) {
  return {device_line(to, bytes), host_line(from, bytes), {bytes, 1, 1}};
}

Copy line_from_device(void* to, uint64_t from, uint64_t bytes) {
  return {host_line(to, bytes), device_line(from, bytes), {bytes, 1, 1}};
}

Copy line_on_host(uint64_t to, uint64_t from, uint64_t bytes) {
  return {host_line(reinterpret_cast<const void*>(to), bytes),
          host_line(reinterpret_cast<const void*>(from), bytes),
          {bytes, 1, 1}};
}

bool is_capturing(Client& client, wire::Handle stream) {
  if (!client.captures().any()) return false;
  if (client.captures().sure(stream)) return true;
  wire::StreamIsCapturingRequest question;
  question.hStream = stream;
  wire::StreamIsCapturingReply answer;
  const CUresult asked = client.call(question, answer);
  return asked == CUDA_SUCCESS && answer.captureStatus != CU_STREAM_CAPTURE_STATUS_NONE;
}

std::optional<CUresult> copy_in_capture(Client& client, const Copy& copy, const CopyOrder& order) {
  if (!is_capturing(client, order.stream)) return std::nullopt;
  if (!order.asynchronous) return wait_for_stream(client, order.stream);
  wire::CaptureCopyRequest request;
  request.stream = order.stream;
  const CUresult described = describe_host_copy(client, copy, structure_of(copy), &request.params);
  if (described != CUDA_SUCCESS) return described;
  wire::CaptureCopyReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) drop_callback(client, request.params);
  return result;
}

}  // namespace outboard::client::calls
