// Copies of every shape that are not in the other programs: between contexts, in batches, through arrays;
// and references to physical memory.
#include <cstring>

#include "tests/programs/driver/driver.h"

namespace {

CUstream new_stream() {
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  return stream;
}

std::vector<uint32_t> numbers(size_t count, uint32_t first) {
  std::vector<uint32_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = first + static_cast<uint32_t>(i) * 3;
  return values;
}

CUarray new_array(size_t width, size_t height, size_t depth) {
  CUDA_ARRAY3D_DESCRIPTOR descriptor{};
  descriptor.Width = width;
  descriptor.Height = height;
  descriptor.Depth = depth;
  descriptor.Format = CU_AD_FORMAT_UNSIGNED_INT32;
  descriptor.NumChannels = 2;
  CUarray array = nullptr;
  MUST(DRIVER(cuArray3DCreate_v2)(&array, &descriptor));
  return array;
}

// A box of 5 x 4 x 3 words out of one of 10 x 8 x 6, to its mirror place in another.
void boxes_between_contexts(CUcontext context) {
  const std::vector<uint32_t> from_values = numbers(480, 1);
  const CUdeviceptr from = upload(from_values);
  const CUdeviceptr to = upload(std::vector<uint32_t>(480, 0));
  CUDA_MEMCPY3D_PEER copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = from;
  copy.dstDevice = to;
  copy.srcContext = copy.dstContext = context;
  copy.srcPitch = copy.dstPitch = 40;
  copy.srcHeight = copy.dstHeight = 8;
  copy.srcXInBytes = 8;
  copy.srcY = 1;
  copy.srcZ = 2;
  copy.dstXInBytes = 20;
  copy.dstY = 3;
  copy.dstZ = 1;
  copy.WidthInBytes = 20;
  copy.Height = 4;
  copy.Depth = 3;
  std::vector<uint32_t> expected(480, 0);
  for (size_t z = 0; z < 3; ++z) {
    for (size_t y = 0; y < 4; ++y) {
      for (size_t x = 0; x < 5; ++x)
        expected[((z + 1) * 8 + y + 3) * 10 + x + 5] = from_values[((z + 2) * 8 + y + 1) * 10 + x + 2];
    }
  }
  MUST(DRIVER(cuMemcpy3DPeer)(&copy));
  EXPECT(download<uint32_t>(to, 480) == expected);
  MUST(DRIVER(cuMemsetD8_v2)(to, 0, 480 * 4));
  const CUstream stream = new_stream();
  MUST(DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuMemcpy3DPeerAsync)(&copy, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(download<uint32_t>(to, 480) == expected);
  // A host side needs no context.
  std::vector<uint32_t> host(480, 0);
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = host.data();
  copy.dstContext = nullptr;
  MUST(DRIVER(cuMemcpy3DPeer)(&copy));
  EXPECT(host == expected);
  copy.WidthInBytes = 1000;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpy3DPeer)(&copy));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  MUST(DRIVER(cuMemFree_v2)(from));
  MUST(DRIVER(cuMemFree_v2)(to));
  std::printf("boxes between contexts\n");
}

CUdeviceptr at(const void* host) { return reinterpret_cast<CUdeviceptr>(host); }

// To the device, within it, back from it and between host buffers in one call.
void linear_batches() {
  const CUstream stream = new_stream();
  const std::vector<uint32_t> values = numbers(1000, 7);
  std::vector<uint32_t> back(1000, 0), other(10, 0);
  const CUdeviceptr first = upload(std::vector<uint32_t>(1000, 0));
  const CUdeviceptr second = upload(std::vector<uint32_t>(1000, 5));
  CUmemcpyAttributes attributes[2]{};
  attributes[0].srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
  attributes[1].srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL;
  size_t starts[2] = {0, 1};
  CUdeviceptr to[] = {first, second + 400};
  CUdeviceptr from[] = {at(values.data()), at(values.data() + 500)};
  size_t bytes[] = {4000, 40};
  MUST(DRIVER(cuMemcpyBatchAsync_v2)(to, from, bytes, 2, attributes, starts, 2, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  CUdeviceptr to_host[] = {at(back.data()), at(other.data()), second};
  CUdeviceptr from_device[] = {first, at(values.data() + 3), first + 36};
  size_t sizes[] = {4000, 40, 4};
  size_t failed = 77;
  MUST(DRIVER(cuMemcpyBatchAsync)(to_host, from_device, sizes, 3, attributes, starts, 1, &failed, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(back == values);
  EXPECT(std::memcmp(other.data(), values.data() + 3, 40) == 0);
  std::vector<uint32_t> expected(1000, 5);
  std::memcpy(expected.data() + 100, values.data() + 500, 40);
  expected[0] = values[9];
  EXPECT(download<uint32_t>(second, 1000) == expected);
  // The copy at fault is named.
  to_host[2] = 0;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpyBatchAsync)(to_host, from_device, sizes, 3,
                                                                    attributes, starts, 1, &failed, stream));
  EXPECT(failed == 2);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpyBatchAsync)(to_host, from_device, sizes, 3,
                                                                    attributes, starts, 1, &failed, nullptr));
  EXPECT(failed == SIZE_MAX);
  starts[0] = 1;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemcpyBatchAsync_v2)(to_host, from_device, sizes, 2, attributes, starts, 1, stream));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemcpyBatchAsync_v2)(to_host, from_device, sizes, 0, attributes, starts, 1, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  MUST(DRIVER(cuMemFree_v2)(first));
  MUST(DRIVER(cuMemFree_v2)(second));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  std::printf("linear batches\n");
}

