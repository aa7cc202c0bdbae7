#include "threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace text2vec {

void share_out(int count, int threads, const std::function<void(int, int)>& work) {
  std::atomic<int> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto run = [&](int worker) {
    try {
      for (int i; (i = next.fetch_add(1)) < count;) work(worker, i);
    } catch (...) {
      next.store(count);
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int worker = 1; worker < std::min(threads, count); worker++) {
    try {
      others.emplace_back(run, worker);
    } catch (const std::system_error&) {
      break;  // the system gives no more threads: those that there are do the work
    }
  }
  run(0);
  for (auto& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace text2vec
