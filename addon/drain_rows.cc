#include "drain_rows.h"

#include <algorithm>
#include <cmath>

namespace podweir {
namespace {

template <typename T, typename Row>
void Spread(const std::vector<Row>& notes, T Row::*value, T nothing, size_t length, Column<T>& column) {
  auto is_nothing = [&](const Row& row) { return row.*value == nothing || row.*value != row.*value; };
  if (std::all_of(notes.begin(), notes.end(), is_nothing)) return;
  column.assign(length, nothing);
  for (const Row& row : notes) column[row.row] = row.*value;
}

}  // namespace

void FlowRows::Reserve(size_t rows) { Resize(std::max(rows, size_)); }

void FlowRows::Resize(size_t rows) {
  for (auto* column : {&slot, &generation}) column->resize(rows);
  for (auto* column : {&opened, &failed, &closed, &state, &ended}) column->resize(rows);
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    packets[direction].resize(rows);
    bytes[direction].resize(rows);
  }
}

void FlowRows::Finish() {
  Resize(size_);
  SpreadNotes();
}

void FlowRows::SpreadNotes() {
  Spread(noted_times, &TimesRow::handshake_seconds, double{NAN}, size(), times.handshake_seconds);
  Spread(noted_times, &TimesRow::accepted_seconds, double{NAN}, size(), times.accepted_seconds);
  Spread(noted_times, &TimesRow::ended_at_ms, double{NAN}, size(), times.ended_at_ms);
  for (int direction = 0; direction < DIRECTIONS; direction++) {
    const std::vector<TcpRow>& notes = noted_tcp[direction];
    TcpColumns& to = tcp[direction];
    Spread(notes, &TcpRow::retransmits, 0u, size(), to.retransmits);
    Spread(notes, &TcpRow::out_of_order, 0u, size(), to.out_of_order);
    Spread(notes, &TcpRow::duplicate_acks, 0u, size(), to.duplicate_acks);
    Spread(notes, &TcpRow::zero_windows, 0u, size(), to.zero_windows);
    Spread(notes, &TcpRow::resets, 0u, size(), to.resets);
    Spread(notes, &TcpRow::rtt_sum_seconds, 0.0, size(), to.rtt_sum_seconds);
  }
}

}  // namespace podweir
