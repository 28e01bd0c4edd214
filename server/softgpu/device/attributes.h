// The device attributes of a software device.
#pragma once

namespace outboard::softgpu {

// The first device claims PCI bus 0x0b of domain 0, the next 0x0c: an address has to be there for
// programs that match devices by it.
inline constexpr int kFirstPciBus = 0x0b;

struct AttributeInputs {
  int ordinal = 0;
  unsigned cores = 1;
  unsigned compute_capability = 90;
  bool launch_timeout = false;
};

// False for an id that CUDA 13.0 does not define (1 to 147 are, with gaps answered as 0).
bool device_attribute(const AttributeInputs& inputs, int id, int* value);

}  // namespace outboard::softgpu
