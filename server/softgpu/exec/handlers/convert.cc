#include "server/softgpu/exec/handlers/lanes.h"
namespace outboard::softgpu::exec::OUTBOARD_ISA {
void add_convert_forms(FormTable&) {}
}