CUmemcpy3DOperand pointer(CUdeviceptr address, size_t row_length, size_t layer_height) {
  CUmemcpy3DOperand operand{};
  operand.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
  operand.op.ptr.ptr = address;
  operand.op.ptr.rowLength = row_length;
  operand.op.ptr.layerHeight = layer_height;
  return operand;
}

CUmemcpy3DOperand place(CUarray array, size_t x, size_t y, size_t z) {
  CUmemcpy3DOperand operand{};
  operand.type = CU_MEMCPY_OPERAND_TYPE_ARRAY;
  operand.op.array.array = array;
  operand.op.array.offset = {x, y, z};
  return operand;
}

// Host to array, array to array, array to host, and bytes without any array.
void box_batches() {
  const CUstream stream = new_stream();
  const CUarray first = new_array(8, 6, 4);
  const CUarray second = new_array(8, 6, 4);
  const std::vector<uint32_t> values = numbers(8 * 2 * 6 * 4, 100);
  CUDA_MEMCPY3D_BATCH_OP op{};
  op.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM;
  op.src = pointer(at(values.data()), 0, 0);
  op.dst = place(first, 0, 0, 0);
  op.extent = {8, 6, 4};
  MUST(DRIVER(cuMemcpy3DBatchAsync_v2)(1, &op, 0, stream));
  op.src = place(first, 1, 2, 1);
  op.dst = place(second, 3, 0, 2);
  op.extent = {4, 3, 2};
  MUST(DRIVER(cuMemcpy3DBatchAsync_v2)(1, &op, 0, stream));
  std::vector<uint32_t> back(10 * 2 * 4 * 2, 0), bytes(25, 0);
  CUDA_MEMCPY3D_BATCH_OP ops[2]{};
  ops[0].srcAccessOrder = ops[1].srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_ANY;
  ops[0].src = place(second, 3, 0, 2);
  ops[0].dst = pointer(at(back.data()), 10, 4);
  ops[0].extent = {4, 3, 2};
  const CUdeviceptr device = upload(values);
  ops[1].src = pointer(device + 4, 40, 3);
  ops[1].dst = pointer(at(bytes.data()), 20, 0);
  ops[1].extent = {12, 2, 2};
  size_t failed = 7;
  MUST(DRIVER(cuMemcpy3DBatchAsync)(2, ops, &failed, 0, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  int wrong = 0;
  for (size_t z = 0; z < 2; ++z) {
    for (size_t y = 0; y < 3; ++y) {
      for (size_t x = 0; x < 8; ++x) {
        const uint32_t expected = values[((z + 1) * 6 + y + 2) * 16 + 2 + x];
        wrong += back[(z * 4 + y) * 20 + x] != expected;
      }
    }
  }
  for (size_t z = 0; z < 2; ++z) {
    for (size_t y = 0; y < 2; ++y) {
      for (size_t x = 0; x < 3; ++x) wrong += bytes[(z * 2 + y) * 5 + x] != values[1 + (z * 3 + y) * 10 + x];
    }
  }
  EXPECT(wrong == 0);
  ops[1].extent.width = 4000;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpy3DBatchAsync)(2, ops, &failed, 0, stream));
  EXPECT(failed == 1);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpy3DBatchAsync)(2, ops, &failed, 9, stream));
  EXPECT(failed == SIZE_MAX);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  MUST(DRIVER(cuArrayDestroy)(first));
  MUST(DRIVER(cuArrayDestroy)(second));
  MUST(DRIVER(cuMemFree_v2)(device));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  std::printf("box batches: %d wrong\n", wrong);
}

