//! From a valid program to one piece of machine code.

use std::sync::Arc;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;

use crate::emit::{self, Shared};
use crate::ir::Program;

/// Where a function begins: constants behind it may want as much.
const FUNCTION_ALIGNMENT: usize = 32;

/// The code of all functions of a program, one behind the other.
pub struct Code {
    pub bytes: Vec<u8>,
    /// Where each begins.
    pub starts: Vec<usize>,
    /// None may be left: nobody would fill them in.
    pub relocations: usize,
}

/// Cranelift with its buffers, which are worth keeping.
pub struct Compiler {
    isa: Arc<dyn TargetIsa>,
    context: Context,
    builder: FunctionBuilderContext,
}

impl Compiler {
    pub fn new() -> Result<Compiler, String> {
        let mut flags = settings::builder();
        // Without optimization it takes three quarters of the time.
        let verify = if cfg!(debug_assertions) { "true" } else { "false" };
        for (name, value) in [
            ("opt_level", "speed"),
            ("enable_verifier", verify),
            ("is_pic", "false"),
            ("enable_probestack", "false"),
            ("unwind_info", "false"),
        ] {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        let isa = cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|error| error.to_string())?;
        Ok(Compiler { isa, context: Context::new(), builder: FunctionBuilderContext::new() })
    }

    /// Compiles all functions; `table` is where their addresses will stand.
    pub fn compile(&mut self, program: &Program, table: u64) -> Result<Code, String> {
        let isa = Arc::clone(&self.isa);
        let shared = Shared { program, table, isa: &*isa };
        let mut code = Code { bytes: Vec::new(), starts: Vec::new(), relocations: 0 };
        for at in 0..program.functions.len() {
            self.context.clear();
            emit::emit(&shared, at, &mut self.context.func, &mut self.builder);
            let compiled = self
                .context
                .compile(&*isa, &mut ControlPlane::default())
                .map_err(|error| error.inner.to_string())?;
            code.relocations += compiled.buffer.relocs().len();
            code.bytes.resize(code.bytes.len().next_multiple_of(FUNCTION_ALIGNMENT), 0);
            code.starts.push(code.bytes.len());
            code.bytes.extend_from_slice(compiled.code_buffer());
        }
        Ok(code)
    }
}
