// The C interface between a verilated model and Rust, and the loops which must not cross it.
//
// Compiled into every model together with Verilator's output; `spikeloom_ports.h` is generated
// beside it and lists the ports. Three rules hold for every exported function:
//
//   1. No C++ exception leaves it: Rust cannot catch one and would abort.
//   2. It installs this instance as the thread's current one (`Current`), because Verilator keeps
//      the context in a thread-local variable and an instance may have moved between threads.
//   3. A value that Rust reads after the call lies in `Status` or in a buffer of the instance.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#include "spikeloom_ports.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace spikeloom {

// Why a run ended; the same numbers as `Stop` in Rust.
enum Stop : uint32_t { LIMIT = 0, DONE = 1, PROBES = 2, FINISHED = 3, FAILED = 4 };

struct PortInfo {
    const char* name;
    uint32_t width;
    uint32_t direction;  // 0 into the design, 1 out of it
};

const PortInfo PORTS[] = {
#define PORT(member, name, width, direction) {name, width, direction},
    SPIKELOOM_PORTS(PORT)
#undef PORT
        {nullptr, 0, 0}};
constexpr uint32_t N_PORTS = sizeof(PORTS) / sizeof(PORTS[0]) - 1;

// Read by Rust through a pointer; the layout is `#[repr(C)] Status` there.
struct Status {
    uint64_t cycle = 0;  // rising clock edges since the instance was made
    uint64_t framing_errors = 0;
    uint64_t input_waiting = 0;  // bytes queued and not yet accepted by the design
    uint32_t finished = 0;
    uint32_t failed = 0;
};

struct Random {  // splitmix64: small, and good enough to decide when to stall
    uint64_t state = 0;
    uint64_t next() {
        uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    bool chance(uint32_t of_256) { return of_256 && (next() & 0xff) < of_256; }
};

struct Probe {
    const uint8_t* valid;  // null: every cycle
    std::vector<uint32_t> data;
};

struct Instance;
thread_local Instance* current = nullptr;

// More than this is kept out of memory: a failing assertion can print on every clock.
constexpr size_t MESSAGE_LIMIT = 1 << 20;

struct Instance {
    Status status;
    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Vmodel> model;
    void* address[N_PORTS + 1] = {};
    uint8_t* clock = nullptr;
    const uint8_t* reset = nullptr;
    uint64_t time = 0;
    std::string messages;
    bool messages_cut = false;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> vcd;
#endif

    std::vector<uint8_t> input;
    size_t input_head = 0;
    std::vector<uint8_t> output;
    Random random;
    uint32_t input_gap = 0;
    uint32_t output_stall = 0;

    std::vector<Probe> probes;
    std::vector<uint64_t> records;
    uint64_t n_records = 0;
    uint64_t record_limit = 0;  // 0: none

    // Which driver owns the transport's pins.
    enum Kind { NONE, STREAM, UART } kind = NONE;

    struct Stream {
        uint8_t *rx_valid, *rx_data;
        const uint8_t* rx_ready;
        const uint8_t *tx_valid, *tx_data;
        uint8_t* tx_ready;
        bool offering;
    } stream = {};

    struct Uart {
        uint8_t* rx;
        const uint8_t* tx;
        uint32_t cycles_per_bit;
        uint32_t send_shift, send_bits, send_cycles;
        enum { WAIT_HIGH, IDLE, FRAME } state;
        uint32_t receive_shift, receive_bits, receive_cycles;
    } uart = {};

    void note(const char* text, size_t length) {
        if (messages.size() + length <= MESSAGE_LIMIT) {
            messages.append(text, length);
        } else if (!messages_cut) {
            messages_cut = true;
            messages += "(further messages dropped)\n";
        }
    }
    void note(const std::string& text) { note(text.data(), text.size()); }

    bool stopped() const { return context->gotFinish() || context->gotError(); }

    void eval() {
        model->eval();
#if VM_TRACE
        if (vcd) vcd->dump(time);
#endif
        ++time;
        context->time(time);
    }

    bool input_done() const {
        return input_head == input.size()
               && (kind != UART || (uart.send_bits == 0 && uart.send_cycles == 0));
    }

    void drop_taken_input() {
        if (input_head == input.size()) {
            input.clear();
            input_head = 0;
        } else if (input_head > 65536) {
            input.erase(input.begin(), input.begin() + input_head);
            input_head = 0;
        }
    }

