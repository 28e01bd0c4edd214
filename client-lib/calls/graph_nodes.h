// Nodes of graphs, between the application's structures and what travels.
#pragma once

#include "client-lib/calls/copy_box.h"
#include "client-lib/calls/memcpy.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_graph_gen.h"

namespace outboard::client::calls {

// Registers what the node does in this process under a number that travels; drop_callback() takes
// that back if the server does not want the node.
CUresult describe_node(Client& client, const CUgraphNodeParams& from, wire::GraphNodeParams* to);
void drop_callback(Client& client, const wire::GraphNodeParams& params);
// A copy with settled sides, of which one at least is the host's; `given` is what the application is
// told of it.
CUresult describe_host_copy(Client& client, const Copy& copy, const CUDA_MEMCPY3D& given,
                            wire::GraphNodeParams* to);

CUresult add_node(Client& client, CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                  const CUgraphEdgeData* edges, size_t count, CUgraphNodeParams* params);
// In an executable graph, or in the graph itself if it is null.
CUresult set_node(Client& client, CUgraphExec exec, CUgraphNode node, const CUgraphNodeParams& params);
// CUDA_ERROR_INVALID_VALUE if the node is not of the type that `params` has.
CUresult get_node(Client& client, CUgraphNode node, CUgraphNodeParams* params);

// Whether what is put into the stream becomes part of a graph.
bool is_capturing(Client& client, wire::Handle stream);
// cuLaunchHostFunc there: the function runs as often as the graph.
CUresult capture_host_function(Client& client, wire::Handle stream, const CUDA_HOST_NODE_PARAMS& function);
// A copy in a stream that captures becomes a node, whose host side is read or written at each launch.
// Nothing if the stream does not capture. A synchronous copy spoils the capture.
std::optional<CUresult> copy_in_capture(Client& client, const Copy& copy, const CopyOrder& order);
Copy line_to_device(uint64_t to, const void* from, uint64_t bytes);
Copy line_from_device(void* to, uint64_t from, uint64_t bytes);
Copy line_on_host(uint64_t to, uint64_t from, uint64_t bytes);

}  // namespace outboard::client::calls