// One row of bytes on its way through arrays in every direction.
void rows_of_arrays() {
  const CUstream stream = new_stream();
  CUDA_ARRAY_DESCRIPTOR descriptor{};
  descriptor.Width = 100;
  descriptor.Format = CU_AD_FORMAT_UNSIGNED_INT32;
  descriptor.NumChannels = 1;
  CUarray first = nullptr, second = nullptr;
  MUST(DRIVER(cuArrayCreate_v2)(&first, &descriptor));
  MUST(DRIVER(cuArrayCreate_v2)(&second, &descriptor));
  const std::vector<uint32_t> values = numbers(100, 9);
  std::vector<uint32_t> back(100, 0);
  MUST(DRIVER(cuMemcpyHtoA_v2)(first, 0, values.data(), 400));
  MUST(DRIVER(cuMemcpyAtoA_v2)(second, 40, first, 0, 360));
  MUST(DRIVER(cuMemcpyHtoAAsync_v2)(second, 0, values.data(), 40, stream));
  MUST(DRIVER(cuMemcpyAtoHAsync_v2)(back.data(), second, 0, 400, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  std::vector<uint32_t> expected(values.begin(), values.begin() + 10);
  expected.insert(expected.end(), values.begin(), values.begin() + 90);
  EXPECT(back == expected);
  const CUdeviceptr device = upload(std::vector<uint32_t>(100, 1));
  MUST(DRIVER(cuMemcpyAtoD_v2)(device + 4, second, 8, 100));
  MUST(DRIVER(cuMemcpyDtoA_v2)(first, 0, device, 104));
  MUST(DRIVER(cuMemcpyAtoH_v2)(back.data(), first, 0, 104));
  EXPECT(back[0] == 1 && back[1] == expected[2] && back[25] == expected[26]);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpyAtoH_v2)(back.data(), first, 4, 400));
  MUST(DRIVER(cuMemFree_v2)(device));
  MUST(DRIVER(cuArrayDestroy)(first));
  MUST(DRIVER(cuArrayDestroy)(second));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  std::printf("rows of arrays\n");
}

// Memory whose handle was released is reached by its address, and lives as long as it is mapped.
void references() {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  size_t granule = 0;
  MUST(DRIVER(cuMemGetAllocationGranularity)(&granule, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  CUdeviceptr range = 0;
  MUST(DRIVER(cuMemAddressReserve)(&range, 2 * granule, 0, 0, 0));
  CUmemGenericAllocationHandle memory = 0, again = 0;
  MUST(DRIVER(cuMemCreate)(&memory, granule, &properties, 0));
  MUST(DRIVER(cuMemMap)(range, granule, 0, memory, 0));
  CUmemAccessDesc access{};
  access.location = properties.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  MUST(DRIVER(cuMemSetAccess)(range, granule, &access, 1));
  MUST(DRIVER(cuMemRetainAllocationHandle)(&again, reinterpret_cast<void*>(range + 100)));
  EXPECT(again == memory);
  MUST(DRIVER(cuMemRelease)(memory));
  MUST(DRIVER(cuMemsetD32_v2)(range, 77, 16));
  CUmemAllocationProp seen{};
  MUST(DRIVER(cuMemGetAllocationPropertiesFromHandle)(&seen, again));
  EXPECT(seen.location.id == 0 && seen.type == CU_MEM_ALLOCATION_TYPE_PINNED);
  MUST(DRIVER(cuMemRelease)(again));
  EXPECT(DRIVER(cuMemRelease)(again) != CUDA_SUCCESS);
  // Only the mapping is left; a handle can be had again, and mapped a second time.
  MUST(DRIVER(cuMemRetainAllocationHandle)(&again, reinterpret_cast<void*>(range)));
  MUST(DRIVER(cuMemMap)(range + granule, granule, 0, again, 0));
  MUST(DRIVER(cuMemSetAccess)(range + granule, granule, &access, 1));
  EXPECT(download<uint32_t>(range + granule, 16) == std::vector<uint32_t>(16, 77));
  MUST(DRIVER(cuMemRelease)(again));
  MUST(DRIVER(cuMemUnmap)(range, 2 * granule));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemRetainAllocationHandle)(&again, reinterpret_cast<void*>(range)));
  MUST(DRIVER(cuMemAddressFree)(range, 2 * granule));
  std::printf("references\n");
}

}  // namespace

int main() {
  open_device();
  CUcontext context = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&context));
  boxes_between_contexts(context);
  linear_batches();
  box_batches();
  rows_of_arrays();
  references();
  return verdict("copies");
}
