//! The signals that end an application (rule D1), and what they do when there is no application.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{lock, procfs};
use crate::model::signal::{Signal, Taken};

/// The signals that arrived since they were caught. While one of these exists, they end no process.
pub(crate) struct Signals {
    /// The claim is dropped before the streams: whatever is not ours any more ends the process, and is not lost.
    caught: Option<(Claim, platform::Streams)>,
    /// What arrived before the streams were there.
    early: Vec<Signal>,
}

impl Signals {
    /// Catches the signals. Must be called within a runtime.
    ///
    /// From the moment in which a handler is visible, no signal is lost: until the streams are there, the handlers note
    /// what arrives. They look for the claim before they feed the streams. So a signal that comes while the last
    /// application lets go either ends the process or was the application's, and never both.
    pub(crate) fn catch() -> io::Result<Self> {
        let mut claims = lock(&CLAIMS);
        let claim = Claim::new(&mut claims);
        let caught = platform::install_handlers().and_then(|()| {
            platform::forget_noted();
            platform::Streams::new()
        });
        // The lock is taken once more when a claim is dropped.
        drop(claims);
        let signals = Self { caught: Some((claim, caught?)), early: platform::noted() };
        // What the parent left blocked may be pending: it comes now, as it would have before (rule S1).
        unblock();
        Ok(signals)
    }

    /// The next signal is this one, once more.
    pub(crate) fn give_back(&mut self, signal: Option<Signal>) {
        self.early.extend(signal);
    }

    /// Never a signal.
    pub(crate) fn none() -> Self {
        Self { caught: None, early: Vec::new() }
    }

    /// From now on, and for as long as that exists, an application acts on these signals.
    pub(crate) fn heed(&self) -> Option<Heeding> {
        self.are_caught().then(Heeding::begin)
    }

    /// Whether there may ever be one.
    pub(crate) fn are_caught(&self) -> bool {
        self.caught.is_some()
    }

    /// The next signal.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal is lost only to another of the same kind that nobody has seen yet.
    pub(crate) async fn next(&mut self) -> Signal {
        if let Some(signal) = self.early.pop() {
            return signal;
        }
        match &mut self.caught {
            Some((_, streams)) => streams.next().await,
            None => std::future::pending().await,
        }
    }
}

/// Who may have taken signals away since they were caught (rule S1): a process has one handler for each, and the last
/// library that asked has it.
///
/// Nothing tells whose a handler is, so that this finds signals without one, and the thread of the crate `ctrlc`, which
/// replaces handlers.
pub(crate) fn taken() -> Option<Taken> {
    if procfs::has_thread("ctrl-c") {
        return Some(Taken::ByCtrlc);
    }
    let lost = platform::without_handler();
    (!lost.is_empty()).then_some(Taken::Lost(lost))
}

/// Puts the signals into the mask of this thread, and so into that of threads that it starts: they wait until they are
/// [unblocked](unblock). While a handler is being installed for the first time, there is a moment in which it does not
/// know yet what to do, and a signal would be lost (rule S1).
pub(crate) fn block() {
    platform::block();
}

/// Takes the signals out of the mask of this thread, in which the parent of the process may have left them too (rule
/// S1). Threads that it starts afterwards inherit that. Their handlers must be there.
pub(crate) fn unblock() {
    platform::unblock();
}

/// Sends a signal to this process.
pub(crate) fn raise(signal: Signal) {
    // It is one of those that can be sent.
    let _ = signal_hook::low_level::raise(signal.number().into());
}

/// How many applications claim the process's signals. Without a claim, a signal ends the process, as it would by
/// default. Signal dispositions belong to the process, and so does this count.
static CLAIMS: Mutex<usize> = Mutex::new(0);

struct Claim;

impl Claim {
    fn new(claims: &mut usize) -> Self {
        platform::claim();
        *claims += 1;
        Self
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = lock(&CLAIMS);
        *claims -= 1;
        if *claims == 0 {
            platform::disclaim();
        }
    }
}

/// How many applications act on the process's signals.
static HEEDING: AtomicUsize = AtomicUsize::new(0);

/// Whether an application acts on the process's signals.
pub(crate) fn are_heeded() -> bool {
    HEEDING.load(Ordering::SeqCst) > 0
}

/// An application acts on the process's signals.
pub(crate) struct Heeding(());

