// The same computations in plain C++, on one thread, with all that the compiler can do on this
// processor. Written the way a C++ programmer would, not as a copy of the kernels.
#pragma once

#include <cstdint>

namespace outboard::bench {

void saxpy(const float* x, float* y, float a, int n);
// a, b and c are n x n.
void sgemm(const float* a, const float* b, float* c, int n);
float reduction(const float* in, int n);
void histogram(const uint32_t* in, uint32_t* bins, int n);
// Four floats per body: position and mass; three and a zero per acceleration.
void nbody(const float* bodies, float* accelerations, int n);
// b by columns.
void sgemm_transposed(const float* a, const float* b, float* c, int n);
// `words` groups of four signed bytes per row.
void gemv_bytes(const int8_t* m, const int8_t* x, int* y, int rows, int words);

}  // namespace outboard::bench
