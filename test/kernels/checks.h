// What is asked of a kernel. Each function reports its own facts.
#ifndef PODWEIR_KERNELS_CHECKS_H
#define PODWEIR_KERNELS_CHECKS_H

#include <memory>

#include "probe.h"
#include "report.h"
#include "wire.h"

namespace podweir {

struct Guest {
  Report& report;
  Wires& wires;
  bool has_tcx;
  Probe* probe;
};

// What the other checks attach with, or nothing. `wants_perfmon`: this kernel's verifier does, of mode restricted.
std::unique_ptr<Probe> CheckLoading(Report& report, bool wants_perfmon);
void CheckHook(Guest& guest, Hook hook, Place place, int wire_number);
void CheckTable(Guest& guest, int wire_number);
void CheckCorpus(Guest& guest, int wire_number, const char* path);
void CheckDns(Report& report, Wires& wires, int wire_number);
void CheckDrops(Report& report, Wires& wires, bool has_reasons, int wire_number);

void CheckRestart(Report& report, Wires& wires, int wire_number);
void CheckChurn(Guest& guest, int first_wire);

// Attaches as an agent that is killed at once: what it leaves stays.
void LeaveKilledAgent(const Wire& wire);
void CheckKilledAgent(Guest& guest, const Wire& wire);

}  // namespace podweir

#endif
