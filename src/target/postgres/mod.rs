//! PostgreSQL 15 to 18.
//!
//! ```text
//! url, pgpass -> parameters -> session (tls) -> pool -> connection (sql, encode, decode)
//!                                           |             \-> schema, catalogue
//!                                           \-> lock, log, watch, scratch
//! ```
//!
//! The application's tables stand in the first schema of the connection's search path that is not
//! the ledger's; the ledger in a schema of its own. Connections go straight to the server: a
//! proxy that hands a session to several clients would break the lock and the session's settings.

mod bulk;
mod catalogue;
mod connection;
mod copy;
mod decode;
mod encode;
mod errors;
mod lock;
mod log;
mod parameters;
mod pgpass;
mod pool;
mod schema;
mod scratch;
mod session;
mod sql;
mod tls;
mod url;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use parameters::{
    ChannelBinding, Endpoint, Host, ParameterError, Parameters, Secret, SessionAttrs, SslMode, SYSTEM_ROOTS,
};
pub use pgpass::password_from_pgpass;

use uuid::Uuid;

use crate::model::Limits;
use crate::target::{
    AttemptLog, BulkSession, Capabilities, Connection, Durability, Encoder, Holder, Lock, LockError, SchemaSession,
    Target, TargetError, TargetErrorKind, Watch,
};
use connection::PgConnection;
use pool::{Lent, Sessions};
use session::Opener;

/// The pauses before an unreachable server is tried again; a restart takes a second or two.
const PAUSES: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// What `connect_timeout=0` comes to, so that the pool gives up some day.
const NO_LIMIT: Duration = Duration::from_secs(3600);

/// A run needs this many: the lock, look-ups, one writer.
const FEWEST_CONNECTIONS: u32 = 3;

/// What PostgreSQL can hold.
const LIMITS: Limits = Limits {
    // numeric, which jsonb keeps numbers as.
    json_number_digits: Some((131_072, 16_383)),
    // jsonb has 28 bits for a length, of a string as of a whole container.
    json_string_bytes: 268_435_455,
    json_bytes: 268_435_455,
    // A row and a message may have 1 GiB; this leaves room for the row's other columns.
    text_bytes: 1_000_000_000,
};

#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub parameters: Parameters,
    /// The schema of the ledger.
    pub ledger_schema: String,
    /// How many connections a run may have in all; at least three are used.
    pub max_connections: u32,
    /// After which an unused connection is closed.
    pub idle_timeout: Duration,
}

impl PostgresOptions {
    pub fn new(parameters: Parameters) -> PostgresOptions {
        PostgresOptions {
            parameters,
            ledger_schema: "transload".into(),
            max_connections: 20,
            idle_timeout: Duration::from_secs(300),
        }
    }
}

pub struct PostgresTarget {
    options: PostgresOptions,
    /// Made at the first connection, because certificates are read for it.
    access: Mutex<Option<Arc<Access>>>,
    /// Whose tables new connections may write to while they are loaded in bulk.
    pass: Mutex<Option<Uuid>>,
    /// Of a scratch database; drops it.
    _scratch: Option<scratch::ScratchDatabase>,
}

/// What it takes to reach the server.
struct Access {
    opener: Arc<Opener>,
    sessions: Sessions,
}

impl PostgresTarget {
    /// Does not connect.
    pub fn new(options: PostgresOptions) -> PostgresTarget {
        PostgresTarget { options, access: Mutex::new(None), pass: Mutex::new(None), _scratch: None }
    }

    /// The lock's connection is not the pool's.
    fn pool_size(&self) -> u32 {
        self.options.max_connections.max(FEWEST_CONNECTIONS) - 1
    }

    /// A connection that passes where [`Target::admit`] says so.
    fn admitted(&self, lent: Lent, durability: Durability) -> Result<PgConnection, TargetError> {
        let pass = *self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = PgConnection::new(lent, durability, &self.options.ledger_schema)?;
        connection.take_pass(pass)?;
        Ok(connection)
    }

    fn access(&self) -> Result<Arc<Access>, TargetError> {
        // Nothing is left half done by a panic here.
        let mut made = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(access) = &*made {
            return Ok(Arc::clone(access));
        }
        let parameters = &self.options.parameters;
        let opener = Arc::new(Opener::new(parameters, &self.options.ledger_schema)?);
        let limit = parameters.effective_timeout().unwrap_or(NO_LIMIT);
        let pool = Sessions::new(Arc::clone(&opener), self.pool_size(), self.options.idle_timeout, limit);
        Ok(Arc::clone(made.insert(Arc::new(Access { opener, sessions: pool }))))
    }
}

impl Target for PostgresTarget {
    fn name(&self) -> String {
        self.options.parameters.display()
    }

