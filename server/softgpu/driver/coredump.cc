// Settings of core dumps of the device, of which the software device writes none: it runs in the
// process that the host's own core dump shows.
#include "protocol/abi/coredump_settings.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;
using outboard::abi::CoredumpSettings;

namespace {

// Never destroyed: see Driver.
CoredumpSettings& settings() {
  static auto* const all = new CoredumpSettings;
  return *all;
}

}  // namespace

extern "C" {

CUresult cuCoredumpGetAttribute(CUcoredumpSettings setting, void* value, size_t* size) {
  return with_any_context(
      [&](Context& context) { return settings().get(context.handle(), setting, value, size); });
}

CUresult cuCoredumpGetAttributeGlobal(CUcoredumpSettings setting, void* value, size_t* size) {
  return with_platform(
      [&](Platform&) { return settings().get(CoredumpSettings::kGlobal, setting, value, size); });
}

CUresult cuCoredumpSetAttribute(CUcoredumpSettings setting, void* value, size_t* size) {
  return with_any_context(
      [&](Context& context) { return settings().set(context.handle(), setting, value, size); });
}

CUresult cuCoredumpSetAttributeGlobal(CUcoredumpSettings setting, void* value, size_t* size) {
  return with_platform(
      [&](Platform&) { return settings().set(CoredumpSettings::kGlobal, setting, value, size); });
}

}  // extern "C"
