// cuFFT: one and two dimensions, batches, real and complex, single and double precision, in both directions,
// against a discrete Fourier transform in host arithmetic.
#include <cufft.h>

#include <cmath>
#include <complex>

#include "tests/programs/cuda/program.h"

#define MUST_FFT(call)                                                            \
  do {                                                                            \
    const cufftResult fft_result = (call);                                        \
    if (fft_result != CUFFT_SUCCESS) {                                            \
      std::printf("%s:%d: %s: %d\n", __FILE_NAME__, __LINE__, #call, fft_result); \
      std::printf("FAIL\n");                                                      \
      std::exit(1);                                                               \
    }                                                                             \
  } while (0)

using Complex = std::complex<double>;
using Signal = std::vector<Complex>;
constexpr double kPi = 3.14159265358979323846;

// Along one axis of lines that lie `stride` apart; not normalised, as cuFFT's.
void transform_line(Complex* line, int n, int stride, int sign) {
  Signal out(n);
  for (int k = 0; k < n; ++k) {
    for (int t = 0; t < n; ++t) {
      const double angle = sign * 2 * kPi * (static_cast<long long>(k) * t % n) / n;
      out[k] += line[t * stride] * Complex(std::cos(angle), std::sin(angle));
    }
  }
  for (int k = 0; k < n; ++k) line[k * stride] = out[k];
}

struct Shape {
  int rows, columns, batch;  // one row: one dimension
};

Signal reference(Signal values, const Shape& shape, int sign) {
  for (int b = 0; b < shape.batch; ++b) {
    Complex* const one = values.data() + b * shape.rows * shape.columns;
    for (int r = 0; r < shape.rows; ++r) transform_line(one + r * shape.columns, shape.columns, 1, sign);
    for (int c = 0; shape.rows > 1 && c < shape.columns; ++c)
      transform_line(one + c, shape.rows, shape.columns, sign);
  }
  return values;
}

Signal random_signal(const Shape& shape, bool real) {
  Random random(shape.rows * 1000 + shape.columns);
  Signal values(shape.rows * shape.columns * shape.batch);
  for (Complex& value : values) {
    const double re = random.unit() - 0.5;
    value = {re, real ? 0.0 : random.unit() - 0.5};
  }
  return values;
}

cufftHandle plan_for(const Shape& shape, cufftType type) {
  cufftHandle plan;
  int sizes[] = {shape.rows, shape.columns};
  if (shape.batch > 1) {
    MUST_FFT(cufftPlanMany(&plan, shape.rows > 1 ? 2 : 1, shape.rows > 1 ? sizes : sizes + 1, nullptr, 1, 0,
                           nullptr, 1, 0, type, shape.batch));
  } else if (shape.rows > 1) {
    MUST_FFT(cufftPlan2d(&plan, shape.rows, shape.columns, type));
  } else {
    MUST_FFT(cufftPlan1d(&plan, shape.columns, type, 1));
  }
  return plan;
}

double scale_of(const Signal& values) {
  double largest = 1e-30;
  for (const Complex& value : values) largest = std::fmax(largest, std::abs(value));
  return largest;
}

// T is float or double, V cuFFT's complex type.
template <typename T, typename V, typename R>
struct Kind {
  cufftType c2c, r2c, c2r;
  double tolerance;
  cufftResult (*run)(cufftHandle, V*, V*, int);
  cufftResult (*forward)(cufftHandle, R*, V*);
  cufftResult (*back)(cufftHandle, V*, R*);

  static std::vector<V> narrow(const Signal& values) {
    std::vector<V> out(values.size());
    for (size_t i = 0; i < values.size(); ++i)
      out[i] = {static_cast<T>(values[i].real()), static_cast<T>(values[i].imag())};
    return out;
  }
  void expect_near(const std::vector<V>& got, const Signal& want) const {
    const double limit = tolerance * scale_of(want);
    for (size_t i = 0; i < want.size(); ++i) EXPECT(std::abs(Complex(got[i].x, got[i].y) - want[i]) < limit);
  }

  void complex_to_complex(const Shape& shape) const {
    const Signal values = random_signal(shape, false);
    DeviceArray<V> data(narrow(values));
    const cufftHandle plan = plan_for(shape, c2c);
    for (const int direction : {CUFFT_FORWARD, CUFFT_INVERSE}) {
      data.set(narrow(values));
      MUST_FFT(run(plan, data.data(), data.data(), direction));
      expect_near(data.get(), reference(values, shape, direction));
    }
    MUST_FFT(cufftDestroy(plan));
  }

  // Real input has half a spectrum; back it comes multiplied by the number of values.
  void real(const Shape& shape) const {
    const Signal values = random_signal(shape, true);
    std::vector<R> reals;
    for (const Complex& value : values) reals.push_back(static_cast<R>(value.real()));
    const int half = shape.columns / 2 + 1;
    DeviceArray<R> data(reals);
    DeviceArray<V> spectrum(static_cast<size_t>(shape.rows) * half * shape.batch);
    const cufftHandle there = plan_for(shape, r2c), home = plan_for(shape, c2r);
    MUST_FFT(forward(there, data.data(), spectrum.data()));
    const Signal whole = reference(values, shape, CUFFT_FORWARD);
    Signal want;
    for (int line = 0; line < shape.rows * shape.batch; ++line) {
      for (int c = 0; c < half; ++c) want.push_back(whole[line * shape.columns + c]);
    }
    expect_near(spectrum.get(), want);
    MUST_FFT(back(home, spectrum.data(), data.data()));
    const std::vector<R> again = data.get();
    const double n = shape.rows * shape.columns;
    for (size_t i = 0; i < reals.size(); ++i) EXPECT(std::fabs(again[i] / n - reals[i]) < tolerance);
    MUST_FFT(cufftDestroy(there));
    MUST_FFT(cufftDestroy(home));
  }

  void all() const {
    // A power of two, small and large primes (Bluestein), mixed factors; one value; batches.
    for (const Shape& shape :
         {Shape{1, 256, 1}, Shape{1, 7, 1}, Shape{1, 131, 1}, Shape{1, 360, 1}, Shape{1, 1, 1},
          Shape{1, 64, 5}, Shape{1, 15, 3}, Shape{16, 32, 1}, Shape{9, 20, 1}, Shape{8, 8, 3}}) {
      complex_to_complex(shape);
      if (shape.columns > 1) real(shape);
    }
  }
};

int main() {
  Kind<float, cufftComplex, cufftReal>{CUFFT_C2C,    CUFFT_R2C,    CUFFT_C2R,   2e-5,
                                       cufftExecC2C, cufftExecR2C, cufftExecC2R}
      .all();
  Kind<double, cufftDoubleComplex, cufftDoubleReal>{CUFFT_Z2Z,    CUFFT_D2Z,    CUFFT_Z2D,   1e-12,
                                                    cufftExecZ2Z, cufftExecD2Z, cufftExecZ2D}
      .all();
  return verdict("fft");
}
