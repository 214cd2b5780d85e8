// A C interface to the verilated FIFO, whose runtime is the one that the crate `verilated` binds.
#include <verilated_vcd_c.h>

#include "Vfifo.h"

extern "C" {

Vfifo* fifo_new() { return new Vfifo; }

void fifo_delete(Vfifo* fifo) {
  fifo->final();
  delete fifo;
}

// One half of a cycle, with the inputs as bits: reset, rx_valid, tx_ready.
void fifo_eval(Vfifo* fifo, int clock, unsigned inputs, unsigned rx_data) {
  fifo->clock = clock != 0;
  fifo->reset = inputs & 1;
  fifo->rx_valid = inputs >> 1 & 1;
  fifo->tx_ready = inputs >> 2 & 1;
  fifo->rx_data = rx_data;
  fifo->eval();
}

// The outputs: rx_ready, tx_valid, level in 3 bits, tx_data in 8.
unsigned fifo_outputs(const Vfifo* fifo) {
  return fifo->rx_ready | fifo->tx_valid << 1 | fifo->level << 2 | fifo->tx_data << 5;
}

void fifo_trace(Vfifo* fifo, VerilatedVcdC* vcd) { fifo->trace(vcd, 99); }

}  // extern "C"
