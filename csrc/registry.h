// The table of engines, and the choice among them.
#pragma once

#include <string>
#include <vector>

#include "engine.h"

namespace text2vec {

// The best engine of `kernels` ("auto", a family, or "family/variant") for the format. Throws
// std::invalid_argument that says what there is, or what the machine lacks.
const Engine& choose_engine(const std::string& kernels, Dtype dtype);

struct FamilyReport {
  std::string family, variant, dtype;
  std::string missing;  // empty if the machine has all it needs
};

// Every engine that is compiled in, best first.
std::vector<FamilyReport> report_engines();

const char* dtype_name(Dtype dtype);

}  // namespace text2vec