    void sample_probes() {
        for (uint32_t i = 0; i < probes.size(); ++i) {
            const Probe& probe = probes[i];
            if (probe.valid && !*probe.valid) continue;
            records.push_back(status.cycle);
            records.push_back(i);
            for (const uint32_t port : probe.data) push_port(port);
            ++n_records;
        }
    }

    void push_port(uint32_t port) {
        const uint32_t width = PORTS[port].width;
        const void* const at = address[port];
        if (width <= 8) {
            records.push_back(*static_cast<const uint8_t*>(at));
        } else if (width <= 16) {
            records.push_back(*static_cast<const uint16_t*>(at));
        } else if (width <= 32) {
            records.push_back(*static_cast<const uint32_t*>(at));
        } else if (width <= 64) {
            records.push_back(*static_cast<const uint64_t*>(at));
        } else {
            const uint32_t* const words = static_cast<const uint32_t*>(at);
            const uint32_t n_words = (width + 31) / 32;
            for (uint32_t i = 0; i < n_words; i += 2) {
                const uint64_t high = i + 1 < n_words ? words[i + 1] : 0;
                records.push_back(words[i] | (high << 32));
            }
        }
    }

    uint8_t take_input() { return input[input_head++]; }
    bool has_input() const { return input_head < input.size(); }
};

// Makes an instance the thread's current one for the time of a call.
//
// On the way out Verilator's default context is restored: the destructors of a later model look
// at the thread's context, and a freed one hangs them in a dead mutex (seen with 5.006).
struct Current {
    Instance* const previous;
    explicit Current(Instance* instance)
        : previous{current} {
        current = instance;
        Verilated::threadContextp(instance->context.get());
    }
    ~Current() {
        current = previous;
        Verilated::threadContextp(previous ? previous->context.get()
                                           : Verilated::defaultContextp());
    }
};

// Ends the evaluation after a fatal error; the runtime expects that `vl_fatal` does not return.
struct Fatal {};

struct NoDriver {
    static void idle(Instance&) {}
    static void drive(Instance&) {}
    static void sample(Instance&) {}
};

struct StreamDriver {
    static void idle(Instance& self) {
        self.stream.offering = false;
        *self.stream.rx_valid = 0;
        *self.stream.tx_ready = 0;
    }
    static void drive(Instance& self) {
        Instance::Stream& pins = self.stream;
        // Once offered, a byte stays until it is accepted: the handshake rule of the project.
        if (!pins.offering) {
            if (self.has_input() && !self.random.chance(self.input_gap)) {
                pins.offering = true;
                *pins.rx_valid = 1;
                *pins.rx_data = self.input[self.input_head];
            } else {
                *pins.rx_valid = 0;
                // A design that looks at the data without `valid` must not find the last byte.
                if (self.input_gap) *pins.rx_data = static_cast<uint8_t>(self.random.next());
            }
        }
        *pins.tx_ready = !self.random.chance(self.output_stall);
    }
    static void sample(Instance& self) {
        Instance::Stream& pins = self.stream;
        if (pins.offering && *pins.rx_ready) {
            pins.offering = false;
            ++self.input_head;
        }
        if (*pins.tx_valid && *pins.tx_ready) self.output.push_back(*pins.tx_data);
    }
};

struct UartDriver {
    static void idle(Instance& self) {
        Instance::Uart& pins = self.uart;
        *pins.rx = 1;
        pins.send_bits = 0;
        pins.send_cycles = 0;
        pins.state = Instance::Uart::WAIT_HIGH;
    }
    static void drive(Instance& self) {
        Instance::Uart& pins = self.uart;
        if (pins.send_cycles == 0) {
            if (pins.send_bits == 0 && self.has_input() && !self.random.chance(self.input_gap)) {
                // Start bit 0, eight data bits with the least significant first, stop bit 1.
                pins.send_shift = (1u << 9) | (static_cast<uint32_t>(self.take_input()) << 1);
                pins.send_bits = 10;
            }
            if (pins.send_bits) {
                *pins.rx = pins.send_shift & 1;
                pins.send_shift >>= 1;
                --pins.send_bits;
                pins.send_cycles = pins.cycles_per_bit;
            } else {
                *pins.rx = 1;
            }
        }
        if (pins.send_cycles) --pins.send_cycles;
    }
    static void sample(Instance& self) {
        Instance::Uart& pins = self.uart;
        const bool high = *pins.tx;
        switch (pins.state) {
        case Instance::Uart::WAIT_HIGH:  // before reset, or after a broken frame
            if (high) pins.state = Instance::Uart::IDLE;
            break;
        case Instance::Uart::IDLE:
            if (high) break;
            pins.state = Instance::Uart::FRAME;
            pins.receive_shift = 0;
            pins.receive_bits = 0;
            pins.receive_cycles = pins.cycles_per_bit / 2;
            if (pins.receive_cycles) break;
            // fallthrough: with one cycle a bit the start bit's middle is now.
        case Instance::Uart::FRAME:
            if (pins.receive_cycles && --pins.receive_cycles) break;
            pins.receive_cycles = pins.cycles_per_bit;
            if (pins.receive_bits == 0) {
                if (high) {  // a glitch shorter than half a bit
                    ++self.status.framing_errors;
                    pins.state = Instance::Uart::IDLE;
                }
            } else if (pins.receive_bits <= 8) {
                pins.receive_shift |= static_cast<uint32_t>(high) << (pins.receive_bits - 1);
            } else {
                if (high) {
                    self.output.push_back(static_cast<uint8_t>(pins.receive_shift));
                    pins.state = Instance::Uart::IDLE;
                } else {
                    ++self.status.framing_errors;
                    pins.state = Instance::Uart::WAIT_HIGH;
                }
            }
            ++pins.receive_bits;
            break;
        }
    }
};

// One clock cycle is two evaluations. Inputs change together with the falling edge, everything
// combinational settles, the environment samples what a register would see, then the clock rises.
// In reset the environment is idle and samples nothing: outputs may be anything before the first
// edge.
template <class Driver>
Stop run(Instance& self, uint64_t max_cycles, uint64_t want_out, bool until_input) {
    for (uint64_t n = 0; n < max_cycles; ++n) {
        const bool in_reset = self.reset && *self.reset;
        if (VL_UNLIKELY(in_reset)) {
            Driver::idle(self);
        } else {
            Driver::drive(self);
        }
        *self.clock = 0;
        self.eval();
        if (VL_LIKELY(!in_reset)) {
            Driver::sample(self);
            if (!self.probes.empty()) self.sample_probes();
        }
        *self.clock = 1;
        self.eval();
        ++self.status.cycle;
        if (VL_UNLIKELY(self.stopped())) return self.context->gotError() ? FAILED : FINISHED;
        if (self.record_limit && self.n_records >= self.record_limit) return PROBES;
        if (want_out && self.output.size() >= want_out) return DONE;
        if (until_input && self.input_done()) return DONE;
    }
    return LIMIT;
}

Stop run_any(Instance& self, uint64_t max_cycles, uint64_t want_out, bool until_input) {
    if (self.context->gotError()) return FAILED;
    if (self.context->gotFinish()) return FINISHED;
    switch (self.kind) {
    case Instance::STREAM: return run<StreamDriver>(self, max_cycles, want_out, until_input);
    case Instance::UART: return run<UartDriver>(self, max_cycles, want_out, until_input);
    default: return run<NoDriver>(self, max_cycles, want_out, until_input);
    }
}

// Runs `body` under the three rules at the top; a design that dies in it is failed for good.
template <class Body>
uint32_t guarded(Instance* self, Body body) {
    const Current guard{self};
    uint32_t result = FAILED;
    try {
        result = body();
    } catch (const Fatal&) {
        result = FAILED;
    } catch (const std::exception& error) {
        self->context->gotError(true);
        self->note(std::string{"%Error: "} + error.what() + "\n");
    } catch (...) {
        self->context->gotError(true);
        self->note("%Error: unknown exception in the model\n");
    }
    self->drop_taken_input();
    self->status.input_waiting = self->input.size() - self->input_head;
    self->status.failed = self->context->gotError();
    self->status.finished = self->context->gotFinish();
    return self->status.failed ? static_cast<uint32_t>(FAILED) : result;
}

}  // namespace spikeloom

