//! Opening a session: where the server is, how it is reached, whether it will do, how it is set.
//!
//! One attempt only; trying again is the target's part.

use std::collections::HashMap;
use std::time::Duration;

use postgres::config;
use postgres::types::Type;
use postgres::{Client, Config, NoTls, Statement};
use r2d2::ManageConnection;
use r2d2_postgres::PostgresConnectionManager;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::{of_connecting, of_statement, tls_fault};
use super::parameters::{ChannelBinding, Endpoint, Host, Parameters, SessionAttrs, SslMode};
use super::tls;
use crate::target::{Durability, TargetError, TargetErrorKind};

/// The first version whose behaviour is relied on, and the last that was tested.
const OLDEST: i32 = 150_000;
const NEWEST_MAJOR: i32 = 18;

/// How soon a peer that vanished without a word is noticed, at either end.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged by the other host's kernel.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Values too long for a page are compressed: by LZ4 in a fraction of the time that PostgreSQL's
/// own method takes, if the server has it and nobody chose. A column's own setting decides all the same.
const COMPRESSION: &str = "
    SELECT pg_catalog.set_config(name, 'lz4', false) FROM pg_catalog.pg_settings
    WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)";

/// What a role or database may have set and a load must not be subject to: time limits, and an
/// isolation level under which waiting for a row is an error. The server's keepalives make it
/// notice a client that died with its host, and end what that client held.
fn settings() -> String {
    let (idle, interval) = (KEEPALIVE_IDLE.as_secs(), KEEPALIVE_INTERVAL.as_secs());
    format!(
        "SET statement_timeout = 0;
         SET idle_in_transaction_session_timeout = 0;
         SET idle_session_timeout = 0;
         SET default_transaction_isolation = 'read committed';
         SET client_min_messages = warning;
         SET tcp_keepalives_idle = {idle};
         SET tcp_keepalives_interval = {interval};
         SET tcp_keepalives_count = {KEEPALIVE_RETRIES};
         {COMPRESSION}"
    )
}

/// A connection to the server, checked and set.
pub struct Session {
    pub client: Client,
    /// The schema of the application's tables.
    pub schema: String,
    pub durability: Option<Durability>,
    /// The run whose tables it may write to while they are loaded in bulk.
    pub pass: Option<uuid::Uuid>,
    /// Statements that come again and again, by their text: the server plans them once.
    prepared: HashMap<String, Statement>,
    /// What COPY is about to send: kept, because every batch needs as much again.
    pub buffer: Vec<u8>,
    /// Set when the session must not be used again.
    pub broken: bool,
}

impl Session {
    /// The statement, prepared when it is asked for first.
    pub fn prepared(&mut self, statement: String, types: &[Type]) -> Result<Statement, postgres::Error> {
        if let Some(prepared) = self.prepared.get(&statement) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare_typed(&statement, types)?;
        self.prepared.insert(statement, prepared.clone());
        Ok(prepared)
    }
}

/// How to reach one endpoint; tried in this order.
struct Way {
    endpoint: Endpoint,
    encrypted: Option<PostgresConnectionManager<MakeRustlsConnect>>,
    plain: Option<PostgresConnectionManager<NoTls>>,
}

/// Opens sessions.
pub struct Opener {
    ways: Vec<Way>,
    ledger_schema: String,
}

impl Opener {
    /// # Errors
    /// When parameters contradict each other or the root certificates cannot be read.
    pub fn new(parameters: &Parameters, ledger_schema: &str) -> Result<Opener, TargetError> {
        let unusable = |error| {
            TargetError::new(TargetErrorKind::Other, "the connection parameters of the database cannot be used")
                .because(error)
        };
        let mode = parameters.effective_sslmode().map_err(unusable)?;
        let mut ways = Vec::new();
        for endpoint in parameters.endpoints().map_err(unusable)? {
            // A socket of this machine is not encrypted, whatever the mode: so does libpq.
            let mode = if matches!(endpoint.host, Host::Socket(_)) { SslMode::Disable } else { mode };
            let encrypted = match mode {
                SslMode::Disable => None,
                SslMode::Prefer => Some(config::SslMode::Prefer),
                SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Some(config::SslMode::Require),
            };
            let encrypted = match encrypted {
                None => None,
                Some(negotiation) => {
                    let roots = parameters.sslrootcert.as_deref().filter(|_| !parameters.uses_system_roots());
                    let connector = tls::connector(mode, roots).map_err(|error| {
                        TargetError::new(TargetErrorKind::Other, "cannot prepare TLS for the database connection")
                            .because(error)
                            .with_hint("name a PEM file with the authority's certificate by sslrootcert")
                    })?;
                    Some(PostgresConnectionManager::new(configure(parameters, &endpoint, negotiation), connector))
                }
            };
            let plain = matches!(mode, SslMode::Disable | SslMode::Prefer).then(|| {
                PostgresConnectionManager::new(configure(parameters, &endpoint, config::SslMode::Disable), NoTls)
            });
            ways.push(Way { endpoint, encrypted, plain });
        }
        Ok(Opener { ways, ledger_schema: ledger_schema.to_owned() })
    }