    fn capabilities(&self) -> Capabilities {
        let writers = usize::try_from(self.pool_size() - 1).unwrap_or(usize::MAX);
        // Each COPY and each commit has its price; beyond four times nothing was left to gain, and a run's
        // memory grows with its batches.
        Capabilities { dialect: "postgres", limits: LIMITS, max_writers: writers, bulk_unit: 4 }
    }

    fn exists(&self) -> bool {
        true
    }

    fn connect(&self, durability: Durability) -> Result<Box<dyn Connection>, TargetError> {
        let access = self.access()?;
        let lent: Lent = patiently(|| access.sessions.take())?;
        Ok(Box::new(self.admitted(lent, durability)?))
    }

    fn readers(&self, count: usize) -> Result<Vec<Box<dyn Connection>>, TargetError> {
        let access = self.access()?;
        let most = count.clamp(1, self.capabilities().max_writers.max(1));
        let mut readers: Vec<Box<dyn Connection>> = Vec::with_capacity(most);
        let mut snapshot = None;
        while readers.len() < most {
            let lent = match patiently(|| access.sessions.take()) {
                Ok(lent) => lent,
                // The server has no room for more.
                Err(error) if error.kind == TargetErrorKind::Resources && !readers.is_empty() => break,
                Err(error) => return Err(error),
            };
            let mut reader = PgConnection::reader(lent, &self.options.ledger_schema, snapshot.as_deref())?;
            if snapshot.is_none() && most > 1 {
                snapshot = Some(reader.export_snapshot()?);
            }
            readers.push(Box::new(reader));
        }
        Ok(readers)
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        let access = self.access()?;
        let session = patiently(|| access.opener.open())?;
        Ok(Box::new(lock::take(session, &self.options.ledger_schema, lock::Purpose::Run, holder, Duration::ZERO)?))
    }

    fn rehearsal(&self) -> Result<Option<Box<dyn Target>>, TargetError> {
        Ok(None)
    }

    fn schema_session(&self) -> Result<Box<dyn SchemaSession>, TargetError> {
        let lent = patiently(|| self.access()?.sessions.take())?;
        Ok(Box::new(PgConnection::new(lent, Durability::Full, &self.options.ledger_schema)?))
    }

    fn schema_reader(&self) -> Result<Box<dyn SchemaSession>, TargetError> {
        let lent = patiently(|| self.access()?.sessions.take())?;
        Ok(Box::new(PgConnection::reader(lent, &self.options.ledger_schema, None)?))
    }

    fn schema_lock(&self, holder: &Holder, wait: Duration) -> Result<Box<dyn Lock>, LockError> {
        let session = patiently(|| self.access()?.opener.open())?;
        let ledger = &self.options.ledger_schema;
        Ok(Box::new(lock::take(session, ledger, lock::Purpose::Schema, holder, wait)?))
    }

    fn bulk_session(&self) -> Result<Box<dyn BulkSession>, TargetError> {
        let lent = patiently(|| self.access()?.sessions.take())?;
        // Each step and its row in the ledger are one transaction, so a server that loses the last of
        // them goes back to where they are still to be done; where syncs are slow, waiting for each
        // would take longer than the steps. The last one waits for all.
        Ok(Box::new(self.admitted(lent, Durability::Relaxed)?))
    }

    fn admit(&self, run: Option<Uuid>) {
        *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    fn attempt_log(&self) -> Result<Box<dyn AttemptLog>, TargetError> {
        let session = patiently(|| self.access()?.opener.open())?;
        Ok(Box::new(log::PgLog::new(session, &self.options.ledger_schema)))
    }

    fn watch(&self) -> Result<Option<Box<dyn Watch>>, TargetError> {
        let session = patiently(|| self.access()?.opener.open())?;
        Ok(Some(Box::new(watch::PgWatch::new(session))))
    }

    fn encoder(&self) -> Option<&'static dyn Encoder> {
        Some(&encode::CopyEncoder)
    }

    fn scratch(&self) -> Result<Box<dyn Target>, TargetError> {
        let database = scratch::ScratchDatabase::create(&self.access()?.opener)?;
        let mut options = self.options.clone();
        options.parameters.dbname = Some(database.name().to_owned());
        Ok(Box::new(PostgresTarget {
            options,
            access: Mutex::new(None),
            pass: Mutex::new(None),
            _scratch: Some(database),
        }))
    }
}

/// Tries again while nobody answers; what was refused stays refused.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, TargetError>) -> Result<T, TargetError> {
    for pause in PAUSES {
        match attempt() {
            Err(error) if error.kind == TargetErrorKind::Unreachable => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "trying again");
                std::thread::sleep(pause);
            }
            result => return result,
        }
    }
    attempt()
}
