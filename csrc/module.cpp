// The Python face of the engine: reads dictionaries and arrays, releases the GIL, nothing else.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>

#include "encoder.h"
#include "registry.h"
#include "tokenizer/bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using FloatArray = nb::ndarray<const float, nb::numpy, nb::c_contig, nb::device::cpu>;
using ByteMatrix = nb::ndarray<const uint8_t, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const int32_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Offsets = nb::ndarray<const int64_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

[[noreturn]] void refuse(const std::string& message) { throw nb::value_error(message.c_str()); }

template <class T>
T get(const nb::dict& shape, const char* key) {
  if (!shape.contains(key)) refuse("shape[\"" + std::string(key) + "\"] is missing");
  try {
    return nb::cast<T>(shape[key]);
  } catch (const nb::cast_error&) {
    refuse("shape[\"" + std::string(key) + "\"] is " + nb::repr(shape[key]).c_str() +
           "; expected " +
           (std::is_same_v<T, int>     ? "a whole number"
            : std::is_same_v<T, float> ? "a number"
                                       : "a name"));
  }
}

text2vec::Activation activation_by_name(const std::string& name) {
  if (name == "gelu") return text2vec::Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return text2vec::Activation::gelu_tanh;
  if (name == "relu") return text2vec::Activation::relu;
  refuse("shape[\"activation\"] is \"" + name +
         "\"; expected gelu, gelu_new, gelu_pytorch_tanh or relu");
}

text2vec::Shape read_shape(const nb::dict& shape) {
  text2vec::Shape out;
  out.hidden = get<int>(shape, "hidden");
  out.layers = get<int>(shape, "layers");
  out.heads = get<int>(shape, "heads");
  out.intermediate = get<int>(shape, "intermediate");
  out.vocab_size = get<int>(shape, "vocab_size");
  out.max_positions = get<int>(shape, "max_positions");
  out.position_offset = get<int>(shape, "position_offset");
  out.layer_norm_eps = get<float>(shape, "layer_norm_eps");
  out.activation = activation_by_name(get<std::string>(shape, "activation"));
  return out;
}

text2vec::Dtype dtype_by_name(const std::string& name) {
  for (const auto dtype :
       {text2vec::Dtype::float32, text2vec::Dtype::bfloat16, text2vec::Dtype::int8})
    if (name == text2vec::dtype_name(dtype)) return dtype;
  refuse("dtype is \"" + name + "\"; expected float32, bfloat16 or int8");
}

text2vec::Batch batch_of(const Ids& ids, const Offsets& offsets) {
  return {ids.data(), ids.size(), offsets.data(), offsets.size()};
}

