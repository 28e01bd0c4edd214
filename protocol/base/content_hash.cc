#include "protocol/base/content_hash.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace outboard {

ContentHash content_hash(ByteSpan content) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data(), content.size()));
  ContentHash hash;
  static_assert(sizeof hash == sizeof canonical.digest);
  std::memcpy(hash.data(), canonical.digest, sizeof hash);
  return hash;
}

}  // namespace outboard
