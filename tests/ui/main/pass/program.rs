//! Only the `main` at the root of a binary is told that it is the program.

/// Stands in for the runtime, and shows what an expansion passes to it.
mod recorder {
    pub mod private {
        use std::sync::Mutex;

        pub use lifecycle::private::*;

        pub type Report = ();

        static PROGRAMS: Mutex<Vec<bool>> = Mutex::new(Vec::new());

        pub fn run<F>(main: Main, _: impl FnOnce(lifecycle::App) -> F) {
            PROGRAMS.lock().unwrap().push(main.is_program);
            if main.is_program {
                crate::module::main();
                crate::in_function();
                crate::entry();
                assert_eq!(*PROGRAMS.lock().unwrap(), [true, false, false, false]);
            }
        }
    }
}

#[lifecycle::main(crate = recorder)]
async fn main() {}

mod module {
    #[lifecycle::main(crate = crate::recorder)]
    pub async fn main() {}
}

fn in_function() {
    #[lifecycle::main(crate = recorder)]
    async fn main() {}

    main();
}

#[lifecycle::main(crate = recorder)]
async fn entry() {}
