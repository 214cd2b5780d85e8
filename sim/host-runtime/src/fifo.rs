//! The block: a FIFO of four bytes, `sim/cosim/tests/designs/fifo.sv`.

use std::ffi::{c_int, c_uint};
use std::ptr::NonNull;

use verilated::vcd::{Vcd, VcdC};

#[repr(C)]
struct Model {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn fifo_new() -> *mut Model;
    fn fifo_delete(fifo: *mut Model);
    fn fifo_eval(fifo: *mut Model, clock: c_int, inputs: c_uint, rx_data: c_uint);
    fn fifo_outputs(fifo: *const Model) -> c_uint;
    fn fifo_trace(fifo: *mut Model, vcd: *mut VcdC);
}

/// Input ports, the clock left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Synchronous, active high.
    pub reset: bool,
    /// A byte is offered.
    pub rx_valid: bool,
    /// The byte.
    pub rx_data: u8,
    /// A byte is taken.
    pub tx_ready: bool,
}

/// Output ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    /// There is room.
    pub rx_ready: bool,
    /// A byte is offered.
    pub tx_valid: bool,
    /// The byte; undefined while none is offered.
    pub tx_data: u8,
    /// Bytes in the queue, 0 to 4.
    pub level: u8,
}

/// One FIFO. It lives on the thread that made it, as Verilator's global runtime does.
#[derive(Debug)]
pub struct Fifo {
    model: NonNull<Model>,
}

impl Default for Fifo {
    fn default() -> Self {
        Self::new()
    }
}

impl Fifo {
    /// A FIFO whose registers start as [`set_rand_reset`](verilated::set_rand_reset) last said.
    pub fn new() -> Self {
        // SAFETY: the function takes nothing and gives a new object.
        let model = unsafe { fifo_new() };
        Self {
            model: NonNull::new(model).expect("operator new gives an object or aborts"),
        }
    }

    /// Half a cycle: sets the clock and the inputs, and settles.
    pub fn eval(&mut self, clock: bool, inputs: Inputs) {
        let bits = c_uint::from(inputs.reset)
            | c_uint::from(inputs.rx_valid) << 1
            | c_uint::from(inputs.tx_ready) << 2;
        // SAFETY: the object lives as long as `self`, and is borrowed alone.
        unsafe {
            fifo_eval(
                self.model.as_ptr(),
                c_int::from(clock),
                bits,
                inputs.rx_data.into(),
            );
        }
    }

    /// What the outputs are.
    pub fn outputs(&self) -> Outputs {
        // SAFETY: the object lives as long as `self`, and is only read.
        let bits = unsafe { fifo_outputs(self.model.as_ptr()) };
        Outputs {
            rx_ready: bits & 1 != 0,
            tx_valid: bits & 2 != 0,
            level: (bits >> 2 & 7) as u8,
            tx_data: (bits >> 5 & 0xff) as u8,
        }
    }

    /// Records into a wave that is not open yet.
    pub fn trace(&mut self, wave: &mut Vcd) {
        // SAFETY: both objects live, and Verilator keeps no pointer to the model beyond the wave,
        // which the caller drops or closes before it is written again.
        unsafe { fifo_trace(self.model.as_ptr(), wave.0) }
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // SAFETY: made by `fifo_new` and deleted once.
        unsafe { fifo_delete(self.model.as_ptr()) }
    }
}
