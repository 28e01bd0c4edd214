// Graph nodes: from how they travel to the driver's structures and back.
//
// The driver cannot read or write the client's memory. A copy with a host side is therefore a small
// graph inside the graph: a host function that has the client bring the bytes into staging memory,
// and behind it the copy from there; or the other way round. The client sees one node, and that it is
// a copy. One with two host sides is a host function that has the client copy.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/messages_graph_gen.h"
#include "server/worker/host_callbacks.h"
#include "server/worker/packed_parameters.h"
#include "server/worker/worker.h"

namespace outboard::server {

// Calls `function` when the graph and all that was made of it are gone. False if the driver cannot.
bool at_end_of(const DriverApi& driver, CUgraph graph, std::function<void()> function);

// Rows and slices without gaps; nothing if they are more than may be staged.
std::optional<size_t> staged_bytes(const wire::GraphNodeParams& copy);

// One node's parameters for the driver. What they point to lies in here and in `from`.
class NodeParams {
 public:
  explicit NodeParams(Worker& worker) : worker_(worker) {}
  NodeParams(const NodeParams&) = delete;
  NodeParams& operator=(const NodeParams&) = delete;
  // Takes back what nobody took over.
  ~NodeParams();

  CUresult set(const wire::GraphNodeParams& from);
  CUgraphNodeParams& native() { return native_; }

  // A copy with one host side consists of two nodes.
  bool staged() const { return staged_; }
  CUgraphNodeParams host_function() const;
  // Makes the small graph; native() then adds it as a child graph.
  CUresult wrap();

  // The node is in the graph now: what the client needs to know lives as long as that. After wrap()
  // the small graph has taken care of it.
  void keep_in(CUgraph graph);
  HostCallbacks::Ticket* ticket() const { return ticket_; }
  // The caller looks after the ticket from now on.
  void give_up_ticket() { ticket_ = nullptr; }

 private:
  CUresult set_kernel(const wire::GraphNodeParams& from);
  CUresult set_copy(const wire::GraphNodeParams& from);
  CUresult set_allocation(const wire::GraphNodeParams& from);
  CUresult set_context(wire::Handle handle, CUcontext* context);
  template <typename T>
  CUresult set_handle(wire::HandleKind kind, wire::Handle handle, T* native);

  Worker& worker_;
  CUgraphNodeParams native_{};
  std::optional<PackedParameters> kernel_parameters_;
  std::vector<CUmemAccessDesc> access_;
  std::vector<CUstreamBatchMemOpParams> operations_;
  HostCallbacks::Ticket* ticket_ = nullptr;
  bool staged_ = false;
  bool from_host_ = false;
  CUgraph small_graph_ = nullptr;
};

// The nodes of the small graph of a copy with a host side.
struct StagedCopy {
  CUgraph graph = nullptr;
  CUgraphNode host = nullptr;
  CUgraphNode copy = nullptr;
  HostCallbacks::Ticket* ticket = nullptr;
  bool from_host = false;
};
std::optional<StagedCopy> staged_copy(const DriverApi& driver, CUgraphNode node);
// The ticket of a host node of the client's; null for others.
HostCallbacks::Ticket* ticket_of(const DriverApi& driver, CUgraphNode node);
// As the client sees it.
CUresult node_type(const DriverApi& driver, CUgraphNode node, CUgraphNodeType* type);

// What the client is told of a node of that type.
CUresult describe_node(Worker& worker, CUgraphNode node, CUgraphNodeType type,
                       wire::GraphNodeGetParamsReply* reply);

}  // namespace outboard::server