using spikeloom::Instance;

int spikeloom_printf(const char* format, ...) {
    char stack[1024];
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(stack, sizeof stack, format, arguments);
    va_end(arguments);
    std::string heap;
    const char* text = stack;
    if (length >= static_cast<int>(sizeof stack)) {
        heap.resize(length + 1);
        vsnprintf(&heap[0], heap.size(), format, again);
        text = heap.data();
    }
    va_end(again);
    if (length <= 0) return length;
    if (spikeloom::current) {
        spikeloom::current->note(text, length);
    } else {
        fwrite(text, 1, length, stderr);
    }
    return length;
}

static void spikeloom_note(const char* kind, const char* file, int line, const char* text) {
    if (file && file[0]) {
        spikeloom_printf("%%%s: %s:%d: %s\n", kind, file, line, text);
    } else {
        spikeloom_printf("%%%s: %s\n", kind, text);
    }
}

// 5.006 leaves the process at a second `$finish`.
void vl_finish(const char*, int, const char*) { Verilated::threadContextp()->gotFinish(true); }

void vl_stop(const char* file, int line, const char*) {
    VerilatedContext* const context = Verilated::threadContextp();
    if (!context->gotError()) spikeloom_note("Error", file, line, "Verilog $stop");
    context->gotError(true);
    context->gotFinish(true);
}

