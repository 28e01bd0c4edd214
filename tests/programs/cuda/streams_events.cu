// Order within and between streams, events and their times.
#include "program.h"

__global__ void fill(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) data[i] = value;
}

__global__ void step(int* data, int count, int multiply, int add) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    data[i] = data[i] * multiply + add;
  }
}

bool all_are(const std::vector<int>& values, int expected) {
  for (int value : values) {
    if (value != expected) return false;
  }
  return true;
}

constexpr int kCount = 10000;

void check_many_streams() {
  constexpr int kStreams = 5;
  std::vector<cudaStream_t> streams(kStreams);
  std::vector<int*> data(kStreams);
  for (int s = 0; s < kStreams; ++s) {
    MUST(s % 2 ? cudaStreamCreate(&streams[s])
               : cudaStreamCreateWithFlags(&streams[s], cudaStreamNonBlocking));
    MUST(cudaMalloc(&data[s], kCount * sizeof(int)));
  }
  for (int round = 0; round < 4; ++round) {
    for (int s = 0; s < kStreams; ++s) {
      if (round == 0) fill<<<4, 128, 0, streams[s]>>>(data[s], kCount, s);
      step<<<4, 128, 0, streams[s]>>>(data[s], kCount, 3, round);
    }
  }
  for (int s = 0; s < kStreams; ++s) {
    int expected = s;
    for (int round = 0; round < 4; ++round) expected = expected * 3 + round;
    std::vector<int> host(kCount);
    MUST(cudaMemcpyAsync(host.data(), data[s], kCount * sizeof(int), cudaMemcpyDeviceToHost, streams[s]));
    MUST(cudaStreamSynchronize(streams[s]));
    EXPECT(all_are(host, expected));
    EXPECT_ERROR(cudaSuccess, cudaStreamQuery(streams[s]));
    MUST(cudaFree(data[s]));
    MUST(cudaStreamDestroy(streams[s]));
  }
  std::printf("many streams done\n");
}

// A chain that hops from stream to stream; each hop waits for an event of the one before.
void check_waiting_between_streams() {
  cudaStream_t streams[3];
  cudaEvent_t events[3];
  for (auto& stream : streams) MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  for (auto& event : events) MUST(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  DeviceArray<int> data(kCount);
  fill<<<8, 64, 0, streams[0]>>>(data.data(), kCount, 1);
  int expected = 1;
  for (int hop = 0; hop < 12; ++hop) {
    const int here = hop % 3, next = (hop + 1) % 3;
    step<<<8, 64, 0, streams[here]>>>(data.data(), kCount, 2, hop);
    expected = expected * 2 + hop;
    MUST(cudaEventRecord(events[here], streams[here]));
    MUST(cudaStreamWaitEvent(streams[next], events[here], 0));
  }
  MUST(cudaStreamSynchronize(streams[0]));
  EXPECT(all_are(data.get(), expected));
  for (auto& event : events) MUST(cudaEventDestroy(event));
  for (auto& stream : streams) MUST(cudaStreamDestroy(stream));
  std::printf("waiting between streams done\n");
}

void check_event_times() {
  cudaEvent_t start, stop, untimed, unrecorded;
  MUST(cudaEventCreate(&start));
  MUST(cudaEventCreateWithFlags(&stop, cudaEventBlockingSync));
  MUST(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  MUST(cudaEventCreate(&unrecorded));
  DeviceArray<int> data(kCount);
  MUST(cudaEventRecord(start));
  for (int i = 0; i < 5; ++i) step<<<4, 128>>>(data.data(), kCount, 1, 1);
  MUST(cudaEventRecord(stop));
  MUST(cudaEventRecord(untimed));
  MUST(cudaEventSynchronize(stop));
  float ms = -1;
  MUST(cudaEventElapsedTime(&ms, start, stop));
  EXPECT(ms >= 0 && ms < 60000);
  EXPECT_ERROR(cudaSuccess, cudaEventQuery(stop));
  MUST(cudaEventSynchronize(untimed));
  EXPECT_ERROR(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, start, untimed));
  EXPECT_ERROR(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, start, unrecorded));
  EXPECT_ERROR(cudaSuccess, cudaEventQuery(unrecorded));
  cudaGetLastError();
  for (cudaEvent_t event : {start, stop, untimed, unrecorded}) MUST(cudaEventDestroy(event));
  std::printf("event times done\n");
}

void check_priorities_and_flags() {
  int least = 0, greatest = 0;
  MUST(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT(greatest <= least);
  cudaStream_t stream;
  MUST(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest));
  int priority = 99;
  unsigned flags = 99;
  MUST(cudaStreamGetPriority(stream, &priority));
  MUST(cudaStreamGetFlags(stream, &flags));
  EXPECT(priority == greatest);
  EXPECT(flags == cudaStreamNonBlocking);
  MUST(cudaStreamDestroy(stream));
  std::printf("priorities and flags done\n");
}

// Work on the legacy default stream comes after work on blocking streams, and before what follows.
void check_legacy_default_stream() {
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  DeviceArray<int> data(kCount);
  fill<<<2, 32, 0, stream>>>(data.data(), kCount, 1);
  step<<<2, 32, 0, cudaStreamLegacy>>>(data.data(), kCount, 5, 0);
  step<<<2, 32, 0, stream>>>(data.data(), kCount, 1, 3);
  MUST(cudaStreamSynchronize(stream));
  EXPECT(all_are(data.get(), 8));
  MUST(cudaStreamDestroy(stream));
  std::printf("legacy default stream done\n");
}

int main() {
  check_many_streams();
  check_waiting_between_streams();
  check_event_times();
  check_priorities_and_flags();
  check_legacy_default_stream();
  return verdict("streams_events");
}