// A new array of float32 that owns its memory.
Matrix new_matrix(size_t rows, size_t columns) {
  auto* memory = new float[rows * columns]();
  nb::capsule owner(memory, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  return Matrix(memory, {rows, columns}, owner);
}

// What lets Ctrl-C end a call: Python's handlers run when asked, in its main thread. Asking takes
// the lock, so it is not done more often than somebody would notice.
text2vec::Encoder::Poll signal_check() {
  using Clock = std::chrono::steady_clock;
  return [asked = Clock::now()]() mutable {
    constexpr auto kPause = std::chrono::milliseconds(50);
    if (Clock::now() - asked < kPause) return;
    const nb::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    asked = Clock::now();
  };
}

class PyEncoder {
 public:
  PyEncoder(const nb::dict& shape, const nb::dict& weights, const std::vector<std::string>& head,
            const std::string& dtype, const std::string& kernels, int num_threads) {
    text2vec::Arrays arrays;
    std::vector<FloatArray> alive;  // while the weights are packed
    for (const auto& [key, value] : weights) {
      const auto name = nb::cast<std::string>(key);
      if (name == "word" && nb::try_cast(value, word_blocks_, false)) {
        const size_t blocks = word_blocks_.shape(1) / text2vec::kBlockBytes;
        if (blocks * text2vec::kBlockBytes != word_blocks_.shape(1))
          refuse("weights[\"word\"] has rows of " + std::to_string(word_blocks_.shape(1)) +
                 " bytes; expected a multiple of " + std::to_string(text2vec::kBlockBytes));
        arrays[name] = {nullptr,
                        {word_blocks_.shape(0), blocks * text2vec::kBlockWeights},
                        word_blocks_.data()};
        continue;
      }
      FloatArray array;
      if (!nb::try_cast(value, array, false))
        refuse("weights[\"" + name + "\"] is not a contiguous array of float32");
      std::vector<size_t> sizes;
      for (size_t i = 0; i < array.ndim(); i++) sizes.push_back(array.shape(i));
      arrays[name] = {array.data(), sizes, nullptr};
      if (name == "word") word_ = array;
      alive.push_back(std::move(array));
    }
    const text2vec::Shape sizes = read_shape(shape);
    const text2vec::Dtype format = dtype_by_name(dtype);
    const nb::gil_scoped_release release;
    encoder_ =
        std::make_unique<text2vec::Encoder>(sizes, arrays, head, format, kernels, num_threads);
  }

  Matrix embed(const Ids& ids, const Offsets& offsets, int num_threads, int skip) const {
    const size_t texts = offsets.size() ? offsets.size() - 1 : 0;
    Matrix out = new_matrix(texts, static_cast<size_t>(encoder_->dim()));
    const nb::gil_scoped_release release;
    encoder_->embed(batch_of(ids, offsets), num_threads, skip, out.data(), signal_check());
    return out;
  }

  Matrix states(const Ids& ids, const Offsets& offsets, int num_threads) const {
    Matrix out = new_matrix(ids.size(), static_cast<size_t>(encoder_->shape().hidden));
    const nb::gil_scoped_release release;
    encoder_->states(batch_of(ids, offsets), num_threads, out.data(), signal_check());
    return out;
  }

  int dim() const { return encoder_->dim(); }
  std::string kernels() const { return encoder_->kernels(); }
  size_t packed_bytes() const { return encoder_->packed_bytes(); }

 private:
  std::unique_ptr<text2vec::Encoder> encoder_;
  FloatArray word_;  // read by every call, as one or the other
  ByteMatrix word_blocks_;
};

nb::list available_kernels() {
  nb::list out;
  for (const auto& report : text2vec::report_engines())
    out.append(nb::make_tuple(report.family, report.variant, report.dtype, report.missing));
  return out;
}

}  // namespace

NB_MODULE(_native, m) {
  // An engine that lives as long as the interpreter is no leak: a model in a global, a cache.
  nb::set_leak_warnings(false);
  bind_tokenizer(m);
  m.doc() = "The native encoder engine; use it through text2vec.engines.native.";
  m.attr("__all__") = nb::make_tuple("Encoder", "available_kernels");
  m.def("available_kernels", &available_kernels,
        "(family, variant, dtype, what the machine lacks) of every engine, best first.");
  nb::class_<PyEncoder>(m, "Encoder")
      .def(nb::init<const nb::dict&, const nb::dict&, const std::vector<std::string>&,
                    const std::string&, const std::string&, int>(),
           "shape"_a, "weights"_a, "head"_a, "dtype"_a = "float32", "kernels"_a = "auto",
           "num_threads"_a = 0)
      .def("embed", &PyEncoder::embed, "ids"_a.noconvert(), "offsets"_a.noconvert(),
           "num_threads"_a = 1, "skip"_a = 0)
      .def("states", &PyEncoder::states, "ids"_a.noconvert(), "offsets"_a.noconvert(),
           "num_threads"_a = 1)
      .def_prop_ro("dim", &PyEncoder::dim)
      .def_prop_ro("kernels", &PyEncoder::kernels)
      .def_prop_ro("packed_bytes", &PyEncoder::packed_bytes);
}
