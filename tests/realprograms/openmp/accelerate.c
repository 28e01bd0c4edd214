// OpenACC as GCC compiles it: asynchronous queues, reductions and data that stays on the device.
#include <openacc.h>
#include <stdio.h>
#include <stdlib.h>

enum { kCount = 10000, kQueues = 3 };

int main(void) {
  int failures = 0, on_device = 0;
  float* a = malloc(kCount * sizeof *a);
  float* b = malloc(kCount * sizeof *b);
  long sums[kQueues] = {0};
  for (int i = 0; i < kCount; ++i) a[i] = (float)i, b[i] = 0;
#pragma acc parallel copyout(on_device)
  on_device = acc_on_device(acc_device_nvidia);
  printf("runs on the device: %s\n", on_device ? "right" : "WRONG");
  failures += !on_device;

#pragma acc data copyin(a[0 : kCount]) copyout(b[0 : kCount])
  {
#pragma acc parallel loop gang vector async(1)
    for (int i = 0; i < kCount; ++i) b[i] = 2 * a[i] + 1;
#pragma acc parallel loop async(1)
    for (int i = 0; i < kCount; ++i) b[i] = b[i] * b[i];
#pragma acc wait(1)
  }
  int same = 1;
  for (int i = 0; i < kCount; ++i) same &= b[i] == (2.0f * (float)i + 1) * (2.0f * (float)i + 1);
  printf("kernels of one queue: %s\n", same ? "right" : "WRONG");
  failures += !same;

  for (int q = 0; q < kQueues; ++q) {
    long sum = 0;
#pragma acc parallel loop gang worker vector reduction(+ : sum) copy(sum)
    for (int i = q; i < kCount; ++i) sum += i % (q + 2);
    sums[q] = sum;
  }
  for (int q = 0; q < kQueues; ++q) {
    long expected = 0;
    for (int i = q; i < kCount; ++i) expected += i % (q + 2);
    printf("reduction %d: %s\n", q, sums[q] == expected ? "right" : "WRONG");
    failures += sums[q] != expected;
  }
  free(a);
  free(b);
  if (failures == 0) printf("PASS accelerate\n");
  return failures != 0;
}
