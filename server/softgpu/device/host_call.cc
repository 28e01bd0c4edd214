#include "server/softgpu/device/host_call.h"

namespace outboard::softgpu {
namespace {

thread_local bool t_active = false;

}  // namespace

// They do not nest: a function cannot make a stream go on, and nothing else runs on its thread.
HostCall::HostCall() { t_active = true; }
HostCall::~HostCall() { t_active = false; }
bool HostCall::active() { return t_active; }

}  // namespace outboard::softgpu
