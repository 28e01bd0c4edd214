#include "server/softgpu/exec/forms.h"
#include "server/softgpu/exec/handlers/groups.h"

#define OUTBOARD_JOIN2(a, b) a##b
#define OUTBOARD_JOIN(a, b) OUTBOARD_JOIN2(a, b)

namespace outboard::softgpu::exec {

void OUTBOARD_JOIN(add_all_forms_, OUTBOARD_ISA)(FormTable& table) {
  using namespace OUTBOARD_ISA;
  add_integer_forms(table);
  add_logic_forms(table);
  add_compare_forms(table);
  add_move_forms(table);
  add_float32_forms(table);
  add_float64_forms(table);
  add_convert_forms(table);
  add_convert_packed_forms(table);
  add_memory_forms(table);
  add_atomic_forms(table);
  add_control_forms(table);
  add_barrier_forms(table);
  add_shuffle_forms(table);
  add_matrix_forms(table);
  add_wmma_forms(table);
  add_half_forms(table);
  add_async_copy_forms(table);
  add_video_forms(table);
  add_texture_forms(table);
  add_surface_forms(table);
}

}  // namespace outboard::softgpu::exec
