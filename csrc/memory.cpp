#include "memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#elif defined(_WIN32)
#include <malloc.h>
#endif

namespace text2vec {
namespace {
// Weights are read front to back by every block: with 4 KB pages the address translation of a
// 20 MB model does not fit the processor's tables, with 2 MB pages it does.
constexpr size_t kHugePage = size_t{2} << 20;
// What is larger gets huge pages, a workspace too: it touches a few hundred small ones in turn.
constexpr size_t kWorthOne = size_t{512} << 10;
constexpr size_t kLine = 64;
}  // namespace

void FreeAligned::operator()(void* p) const {
#if defined(_WIN32)
  _aligned_free(p);
#else
  std::free(p);
#endif
}

AlignedMemory allocate_zeroed(size_t bytes) {
  const size_t alignment = bytes >= kWorthOne ? kHugePage : kLine;
  bytes = (bytes + alignment) / alignment * alignment;
#if defined(_WIN32)
  void* p = _aligned_malloc(bytes, alignment);
#else
  void* p = nullptr;
  if (posix_memalign(&p, alignment, bytes) != 0) p = nullptr;
#endif
  if (!p) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(p, bytes, MADV_HUGEPAGE);  // advice: refusal does no harm
#endif
  std::memset(p, 0, bytes);
  return AlignedMemory(p);
}

}  // namespace text2vec
