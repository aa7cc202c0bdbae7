#pragma once

#include <nanobind/nanobind.h>

// Adds the class CompactTokenizer to the module.
void bind_tokenizer(nanobind::module_& module);
