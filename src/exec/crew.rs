//! The threads of one run: named, joined before the run returns, and stopped by the first failure.
//!
//! A thread that finds its channel closed returns `Ok`: whoever closed it knows why. So the first
//! failure in time is the real one, and it is what [`run`] returns.

use std::any::Any;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Why a crew's work came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CrewError<E> {
    /// What the first thread to fail returned.
    #[error(transparent)]
    Failed(E),
    /// A mistake in transload itself.
    #[error("the thread `{thread}` panicked: {message}")]
    Panicked { thread: String, message: String },
    #[error("cannot start the thread `{thread}`")]
    Spawn { thread: String, source: io::Error },
}

/// Tells loops that do not end by a closed channel that they may stop. Clones share one answer.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What all threads of a crew share.
struct Shared<E> {
    halt: Halt,
    first: Mutex<Option<CrewError<E>>>,
}

impl<E> Shared<E> {
    fn fail(&self, error: CrewError<E>) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.halt.set();
    }

    /// Runs `work`, noting an error or a panic; `None` if there was one.
    fn watch<T>(&self, thread: &str, work: impl FnOnce() -> Result<T, E>) -> Option<T> {
        // What a panic may leave half done is dropped with the crew: its result is an error.
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => self.fail(CrewError::Failed(error)),
            Err(payload) => {
                self.fail(CrewError::Panicked { thread: thread.to_owned(), message: message_of(&*payload) })
            }
        }
        None
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// Where threads are started from; see [`run`].
pub struct Crew<'scope, 'env: 'scope, E> {
    scope: &'scope thread::Scope<'scope, 'env>,
    shared: Arc<Shared<E>>,
}

impl<'scope, E: Send + 'scope> Crew<'scope, '_, E> {
    /// Starts a thread. If the system refuses, that is the crew's failure, and `work` is dropped
    /// with the channel ends that it holds.
    pub fn spawn(&self, name: impl Into<String>, work: impl FnOnce() -> Result<(), E> + Send + 'scope) {
        let name = name.into();
        let shared = Arc::clone(&self.shared);
        let thread = name.clone();
        let started = thread::Builder::new().name(name.clone()).spawn_scoped(self.scope, move || {
            shared.watch(&thread, work);
        });
        if let Err(source) = started {
            self.shared.fail(CrewError::Spawn { thread: name, source });
        }
    }

    /// Whether a thread has failed already.
    pub fn failed(&self) -> bool {
        self.shared.halt.is_set()
    }

    /// Set by the first failure; a thread may hold it, and may set it to end the others' loops.
    pub fn halt(&self) -> Halt {
        self.shared.halt.clone()
    }
}

/// Runs `body`, which starts threads, and joins them all before it returns.
///
/// `body` runs on the caller's thread; channel ends that it keeps must be gone when it returns,
/// else the threads that wait for them never end.
///
/// # Errors
/// The first failure in time, of a thread or of `body`.
pub fn run<'env, T, E: Send + 'env>(
    body: impl for<'scope> FnOnce(&Crew<'scope, 'env, E>) -> Result<T, E>,
) -> Result<T, CrewError<E>> {
    let shared = Arc::new(Shared { halt: Halt::default(), first: Mutex::new(None) });
    let value = thread::scope(|scope| {
        let crew = Crew { scope, shared: Arc::clone(&shared) };
        let thread = thread::current().name().unwrap_or("main").to_owned();
        shared.watch(&thread, || body(&crew))
    });
    let first = shared.first.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (first, value) {
        (Some(error), _) => Err(error),
        (None, Some(value)) => Ok(value),
        (None, None) => unreachable!("a body without a value has left its failure"),
    }
}
