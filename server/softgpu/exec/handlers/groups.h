// The instruction groups. Each is one file with its handlers and its table, compiled once per
// instruction set: OUTBOARD_ISA is avx2 or avx512 on the compiler's command line.
#pragma once

namespace outboard::softgpu::exec {

class FormTable;

namespace OUTBOARD_ISA {
void add_integer_forms(FormTable& table);
void add_logic_forms(FormTable& table);
void add_compare_forms(FormTable& table);
void add_move_forms(FormTable& table);
void add_float32_forms(FormTable& table);
void add_float64_forms(FormTable& table);
void add_convert_forms(FormTable& table);
void add_convert_packed_forms(FormTable& table);
void add_memory_forms(FormTable& table);
void add_atomic_forms(FormTable& table);
void add_control_forms(FormTable& table);
void add_barrier_forms(FormTable& table);
void add_shuffle_forms(FormTable& table);
void add_matrix_forms(FormTable& table);
void add_wmma_forms(FormTable& table);
void add_half_forms(FormTable& table);
void add_async_copy_forms(FormTable& table);
void add_video_forms(FormTable& table);
void add_texture_forms(FormTable& table);
void add_surface_forms(FormTable& table);
}  // namespace OUTBOARD_ISA

}  // namespace outboard::softgpu::exec
