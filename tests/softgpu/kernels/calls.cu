// Functions, recursion, pointers to functions, local memory, switches, and grids that wait.
#include <cooperative_groups.h>
#include <cassert>

struct Pair {
  int a;
  long long b;
  double c;
};

__device__ __noinline__ Pair make_pair(int a, const Pair& from) {
  return {a + from.a, from.b * a, from.c + a};
}
__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__device__ __noinline__ bool is_odd(unsigned n);
__device__ __noinline__ bool is_even(unsigned n) { return n == 0 ? true : is_odd(n - 1); }
__device__ __noinline__ bool is_odd(unsigned n) { return n == 0 ? false : is_even(n - 1); }

__device__ __noinline__ int twice(int x) { return 2 * x; }
__device__ __noinline__ int square(int x) { return x * x; }
__device__ __noinline__ int negate(int x) { return -x; }
typedef int (*Unary)(int);
__device__ Unary table[3] = {twice, square, negate};

extern "C" __global__ void call_direct(const int* in, double* out) {
  int i = threadIdx.x;
  Pair p = make_pair(in[i], Pair{1, 10, 0.5});
  if (i & 1) p = make_pair(3, p);
  out[i] = p.a + p.b + p.c;
}
extern "C" __global__ void call_recursive(const int* in, int* out) {
  out[threadIdx.x] = fibonacci(in[threadIdx.x]);
}
extern "C" __global__ void call_mutual(const int* in, int* out) {
  out[threadIdx.x] = is_even(in[threadIdx.x]);
}
extern "C" __global__ void call_indirect(const int* in, int* out) {
  out[threadIdx.x] = table[threadIdx.x % 3](in[threadIdx.x]);
}

struct Shape {
  __device__ virtual int area() const = 0;
};
struct Square : Shape {
  int side;
  __device__ Square(int s) : side(s) {}
  __device__ __noinline__ int area() const override { return side * side; }
};
struct Strip : Shape {
  int length;
  __device__ Strip(int l) : length(l) {}
  __device__ __noinline__ int area() const override { return length; }
};
extern "C" __global__ void call_virtual(const int* in, int* out) {
  Square square(in[threadIdx.x]);
  Strip strip(in[threadIdx.x]);
  const Shape* shape = threadIdx.x % 2 ? static_cast<const Shape*>(&square) : &strip;
  out[threadIdx.x] = shape->area();
}

extern "C" __global__ void local_array(const int* in, int* out) {
  int values[16];
  for (int i = 0; i < 16; ++i) values[i] = in[threadIdx.x] * i;
  int sum = 0;
  for (int i = 0; i < 16; ++i) sum += values[(in[threadIdx.x] + i * 7) & 15] << (i & 3);
  out[threadIdx.x] = sum;
}

extern "C" __global__ void switch_table(const int* in, int* out) {
  int x = in[threadIdx.x], r;
  switch (x) {
    case 0: r = x + 17; break;
    case 1: r = x * 31; break;
    case 2: r = x - 5; break;
    case 3: r = __popc(x * 77); break;
    case 4: r = x ^ 1234; break;
    case 5: r = ~x; break;
    case 6: r = x << 3; break;
    default: r = -1;
  }
  out[threadIdx.x] = r;
}

extern "C" __global__ void heap_use(int* out) {
  int* p = (int*)malloc(64);
  for (int i = 0; i < 16; ++i) p[i] = i + threadIdx.x;
  int s = 0;
  for (int i = 0; i < 16; ++i) s += p[i];
  free(p);
  out[threadIdx.x] = s;
}

extern "C" __global__ void assertion(int n) { assert(threadIdx.x != n); }

// Every block adds to the next block's cell, three times, with the whole grid waiting in between.
extern "C" __global__ void grid_sync(int* cells) {
  auto grid = cooperative_groups::this_grid();
  for (int round = 0; round < 3; ++round) {
    if (threadIdx.x == 0)
      cells[(round + 1) * gridDim.x + (blockIdx.x + 1) % gridDim.x] =
          cells[round * gridDim.x + blockIdx.x] + 1;
    grid.sync();
  }
}

// Producer and consumer warps of one block, with named barriers.
extern "C" __global__ void named_barriers(int* out) {
  __shared__ int word[2];
  int warp = threadIdx.x / 32;
  for (int i = 0; i < 10; ++i) {
    if (warp == 0) {
      asm volatile("bar.sync 1, 64;" ::: "memory");
      if (threadIdx.x == 0) word[0] = i * i;
      asm volatile("bar.arrive 2, 64;" ::: "memory");
    } else {
      asm volatile("bar.arrive 1, 64;" ::: "memory");
      asm volatile("bar.sync 2, 64;" ::: "memory");
      if (threadIdx.x == 32) out[i] = word[0];
    }
  }
}

// Blocks wait for the block before them, which works because blocks start in ascending order.
extern "C" __global__ void look_back(volatile int* flags, int* out) {
  if (threadIdx.x == 0) {
    int before = 0;
    if (blockIdx.x > 0)
      while ((before = flags[blockIdx.x - 1]) == 0) {
      }
    __threadfence();
    flags[blockIdx.x] = before + blockIdx.x + 1;
    out[blockIdx.x] = before;
  }
}

extern "C" __global__ void count_votes(const int* in, int* out) {
  int all = __syncthreads_count(in[threadIdx.x] > 5);
  int any = __syncthreads_or(in[threadIdx.x] == 3);
  int every = __syncthreads_and(in[threadIdx.x] < 1000);
  out[threadIdx.x] = all * 100 + any * 10 + every;
}
