// Put in front of every file of a model, Verilator's own runtime included (`-include`).
//
// Verilator's hooks are replaced because its defaults print to stdout and end the process: the
// host is a Rust program that must outlive a failing design and wants the messages as data.
#ifndef SPIKELOOM_RUNTIME_H_
#define SPIKELOOM_RUNTIME_H_

// Stands for `printf` inside the Verilator runtime (`-DVL_PRINTF=spikeloom_printf`).
int spikeloom_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));

#endif
