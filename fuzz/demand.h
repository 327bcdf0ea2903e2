// What must hold. A harness that finds otherwise aborts, which libFuzzer takes for a finding.
#ifndef PODWEIR_FUZZ_DEMAND_H
#define PODWEIR_FUZZ_DEMAND_H

#include <stdio.h>
#include <stdlib.h>

static inline void demand(int holds, const char* fact) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", fact);
  abort();
}

#endif
