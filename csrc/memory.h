// Zeroed memory on 64-byte lines, in huge pages where the system has them.
#pragma once

#include <cstddef>
#include <memory>

namespace text2vec {

struct FreeAligned {
  void operator()(void* p) const;
};
using AlignedMemory = std::unique_ptr<void, FreeAligned>;

// Throws std::bad_alloc.
AlignedMemory allocate_zeroed(size_t bytes);

}  // namespace text2vec