    /// Opens a session at the first endpoint that answers.
    pub fn open(&self) -> Result<Session, TargetError> {
        let mut unreachable = None;
        for way in &self.ways {
            match way.connect() {
                Ok(client) => return self.prepare(client, &way.endpoint.to_string()),
                // Only silence sends us to the next host: a wrong password is wrong.
                Err(error) if error.kind == TargetErrorKind::Unreachable => {
                    unreachable.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(unreachable.expect("parameters give at least one endpoint"))
    }

    pub fn endpoints(&self) -> usize {
        self.ways.len()
    }

    fn prepare(&self, mut client: Client, endpoint: &str) -> Result<Session, TargetError> {
        let failed = |error: postgres::Error| {
            let mut error = of_statement(format!("cannot set up the session at {endpoint}"), error.into());
            if error.kind == TargetErrorKind::Lost {
                error.kind = TargetErrorKind::Unreachable;
            }
            error
        };
        client.batch_execute(&settings()).map_err(failed)?;
        // Once the ledger's schema exists, a role of the same name has it first in its search
        // path (`"$user"`), and a later run would look for the application's tables there.
        let query = "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'),
                (SELECT name::text FROM unnest(current_schemas(false)) WITH ORDINALITY AS path(name, at)
                 WHERE name <> $1::text ORDER BY at LIMIT 1)";
        let row = client.query_one(query, &[&self.ledger_schema]).map_err(failed)?;
        let (version, encoding, schema): (i32, String, Option<String>) = (row.get(0), row.get(1), row.get(2));
        if version < OLDEST {
            return Err(unfit(format!("the server at {endpoint} is PostgreSQL {}", version / 10_000))
                .with_hint("transload needs PostgreSQL 15 or newer"));
        }
        if version / 10_000 > NEWEST_MAJOR {
            tracing::warn!(version = version / 10_000, "this version of PostgreSQL is newer than what was tested");
        }
        if version >= 170_000 {
            client.batch_execute("SET transaction_timeout = 0").map_err(failed)?;
        }
        if encoding != "UTF8" {
            return Err(unfit(format!("the database at {endpoint} has the encoding {encoding}")).with_hint(
                "only UTF8 holds every text: create a database with `createdb --encoding UTF8 --template template0 NAME`",
            ));
        }
        let schema = schema.ok_or_else(|| {
            unfit(format!("no schema of the search path exists in the database at {endpoint}"))
                .with_hint("create the schema, or name one with `ALTER ROLE ... SET search_path = ...`")
        })?;
        Ok(Session {
            client,
            schema,
            durability: None,
            pass: None,
            prepared: HashMap::new(),
            buffer: Vec::new(),
            broken: false,
        })
    }
}

fn unfit(context: String) -> TargetError {
    TargetError::new(TargetErrorKind::Other, context)
}

impl Way {
    fn connect(&self) -> Result<Client, TargetError> {
        let told = |error| of_connecting(&self.endpoint.to_string(), error);
        let encrypted = match (&self.encrypted, &self.plain) {
            (Some(encrypted), plain) => match encrypted.connect() {
                // `prefer` means encrypted if that works: not when the handshake fails, nor when
                // pg_hba.conf lets us in unencrypted only.
                Err(error) if plain.is_some() && (tls_fault(&error).is_some() || is_not_let_in(&error)) => None,
                result => Some(result.map_err(told)),
            },
            (None, _) => None,
        };
        match (encrypted, &self.plain) {
            (Some(result), _) => result,
            (None, Some(plain)) => plain.connect().map_err(told),
            (None, None) => unreachable!("every mode has a way"),
        }
    }
}

fn is_not_let_in(error: &postgres::Error) -> bool {
    error.code().is_some_and(|code| *code == postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

fn configure(parameters: &Parameters, endpoint: &Endpoint, negotiation: config::SslMode) -> Config {
    let mut config = Config::new();
    match &endpoint.host {
        Host::Tcp(host) => config.host(host),
        Host::Socket(directory) => config.host_path(directory),
    };
    if let Some(address) = endpoint.address {
        config.hostaddr(address);
    }
    config.port(endpoint.port).ssl_mode(negotiation);
    if let Some(user) = &parameters.user {
        config.user(user);
    }
    if let Some(password) = &parameters.password {
        config.password(password.expose());
    }
    if let Some(database) = &parameters.dbname {
        config.dbname(database);
    }
    if let Some(options) = &parameters.options {
        config.options(options);
    }
    if let Some(limit) = parameters.effective_timeout() {
        config.connect_timeout(limit);
    }
    config.target_session_attrs(match parameters.target_session_attrs {
        Some(SessionAttrs::ReadWrite) => config::TargetSessionAttrs::ReadWrite,
        Some(SessionAttrs::Any) | None => config::TargetSessionAttrs::Any,
    });
    config.channel_binding(match parameters.channel_binding {
        Some(ChannelBinding::Disable) => config::ChannelBinding::Disable,
        Some(ChannelBinding::Require) => config::ChannelBinding::Require,
        Some(ChannelBinding::Prefer) | None => config::ChannelBinding::Prefer,
    });
    config
        .application_name(parameters.application_name.as_deref().unwrap_or("transload"))
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(UNACKNOWLEDGED);
    config
}