void vl_fatal(const char* file, int line, const char*, const char* text) {
    spikeloom_note("Error", file, line, text);
    Verilated::threadContextp()->gotError(true);
    Verilated::threadContextp()->gotFinish(true);
    throw spikeloom::Fatal{};
}

EXPORT uint32_t spikeloom_n_ports() { return spikeloom::N_PORTS; }

EXPORT const spikeloom::PortInfo* spikeloom_port(uint32_t index) {
    return &spikeloom::PORTS[index];
}

// `clock` and `reset` may be `UINT32_MAX`; without a clock only `spikeloom_eval` may be used.
EXPORT Instance* spikeloom_new(uint32_t clock, uint32_t reset, int32_t rand_reset, uint32_t seed) {
    // Verilator's random state starts again for all threads when any context sets a seed, so two
    // instances under construction at once would not be reproducible.
    static std::mutex construction;
    const std::lock_guard<std::mutex> lock{construction};
    std::unique_ptr<Instance> self;
    try {
        self.reset(new Instance);
        self->context.reset(new VerilatedContext);
    } catch (...) { return nullptr; }
    Instance* const instance = self.get();
    spikeloom::guarded(instance, [=]() -> uint32_t {
        instance->context->threads(1);  // else every context starts a worker thread
        instance->context->fatalOnError(false);
        instance->context->randReset(rand_reset);
        instance->context->randSeed(static_cast<int>(seed));
#if VM_TRACE
        instance->context->traceEverOn(true);
#endif
        instance->model.reset(new Vmodel{instance->context.get(), "TOP"});
        Vmodel* const model = instance->model.get();
        (void)model;
        uint32_t index = 0;
#define PORT(member, name, width, direction) \
    instance->address[index] = (void*)&model->member; \
    if (direction == 0) memset(instance->address[index], 0, sizeof(model->member)); \
    ++index;
        SPIKELOOM_PORTS(PORT)
#undef PORT
        if (clock < spikeloom::N_PORTS) {
            instance->clock = static_cast<uint8_t*>(instance->address[clock]);
        }
        if (reset < spikeloom::N_PORTS) {
            instance->reset = static_cast<const uint8_t*>(instance->address[reset]);
        }
        // Runs the `initial` blocks with a low clock: the first rising edge is then an edge.
        instance->model->eval();
        return spikeloom::DONE;
    });
    return self.release();
}

EXPORT void spikeloom_free(Instance* self) {
    {
        const spikeloom::Current guard{self};
        try {
#if VM_TRACE
            if (self->vcd) self->vcd->close();
            self->vcd.reset();
#endif
            if (self->model) self->model->final();
        } catch (...) {}
        self->model.reset();
    }
    delete self;
}

EXPORT const spikeloom::Status* spikeloom_status(Instance* self) { return &self->status; }

EXPORT void* spikeloom_port_data(Instance* self, uint32_t index) { return self->address[index]; }

EXPORT uint32_t spikeloom_eval(Instance* self) {
    return spikeloom::guarded(self, [=]() -> uint32_t {
        if (self->context->gotError()) return spikeloom::FAILED;
        if (self->context->gotFinish()) return spikeloom::FINISHED;
        self->eval();
        return spikeloom::DONE;
    });
}

