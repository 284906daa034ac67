//! The pool of sessions: r2d2, made to report why a session could not be opened.

use std::sync::Arc;
use std::time::Duration;

use r2d2::{ManageConnection, NopErrorHandler, Pool, PooledConnection};

use super::session::{Opener, Session};
use crate::target::{TargetError, TargetErrorKind};

/// How long an idle session may take to say that it still works.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// For the handshake behind the connection, and for others to give a session back.
const PATIENCE: Duration = Duration::from_secs(30);

/// r2d2 keeps trying a connection that fails until its time is up, and hands out only the last
/// error's text. So a failed attempt travels through the pool like a session: it reaches whoever
/// asked at once, with its kind, and is thrown away when it comes back.
type Attempt = Result<Session, TargetError>;

pub struct Manager {
    opener: Arc<Opener>,
}

/// An idle session that no longer answers; r2d2 replaces it.
#[derive(Debug, thiserror::Error)]
#[error("the idle connection was closed")]
pub struct Stale;

impl ManageConnection for Manager {
    type Connection = Attempt;
    type Error = Stale;

    fn connect(&self) -> Result<Attempt, Stale> {
        Ok(self.opener.open())
    }

    fn is_valid(&self, attempt: &mut Attempt) -> Result<(), Stale> {
        match attempt {
            Ok(session) => session.client.is_valid(PING_LIMIT).map_err(|_| Stale),
            Err(_) => Ok(()),
        }
    }

    fn has_broken(&self, attempt: &mut Attempt) -> bool {
        match attempt {
            Ok(session) => session.broken || session.client.is_closed(),
            Err(_) => true,
        }
    }
}

pub struct Sessions {
    pool: Pool<Manager>,
}

/// A session on loan.
pub struct Lent(PooledConnection<Manager>);

impl Sessions {
    /// Opens nothing yet.
    pub fn new(opener: Arc<Opener>, size: u32, idle_timeout: Duration, connect_timeout: Duration) -> Sessions {
        let reaching = connect_timeout * u32::try_from(opener.endpoints()).unwrap_or(u32::MAX);
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .idle_timeout(Some(idle_timeout).filter(|limit| !limit.is_zero()))
            .max_lifetime(None)
            // What r2d2 would log, an idle session that was closed, is replaced and nobody's concern.
            .error_handler(Box::new(NopErrorHandler))
            .connection_timeout(PATIENCE.saturating_add(reaching))
            .build_unchecked(Manager { opener });
        Sessions { pool }
    }

    /// A session from the pool, or a new one.
    pub fn take(&self) -> Result<Lent, TargetError> {
        let mut lent = self.pool.get().map_err(|_| self.exhausted())?;
        match &mut *lent {
            Ok(_) => Ok(Lent(lent)),
            Err(error) => {
                let spent = TargetError::new(error.kind, error.context.clone());
                Err(std::mem::replace(error, spent))
            }
        }
    }

    /// r2d2's own and only error: time ran out.
    fn exhausted(&self) -> TargetError {
        let (open, limit) = (self.pool.state().connections, self.pool.max_size());
        if open < limit {
            return TargetError::new(TargetErrorKind::Unreachable, "the database does not finish the handshake");
        }
        TargetError::new(TargetErrorKind::Resources, format!("all {limit} database connections are in use"))
            .with_hint("raise DB_MAX_CONNECTIONS")
    }
}

impl Lent {
    pub fn session(&mut self) -> &mut Session {
        self.0.as_mut().expect("only opened sessions are lent")
    }
}
