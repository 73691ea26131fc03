//! The signals that end an application (rule D1), and what they do when there is no application.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::model::signal::Signal;

/// The signals that arrived since they were caught. While one of these exists, they end no process.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The claim is dropped before the streams: whatever is not ours any more ends the process, and is not lost.
    caught: Option<(Claim, platform::Streams)>,
}

impl Signals {
    /// Catches the signals. Must be called within a runtime.
    pub(crate) fn catch() -> io::Result<Self> {
        // In this order. A handler that looks for the claim runs before the one that feeds the streams: a signal that
        // comes while the last application lets go either ends the process or was the application's, and never both.
        // And a claimed signal that no stream sees would be lost.
        platform::install_handlers()?;
        let streams = platform::Streams::new()?;
        Ok(Self { caught: Some((Claim::new(), streams)) })
    }

    /// Never a signal.
    pub(crate) fn none() -> Self {
        Self { caught: None }
    }

    /// The next signal.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal is lost only to another of the same kind that nobody has seen yet.
    pub(crate) async fn next(&mut self) -> Signal {
        match &mut self.caught {
            Some((_, streams)) => streams.next().await,
            None => std::future::pending().await,
        }
    }
}

/// How many applications claim the process's signals. Without a claim, a signal ends the process, as it would by
/// default. Signal dispositions belong to the process, and so does this count.
static CLAIMS: Mutex<usize> = Mutex::new(0);

#[derive(Debug)]
struct Claim;

impl Claim {
    fn new() -> Self {
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        platform::claim();
        *claims += 1;
        Self
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        *claims -= 1;
        if *claims == 0 {
            platform::disclaim();
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, LazyLock, Mutex, PoisonError};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use crate::model::signal::Signal;
    use crate::process::procfs;

    /// Whether a signal ends the process. Read in the handler, so that it is one atomic; the orderings give what
    /// was done before a change to who sees it, though nothing else hangs on it.
    static IS_UNCLAIMED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

    /// Installs handlers that end the process, as signals do by default, while there is no claim. They stay installed
    /// for good, since they cannot be removed without a moment in which a signal is lost.
    pub(super) fn install_handlers() -> io::Result<()> {
        static ARE_INSTALLED: Mutex<bool> = Mutex::new(false);
        let mut are_installed = ARE_INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*are_installed {
            for number in numbers() {
                signal_hook::flag::register_conditional_default(number, Arc::clone(&IS_UNCLAIMED))?;
            }
            *are_installed = true;
        }
        Ok(())
    }

    /// Makes signals wait for a listener.
    pub(super) fn claim() {
        IS_UNCLAIMED.store(false, Ordering::SeqCst);
    }

    pub(super) fn disclaim() {
        IS_UNCLAIMED.store(true, Ordering::SeqCst);
    }

    #[derive(Debug)]
    pub(super) struct Streams {
        hangup: Option<Stream>,
        interrupt: Stream,
        quit: Stream,
        terminate: Stream,
    }

    impl Streams {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                hangup: (!hangup_is_ignored()).then(|| signal(SignalKind::hangup())).transpose()?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            let Self { hangup, interrupt, quit, terminate } = self;
            tokio::select! {
                () = receive(Some(terminate)) => Signal::Terminate,
                () = receive(Some(interrupt)) => Signal::Interrupt,
                () = receive(Some(quit)) => Signal::Quit,
                () = receive(hangup.as_mut()) => Signal::Hangup,
            }
        }
    }

    async fn receive(stream: Option<&mut Stream>) {
        let received = match stream {
            Some(stream) => stream.recv().await,
            None => None,
        };
        if received.is_none() {
            std::future::pending::<()>().await;
        }
    }

    fn numbers() -> Vec<i32> {
        let mut numbers = vec![SIGINT, SIGQUIT, SIGTERM];
        numbers.extend((!hangup_is_ignored()).then_some(SIGHUP));
        numbers
    }

    /// Whether SIGHUP was ignored when the process began, as under nohup: then it stays ignored. It is asked once,
    /// before our own handlers would hide the answer.
    fn hangup_is_ignored() -> bool {
        static IS_IGNORED: LazyLock<bool> = LazyLock::new(|| procfs::ignores(SIGHUP));
        *IS_IGNORED
    }
}

#[cfg(windows)]
mod platform {
    use std::io;

    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_logoff,
        ctrl_shutdown,
    };

    use crate::model::signal::Signal;

    pub(super) fn install_handlers() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn claim() {}

    pub(super) fn disclaim() {}

    #[derive(Debug)]
    pub(super) struct Streams {
        c: CtrlC,
        r#break: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Streams {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                c: ctrl_c()?,
                r#break: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                Some(()) = self.close.recv() => Signal::Terminate,
                Some(()) = self.logoff.recv() => Signal::Terminate,
                Some(()) = self.shutdown.recv() => Signal::Terminate,
                Some(()) = self.c.recv() => Signal::Interrupt,
                Some(()) = self.r#break.recv() => Signal::Quit,
                else => std::future::pending().await,
            }
        }
    }
}
