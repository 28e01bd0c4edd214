// OpenMP offloading as GCC compiles it: every construct computes something that the host computes again.
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { kCount = 20000, kRows = 64, kColumns = 48, kBins = 7 };

static int failures = 0;

static void check(const char* what, int right) {
  printf("%s: %s\n", what, right ? "right" : "WRONG");
  if (!right) ++failures;
}

#pragma omp declare target
int calls = 0;
static int collatz_steps(long n) {
  int steps = 0;
  while (n != 1) {
    n = n % 2 ? 3 * n + 1 : n / 2;
    ++steps;
  }
  return steps;
}
static double recursive_sum(const double* values, int count) {
  return count == 1 ? values[0]
                    : recursive_sum(values, count / 2) + recursive_sum(values + count / 2, count - count / 2);
}
#pragma omp end declare target

static void where_it_runs(void) {
  int on_host = 1;
  int teams = 0;
  int threads = 0;
#pragma omp target map(from : on_host)
  on_host = omp_is_initial_device();
#pragma omp target teams map(from : teams, threads) num_teams(3) thread_limit(64)
  {
    int mine = 0;
#pragma omp parallel
    {
#pragma omp master
      mine = omp_get_num_threads();
    }
    if (omp_get_team_num() == 0) {
      teams = omp_get_num_teams();
      threads = mine;
    }
  }
  printf("devices %d, teams %d, more than one thread: %d\n", omp_get_num_devices(), teams, threads > 1);
  check("runs on the device", !on_host && teams == 3);
}

static void loops(void) {
  double* a = malloc(kCount * sizeof *a);
  double* b = malloc(kCount * sizeof *b);
  double sum = 0, largest = -1;
  for (int i = 0; i < kCount; ++i) a[i] = i, b[i] = 2 * i + 1;
#pragma omp target teams distribute parallel for map(tofrom : a[0 : kCount]) map(to : b[0 : kCount])
  for (int i = 0; i < kCount; ++i) a[i] += 3 * b[i];
#pragma omp target teams distribute parallel for simd reduction(+ : sum) reduction(max : largest) \
    map(to : a[0 : kCount]) map(tofrom : sum, largest)
  for (int i = 0; i < kCount; ++i) {
    sum += a[i];
    if (a[i] > largest) largest = a[i];
  }
  double expected = 0;
  int same = 1;
  for (int i = 0; i < kCount; ++i) {
    const double value = i + 3.0 * (2 * i + 1);
    same &= a[i] == value;
    expected += value;
  }
  check("elements", same);
  check("reductions", sum == expected && largest == 7.0 * (kCount - 1) + 3);
  free(a);
  free(b);
}

static void resident_data(void) {
  static float grid[kRows][kColumns];
  static float expected[kRows][kColumns];
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j) grid[i][j] = expected[i][j] = (float)(i * j % 17);
#pragma omp target data map(tofrom : grid)
  {
    for (int step = 0; step < 4; ++step) {
#pragma omp target teams distribute parallel for collapse(2)
      for (int i = 0; i < kRows; ++i)
        for (int j = 0; j < kColumns; ++j) grid[i][j] = grid[i][j] * 0.5f + (float)step;
    }
#pragma omp target update from(grid[0 : 1])
    printf("the first row ends in %.4f\n", grid[0][kColumns - 1]);
    grid[0][0] = 100;
#pragma omp target update to(grid[0 : 1])
  }
  for (int step = 0; step < 4; ++step)
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) expected[i][j] = expected[i][j] * 0.5f + (float)step;
  expected[0][0] = 100;
  int same = 1;
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j) same &= grid[i][j] == expected[i][j];
  check("data that stays on the device", same);
}

static void atomics_and_critical(void) {
  int bins[kBins] = {0};
  long last = 0;
#pragma omp target teams distribute parallel for map(tofrom : bins)
  for (int i = 0; i < kCount; ++i) {
#pragma omp atomic
    ++bins[i % kBins];
  }
#pragma omp target parallel map(tofrom : last) num_threads(8)
  {
#pragma omp for
    for (int i = 0; i < 100; ++i) {
#pragma omp critical
      last += i;
    }
#pragma omp barrier
#pragma omp single
    last *= 2;
  }
  int same = 1;
  for (int i = 0; i < kBins; ++i) same &= bins[i] == (kCount + kBins - 1 - i) / kBins;
  check("atomics", same);
  check("critical sections and barriers", last == 9900);
}

static void functions(void) {
  enum { kNumbers = 300 };
  int steps[kNumbers];
  double sines[kNumbers], roots[kNumbers], total = 0;
#pragma omp target teams distribute parallel for map(from : steps, sines, roots)
  for (int i = 0; i < kNumbers; ++i) {
    steps[i] = collatz_steps(i + 1);
    sines[i] = sin(0.1 * i) + exp(-0.01 * i);
    roots[i] = sqrt((double)i);
  }
#pragma omp target map(to : roots) map(from : total)
  {
    total = recursive_sum(roots, kNumbers);
    calls = 41;
    ++calls;
  }
#pragma omp target update from(calls)
  int same = 1;
  double expected = recursive_sum(roots, kNumbers);
  for (int i = 0; i < kNumbers; ++i) {
    same &= steps[i] == collatz_steps(i + 1) && roots[i] == sqrt((double)i);
    same &= fabs(sines[i] - (sin(0.1 * i) + exp(-0.01 * i))) < 1e-14;
  }
  check("functions and libm", same);
  check("recursion and global variables", total == expected && calls == 42);
}

static void tasks(void) {
  int a = 1, b = 2, c = 0;
#pragma omp target nowait map(tofrom : a) depend(out : a)
  a += 10;
#pragma omp target nowait map(tofrom : b) depend(out : b)
  b += 20;
#pragma omp target nowait map(to : a, b) map(from : c) depend(in : a, b)
  c = a * b;
#pragma omp taskwait
  check("asynchronous tasks", a == 11 && b == 22 && c == 242);
}

static void memory_functions(void) {
  const int device = omp_get_default_device(), host = omp_get_initial_device();
  int numbers[256], back[256];
  for (int i = 0; i < 256; ++i) numbers[i] = i * i;
  int* there = omp_target_alloc(sizeof numbers, device);
  int right = there != NULL && omp_target_memcpy(there, numbers, sizeof numbers, 0, 0, device, host) == 0;
#pragma omp target teams distribute parallel for is_device_ptr(there)
  for (int i = 0; i < 256; ++i) there[i] -= i;
  right &= omp_target_memcpy(back, there, sizeof back, 0, 0, host, device) == 0;
  omp_target_free(there, device);
  for (int i = 0; i < 256; ++i) right &= back[i] == i * i - i;
  check("memory functions", right);
}

int main(void) {
  where_it_runs();
  loops();
  resident_data();
  atomics_and_critical();
  functions();
  tasks();
  memory_functions();
  if (failures == 0) printf("PASS offload\n");
  return failures != 0;
}
