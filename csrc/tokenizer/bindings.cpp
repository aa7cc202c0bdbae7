#include "bindings.h"

#include <nanobind/ndarray.h>

#include "batch.h"
#include "trie_builder.h"

namespace nb = nanobind;

namespace {

using text2vec::tokenizer::EncodedBatch;
using text2vec::tokenizer::FormatError;
using text2vec::tokenizer::Tokenizer;
using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Hands a vector to numpy without a copy.
template <typename T, typename Element = T>
nb::ndarray<nb::numpy, Element, nb::ndim<1>> to_numpy(std::vector<T>&& values) {
  static_assert(sizeof(T) == sizeof(Element));
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return {reinterpret_cast<Element*>(owned->data()), {owned->size()}, owner};
}

class CompactTokenizer {
 public:
  explicit CompactTokenizer(Bytes file) : file_(file), tokenizer_(file.data(), file.size()) {}

  nb::tuple encode(nb::list texts, size_t max_length, size_t num_threads) const {
    if (num_threads < 1) throw nb::value_error("num_threads is 0; expected 1 or more");
    if (max_length < tokenizer_.n_special()) {
      throw nb::value_error("max_length is less than the special tokens around every text");
    }
    // References of our own: another thread may change the list while the lock is released.
    std::vector<nb::object> held;
    std::vector<std::string_view> views;
    held.reserve(nb::len(texts));
    views.reserve(nb::len(texts));
    for (nb::handle text : texts) {
      if (!PyUnicode_Check(text.ptr())) throw nb::type_error("texts holds something that is no str");
      Py_ssize_t size = 0;
      const char* utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
      if (utf8 == nullptr) throw nb::python_error();
      held.push_back(nb::borrow(text));
      views.emplace_back(utf8, static_cast<size_t>(size));
    }
    EncodedBatch batch;
    {
      nb::gil_scoped_release release;
      batch = encode_batch(tokenizer_, views, max_length, num_threads);
    }
    return nb::make_tuple(to_numpy(std::move(batch.ids)), to_numpy(std::move(batch.offsets)),
                          to_numpy<uint8_t, bool>(std::move(batch.truncated)));
  }

  size_t n_special() const { return tokenizer_.n_special(); }

 private:
  const Bytes file_;  // keeps the mapping alive
  const Tokenizer tokenizer_;
};

[[noreturn]] void refuse(nb::handle key, const std::string& problem) {
  throw nb::value_error(("key " + std::string(nb::repr(key).c_str()) + problem).c_str());
}

// Units of the trie of a dict from bytes to ids.
nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>> build_double_array(nb::dict entries) {
  namespace tokenizer = text2vec::tokenizer;
  std::vector<tokenizer::TrieEntry> copied;
  copied.reserve(nb::len(entries));
  for (const auto [key, id] : entries) {
    char* bytes = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(key.ptr(), &bytes, &size) != 0) throw nb::python_error();
    const std::string_view view(bytes, static_cast<size_t>(size));
    if (view.empty() || view.find('\0') != view.npos)
      refuse(key, " is empty or holds a zero byte; such keys cannot be found");
    int overflow = 0;  // with which the number is -1
    const long long number =
        PyLong_Check(id.ptr()) ? PyLong_AsLongLongAndOverflow(id.ptr(), &overflow) : -1;
    if (number < 0 || number > tokenizer::kLargestTrieId)
      refuse(key, " has the id " + std::string(nb::repr(id).c_str()) + "; expected 0 to " +
                      std::to_string(tokenizer::kLargestTrieId));
    copied.push_back({view, static_cast<uint32_t>(number)});
  }
  return to_numpy(tokenizer::build_double_array(std::move(copied)));
}

}  // namespace

void bind_tokenizer(nb::module_& module) {
  module.def("build_double_array", &build_double_array, nb::arg("entries"));
  nb::exception<FormatError>(module, "CompactFormatError", PyExc_ValueError);
  nb::class_<CompactTokenizer>(module, "CompactTokenizer")
      .def(nb::init<Bytes>(), nb::arg("file"))
      .def("encode", &CompactTokenizer::encode, nb::arg("texts"), nb::arg("max_length"),
           nb::arg("num_threads"))
      .def_prop_ro("n_special", &CompactTokenizer::n_special);
}
