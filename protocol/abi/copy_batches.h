// What every libcuda of ours demands of a batch of copies (cuMemcpyBatchAsync and its relatives).
#pragma once

#include <cstddef>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::abi {

// The null stream takes no batches.
inline bool takes_copy_batches(CUstream stream) { return stream != nullptr && stream != CU_STREAM_LEGACY; }

// `first[i]` is the first copy that attributes[i] apply to: they begin at copy 0, ascend, and name
// copies that exist.
inline bool valid_copy_attributes(const CUmemcpyAttributes* attributes, const size_t* first,
                                  size_t attribute_count, size_t copies) {
  if (attribute_count == 0 || attribute_count > copies || attributes == nullptr || first == nullptr ||
      first[0] != 0)
    return false;
  for (size_t i = 0; i < attribute_count; ++i) {
    if (i != 0 && (first[i] <= first[i - 1] || first[i] >= copies)) return false;
    if (attributes[i].srcAccessOrder < CU_MEMCPY_SRC_ACCESS_ORDER_STREAM ||
        attributes[i].srcAccessOrder > CU_MEMCPY_SRC_ACCESS_ORDER_ANY) {
      return false;
    }
  }
  return true;
}

}  // namespace outboard::abi
