#include "server/softgpu/exec/handlers/lanes.h"
namespace outboard::softgpu::exec::OUTBOARD_ISA {
void add_float64_forms(FormTable&) {}
}