EXPORT uint32_t spikeloom_run(Instance* self, const uint8_t* input, size_t n_input,
                              uint64_t max_cycles, uint64_t want_out, uint32_t until_input) {
    return spikeloom::guarded(self, [=]() -> uint32_t {
        if (n_input) self->input.insert(self->input.end(), input, input + n_input);
        if (want_out && self->output.size() >= want_out) return spikeloom::DONE;
        if (until_input && self->input_done()) return spikeloom::DONE;
        return spikeloom::run_any(*self, max_cycles, want_out, until_input);
    });
}

EXPORT void spikeloom_set_stream(Instance* self, const uint32_t* ports) {
    const auto byte = [=](uint32_t i) { return static_cast<uint8_t*>(self->address[ports[i]]); };
    self->stream = {};
    self->stream.rx_valid = byte(0);
    self->stream.rx_ready = byte(1);
    self->stream.rx_data = byte(2);
    self->stream.tx_valid = byte(3);
    self->stream.tx_ready = byte(4);
    self->stream.tx_data = byte(5);
    self->kind = Instance::STREAM;
}

EXPORT void spikeloom_set_uart(Instance* self, uint32_t rx, uint32_t tx, uint32_t cycles_per_bit) {
    self->uart = {};
    self->uart.rx = static_cast<uint8_t*>(self->address[rx]);
    self->uart.tx = static_cast<uint8_t*>(self->address[tx]);
    self->uart.cycles_per_bit = cycles_per_bit;
    self->uart.state = Instance::Uart::WAIT_HIGH;
    *self->uart.rx = 1;
    self->kind = Instance::UART;
}

EXPORT void spikeloom_set_traffic(Instance* self, uint64_t seed, uint32_t input_gap,
                                  uint32_t output_stall) {
    self->random.state = seed;
    self->input_gap = input_gap;
    self->output_stall = output_stall;
}

// The bytes are gone with the next call that has this instance as its argument.
EXPORT size_t spikeloom_output(Instance* self, const uint8_t** data) {
    *data = self->output.data();
    return self->output.size();
}

EXPORT void spikeloom_take_output(Instance* self, size_t n) {
    self->output.erase(self->output.begin(), self->output.begin() + n);
}

EXPORT void spikeloom_clear_probes(Instance* self) {
    self->probes.clear();
    self->records.clear();
    self->n_records = 0;
}

EXPORT uint32_t spikeloom_add_probe(Instance* self, uint32_t valid, const uint32_t* data,
                                    size_t n_data) {
    return spikeloom::guarded(self, [=]() -> uint32_t {
        spikeloom::Probe probe;
        probe.valid = valid < spikeloom::N_PORTS
                          ? static_cast<const uint8_t*>(self->address[valid])
                          : nullptr;
        probe.data.assign(data, data + n_data);
        self->probes.push_back(std::move(probe));
        return spikeloom::DONE;
    });
}

EXPORT void spikeloom_set_record_limit(Instance* self, uint64_t limit) {
    self->record_limit = limit;
}

EXPORT size_t spikeloom_records(Instance* self, const uint64_t** data, uint64_t* n_records) {
    *data = self->records.data();
    *n_records = self->n_records;
    return self->records.size();
}

EXPORT void spikeloom_clear_records(Instance* self) {
    self->records.clear();
    self->n_records = 0;
}

EXPORT size_t spikeloom_messages(Instance* self, const char** data) {
    *data = self->messages.data();
    return self->messages.size();
}

EXPORT void spikeloom_clear_messages(Instance* self) {
    self->messages.clear();
    self->messages_cut = false;
}

// Returns 1 when the file is open.
EXPORT uint32_t spikeloom_open_vcd(Instance* self, const char* path) {
#if VM_TRACE
    uint32_t opened = 0;
    spikeloom::guarded(self, [self, path, &opened]() -> uint32_t {
        self->vcd.reset(new VerilatedVcdC);
        self->model->trace(self->vcd.get(), 99);
        self->vcd->open(path);
        opened = self->vcd->isOpen();
        if (!opened) self->vcd.reset();
        return spikeloom::DONE;
    });
    return opened;
#else
    (void)self;
    (void)path;
    return 0;
#endif
}

EXPORT void spikeloom_close_vcd(Instance* self) {
#if VM_TRACE
    spikeloom::guarded(self, [=]() -> uint32_t {
        if (self->vcd) self->vcd->close();
        self->vcd.reset();
        return spikeloom::DONE;
    });
#else
    (void)self;
#endif
}
