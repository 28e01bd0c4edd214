// cuBLAS against host arithmetic. Its machine code is for real GPUs only; a device that says it is newer
// than they are (OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY) is given its PTX.
#include <cublas_v2.h>

#include <cmath>

#include "tests/programs/cuda/program.h"

#define MUST_BLAS(call)                                                            \
  do {                                                                             \
    const cublasStatus_t blas_result = (call);                                     \
    if (blas_result != CUBLAS_STATUS_SUCCESS) {                                    \
      std::printf("%s:%d: %s: %d\n", __FILE_NAME__, __LINE__, #call, blas_result); \
      std::printf("FAIL\n");                                                       \
      std::exit(1);                                                                \
    }                                                                              \
  } while (0)

template <typename T>
std::vector<T> numbers(size_t count, uint32_t seed) {
  Random random(seed);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(random.unit() - 0.5f);
  return values;
}

// C = alpha * op(A) * op(B) + beta * C, column by column.
template <typename T, typename Multiply>
void test_multiply(cublasHandle_t blas, int m, int n, int k, bool ta, bool tb, double tolerance,
                   Multiply multiply) {
  const T alpha = static_cast<T>(1.5), beta = static_cast<T>(-0.5);
  const std::vector<T> a = numbers<T>(m * k, 1), b = numbers<T>(k * n, 2), c = numbers<T>(m * n, 3);
  DeviceArray<T> da(a), db(b), dc(c);
  MUST_BLAS(multiply(blas, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha,
                     da.data(), ta ? k : m, db.data(), tb ? n : k, &beta, dc.data(), m));
  const std::vector<T> got = dc.get();
  for (int column = 0; column < n; ++column) {
    for (int row = 0; row < m; ++row) {
      double sum = 0;
      for (int i = 0; i < k; ++i)
        sum += static_cast<double>(ta ? a[row * k + i] : a[i * m + row]) *
               (tb ? b[i * n + column] : b[column * k + i]);
      const double want = alpha * sum + beta * c[column * m + row];
      EXPECT(std::fabs(got[column * m + row] - want) < tolerance * k);
    }
  }
}

int main() {
  cublasHandle_t blas;
  MUST_BLAS(cublasCreate(&blas));
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      test_multiply<float>(blas, 64, 48, 32, ta, tb, 1e-6, cublasSgemm);
      test_multiply<float>(blas, 37, 19, 53, ta, tb, 1e-6, cublasSgemm);
      test_multiply<double>(blas, 33, 17, 20, ta, tb, 1e-14, cublasDgemm);
    }
  }
  const std::vector<float> x = numbers<float>(1000, 4), y = numbers<float>(1000, 5);
  DeviceArray<float> dx(x), dy(y);
  double dot = 0;
  for (size_t i = 0; i < x.size(); ++i) dot += static_cast<double>(x[i]) * y[i];
  float got = 0;
  MUST_BLAS(cublasSdot(blas, 1000, dx.data(), 1, dy.data(), 1, &got));
  EXPECT(std::fabs(got - dot) < 1e-4);
  const float alpha = 2.5f;
  MUST_BLAS(cublasSaxpy(blas, 1000, &alpha, dx.data(), 1, dy.data(), 1));
  const std::vector<float> sum = dy.get();
  for (size_t i = 0; i < x.size(); ++i) EXPECT(std::fabs(sum[i] - (y[i] + 2.5f * x[i])) < 1e-6f);
  MUST_BLAS(cublasDestroy(blas));
  return verdict("blas");
}
