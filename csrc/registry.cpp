#include "registry.h"

#include <stdexcept>

#include "families.h"
#include "processor.h"

namespace text2vec {
namespace {

// Best first; "auto" takes the first that has the format and that the machine can run.
const Engine* const kEngines[] = {
#if defined(TEXT2VEC_X86)
#if defined(TEXT2VEC_AMX)
    &amx_bfloat16,      &amx_int8,
#endif
    &avx512_float32,    &avx512_bf16_bfloat16,
    &avx512_bfloat16,   &avx512_bf16_int8,
    &avx512_vnni_int8,  &avx512_int8,
    &avx2_float32,      &avx2_bfloat16,
    &avx2_vnni_int8,    &avx2_int8,
#endif
#if defined(TEXT2VEC_NEON)
    &neon_float32,      &neon_bfloat16,
    &neon_dot_int8,
#endif
    &portable_float32,  &portable_bfloat16,
    &portable_int8,     &amx_emulated_bfloat16,
    &amx_emulated_int8,
};

std::string missing_features(const Engine& engine) {
  return feature_names(engine.features & ~machine_features());
}

std::string full_name(const Engine& engine) {
  return std::string(engine.family) + "/" + engine.variant;
}

}  // namespace

const char* dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32:
      return "float32";
    case Dtype::bfloat16:
      return "bfloat16";
    case Dtype::int8:
      return "int8";
  }
  return "?";
}

const Engine& choose_engine(const std::string& kernels, Dtype dtype) {
  std::string known, lacking;
  for (const Engine* engine : kEngines) {
    if (known.find(engine->family) == std::string::npos)
      known += (known.empty() ? "" : ", ") + std::string(engine->family);
    if (engine->dtype != dtype) continue;
    const bool wanted = (kernels == "auto" && engine->automatic) || kernels == engine->family ||
                        kernels == full_name(*engine);
    if (!wanted) continue;
    const std::string missing = missing_features(*engine);
    if (missing.empty()) return *engine;
    lacking += (lacking.empty() ? "" : "; ") + full_name(*engine) + " needs " + missing;
  }
  if (!lacking.empty())
    throw std::invalid_argument("kernels=\"" + kernels + "\" cannot run here with dtype " +
                                dtype_name(dtype) + ": " + lacking + ". Choose kernels=\"auto\".");
  throw std::invalid_argument("kernels=\"" + kernels + "\" has no kernels for dtype " +
                              dtype_name(dtype) + "; expected \"auto\" or one of " + known + ".");
}

std::vector<FamilyReport> report_engines() {
  std::vector<FamilyReport> out;
  for (const Engine* engine : kEngines)
    out.push_back(
        {engine->family, engine->variant, dtype_name(engine->dtype), missing_features(*engine)});
  return out;
}

}  // namespace text2vec
