#include "bench/softgpu/baseline.h"

#include <cmath>
#include <vector>

namespace outboard::bench {

void saxpy(const float* x, float* y, float a, int n) {
  for (int i = 0; i < n; ++i) y[i] = a * x[i] + y[i];
}

void sgemm(const float* a, const float* b, float* c, int n) {
  for (int i = 0; i < n; ++i) {
    float* row = c + i * n;
    for (int j = 0; j < n; ++j) row[j] = 0;
    for (int k = 0; k < n; ++k) {
      const float factor = a[i * n + k];
      for (int j = 0; j < n; ++j) row[j] += factor * b[k * n + j];
    }
  }
}

float reduction(const float* in, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += in[i];
  return sum;
}

void histogram(const uint32_t* in, uint32_t* bins, int n) {
  for (int i = 0; i < n; ++i) ++bins[in[i] & 255];
}

void nbody(const float* bodies, float* accelerations, int n) {
  for (int i = 0; i < n; ++i) {
    const float x = bodies[4 * i], y = bodies[4 * i + 1], z = bodies[4 * i + 2];
    float ax = 0, ay = 0, az = 0;
    for (int j = 0; j < n; ++j) {
      const float dx = bodies[4 * j] - x, dy = bodies[4 * j + 1] - y, dz = bodies[4 * j + 2] - z;
      const float distance = 1.0f / std::sqrt(dx * dx + dy * dy + dz * dz + 0.01f);
      const float scale = bodies[4 * j + 3] * distance * distance * distance;
      ax += dx * scale;
      ay += dy * scale;
      az += dz * scale;
    }
    accelerations[4 * i] = ax;
    accelerations[4 * i + 1] = ay;
    accelerations[4 * i + 2] = az;
    accelerations[4 * i + 3] = 0;
  }
}

void sgemm_transposed(const float* a, const float* b, float* c, int n) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int k = 0; k < n; ++k) sum += a[i * n + k] * b[j * n + k];
      c[i * n + j] = sum;
    }
  }
}

void gemv_bytes(const int8_t* m, const int8_t* x, int* y, int rows, int words) {
  for (int row = 0; row < rows; ++row) {
    int sum = 0;
    for (int i = 0; i < 4 * words; ++i) sum += m[row * 4 * words + i] * x[i];
    y[row] = sum;
  }
}

}  // namespace outboard::bench
