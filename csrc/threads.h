// Work that is shared out by a counter.
#pragma once

#include <functional>

namespace text2vec {

// Calls work(worker, index) for every index below `count`, on up to `threads` threads of which the
// caller is one (worker 0). The first exception stops the rest and is thrown here. No thread
// outlives the call, so a process may fork between calls.
void share_out(int count, int threads, const std::function<void(int worker, int index)>& work);

}  // namespace text2vec
