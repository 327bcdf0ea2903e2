// One interface's row of a drain.
#ifndef PODWEIR_INTERFACE_ROWS_H
#define PODWEIR_INTERFACE_ROWS_H

#include "drain_rows.h"
#include "flow.h"
#include "probe.h"

namespace podweir {

void AddInterface(const Interface& interface, const interface_totals& totals, const class_totals& classes,
                  InterfaceRows& rows);

}  // namespace podweir

#endif