impl Heeding {
    fn begin() -> Self {
        HEEDING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Heeding {
    fn drop(&mut self) {
        HEEDING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(unix)]
mod platform {
    use std::future::poll_fn;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, LazyLock, OnceLock};
    use std::task::Poll;

    use nix::sys::signal::{SigSet, Signal as Unix};
    use signal_hook::consts::SIGHUP;
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use crate::model::signal::Signal;
    use crate::process::procfs;

    /// Whether a signal ends the process. Read in the handler, so that it is one atomic; the orderings give what
    /// was done before a change to who sees it, though nothing else hangs on it.
    static IS_UNCLAIMED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

    /// What has arrived since it was forgotten. Set in the handlers, and read when the streams are there.
    static NOTED: LazyLock<Vec<(Signal, Arc<AtomicBool>)>> = LazyLock::new(|| {
        let mut signals = vec![Signal::Interrupt, Signal::Quit, Signal::Terminate];
        signals.extend((!hangup_is_ignored()).then_some(Signal::Hangup));
        signals.into_iter().map(|signal| (signal, Arc::default())).collect()
    });

    /// Installs what notes a signal, and after that what ends the process while there is no claim. The handlers stay
    /// installed for good, since they cannot be removed without a moment in which a signal is lost.
    pub(super) fn install_handlers() -> io::Result<()> {
        static ARE_INSTALLED: OnceLock<()> = OnceLock::new();
        if ARE_INSTALLED.get().is_none() {
            for (signal, noted) in &*NOTED {
                let number = signal.number().into();
                signal_hook::flag::register(number, Arc::clone(noted))?;
                signal_hook::flag::register_conditional_default(number, Arc::clone(&IS_UNCLAIMED))?;
            }
            let _ = ARE_INSTALLED.set(());
        }
        Ok(())
    }

    pub(super) fn forget_noted() {
        // On the first time there is nothing to forget: what is noted came since the handler is there.
        static IS_FIRST: AtomicBool = AtomicBool::new(true);
        if !IS_FIRST.swap(false, Ordering::SeqCst) {
            noted();
        }
    }

    /// What was noted, and is so no more.
    pub(super) fn noted() -> Vec<Signal> {
        let mut signals = Vec::new();
        for (signal, noted) in &*NOTED {
            if noted.swap(false, Ordering::SeqCst) {
                signals.push(*signal);
            }
        }
        signals
    }

    pub(super) fn without_handler() -> Vec<Signal> {
        let catches = procfs::catches();
        let mut signals = Vec::new();
        for (signal, _) in &*NOTED {
            if catches(signal.number().into()) == Some(false) {
                signals.push(*signal);
            }
        }
        signals
    }

    pub(super) fn block() {
        // Nothing can be wrong with a set of signals.
        let _ = signals().thread_block();
    }

    pub(super) fn unblock() {
        let _ = signals().thread_unblock();
    }

    fn signals() -> SigSet {
        let mut signals = SigSet::empty();
        signals.add(Unix::SIGHUP);
        signals.add(Unix::SIGINT);
        signals.add(Unix::SIGQUIT);
        signals.add(Unix::SIGTERM);
        signals
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
            // In this order, no number of signals that ask keeps one that insists from being heard.
            poll_fn(|cx| {
                let mut has_arrived = |stream: &mut Stream| stream.poll_recv(cx) == Poll::Ready(Some(()));
                if has_arrived(interrupt) {
                    Poll::Ready(Signal::Interrupt)
                } else if has_arrived(quit) {
                    Poll::Ready(Signal::Quit)
                } else if has_arrived(terminate) {
                    Poll::Ready(Signal::Terminate)
                } else if hangup.as_mut().is_some_and(has_arrived) {
                    Poll::Ready(Signal::Hangup)
                } else {
                    Poll::Pending
                }
            })
            .await
        }
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
    use std::future::poll_fn;
    use std::io;
    use std::task::Poll;

    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_logoff,
        ctrl_shutdown,
    };

    use crate::model::signal::Signal;

    pub(super) fn install_handlers() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn forget_noted() {}

    pub(super) fn noted() -> Vec<Signal> {
        Vec::new()
    }

    pub(super) fn without_handler() -> Vec<Signal> {
        Vec::new()
    }

    /// There is no mask.
    pub(super) fn block() {}

    pub(super) fn unblock() {}

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
            let Self { c, r#break, close, logoff, shutdown } = self;
            poll_fn(|cx| {
                let arrived = Poll::Ready(Some(()));
                if c.poll_recv(cx) == arrived {
                    Poll::Ready(Signal::Interrupt)
                } else if r#break.poll_recv(cx) == arrived {
                    Poll::Ready(Signal::Quit)
                } else if [close.poll_recv(cx), logoff.poll_recv(cx), shutdown.poll_recv(cx)]
                    .contains(&arrived)
                {
                    Poll::Ready(Signal::Terminate)
                } else {
                    Poll::Pending
                }
            })
            .await
        }
    }
}
