//! From the driver's errors to the target's: what kind, what the server said, what to try.
//!
//! The server's DETAIL is left out where data is at fault, because it quotes the row's values.

use std::error::Error as _;
use std::io;

use postgres::error::DbError;

use super::decode::DecodeError;
use super::encode::EncodeError;
use crate::target::{TargetError, TargetErrorKind};

/// Whatever can go wrong while a connection is used.
#[derive(Debug)]
pub enum Failure {
    Driver(postgres::Error),
    /// Of COPY's writer; the driver's own error is inside.
    Write(io::Error),
    Encode(EncodeError),
    Decode(DecodeError),
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Failure {
        Failure::Driver(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Failure {
        Failure::Encode(error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        Failure::Decode(error)
    }
}

/// What the server said, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{text} (SQLSTATE {code})")]
struct Refusal {
    text: String,
    code: String,
}

impl Refusal {
    fn of(error: &DbError, kind: TargetErrorKind) -> Refusal {
        let mut text = error.message().to_owned();
        if kind == TargetErrorKind::Data {
            // Other lines of the context quote JSON; in binary mode these give only the place.
            for place in error.where_().unwrap_or("").lines().filter(|line| line.starts_with("COPY ")) {
                text.push_str(&format!(", at {place}"));
            }
        } else if let Some(detail) = error.detail() {
            text.push_str(&format!(": {detail}"));
        }
        Refusal { text, code: error.code().code().to_owned() }
    }
}

/// The error of a statement on an open connection.
pub fn of_statement(context: String, failure: Failure) -> TargetError {
    match failure {
        Failure::Driver(error) => of_driver(context, error),
        Failure::Write(error) => match error.downcast::<postgres::Error>() {
            Ok(error) => of_driver(context, error),
            Err(error) => TargetError::new(TargetErrorKind::Lost, context).because(error),
        },
        Failure::Encode(error) => {
            let kind = match error {
                EncodeError::Unresolved => TargetErrorKind::Other,
                _ => TargetErrorKind::Data,
            };
            TargetError::new(kind, context).because(error)
        }
        Failure::Decode(error) => TargetError::new(TargetErrorKind::Other, context)
            .because(error)
            .with_hint("compare the table with the schema that `transload schema` expects"),
    }
}

fn of_driver(context: String, error: postgres::Error) -> TargetError {
    if let Some(refusal) = error.as_db_error() {
        return of_server(context, refusal, kind_of(refusal.code().code()));
    }
    let is_io = error.source().is_some_and(|source| source.is::<io::Error>());
    let kind = if error.is_closed() || is_io { TargetErrorKind::Lost } else { TargetErrorKind::Other };
    TargetError::new(kind, context).because(error)
}

fn of_server(context: String, error: &DbError, kind: TargetErrorKind) -> TargetError {
    let refusal = Refusal::of(error, kind);
    let hint = error.hint().or_else(|| hint_for(&refusal.code)).map(str::to_owned);
    TargetError { kind, context, code: Some(refusal.code.clone()), hint, source: Some(Box::new(refusal)) }
}

/// The error of an attempt to connect.
pub fn of_connecting(endpoint: &str, error: postgres::Error) -> TargetError {
    let context = format!("cannot connect to PostgreSQL at {endpoint}");
    if let Some(refusal) = error.as_db_error() {
        let kind = match kind_of(refusal.code().code()) {
            // Starting up, shutting down: nobody to talk to yet.
            TargetErrorKind::Lost => TargetErrorKind::Unreachable,
            kind => kind,
        };
        return of_server(context, refusal, kind);
    }
    let unreachable = |error| {
        TargetError::new(TargetErrorKind::Unreachable, context.clone())
            .because(error)
            .with_hint("check that the server runs and that host and port are right")
    };
    if error.is_closed() {
        return unreachable(error);
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(_) if tls_fault(&error).is_some() => {
            let hint = match tls_fault(&error) {
                Some(rustls::Error::InvalidCertificate(reason)) if is_about_the_name(reason) => {
                    "connect by a name that the certificate gives under subjectAltName (its common name does not count), \
                     or use sslmode=verify-ca"
                }
                _ => "sslrootcert must name a PEM file with the authority that signed the server's certificate",
            };
            TargetError::new(TargetErrorKind::Denied, context).because(error).with_hint(hint)
        }
        Some(_) => unreachable(error),
        // The driver's own refusals: no TLS on the server, no password for one that asks for it.
        None => TargetError::new(TargetErrorKind::Denied, context).because(error).with_hint(
            "check sslmode, and give the password in the URL, in DB_PASSWORD or PGPASSWORD, or in ~/.pgpass",
        ),
    }
}

fn is_about_the_name(reason: &rustls::CertificateError) -> bool {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(reason, NotValidForName | NotValidForNameContext { .. })
}

/// What rustls objected to, if it did: to a handshake or a certificate, not to a cut line.
pub fn tls_fault(error: &postgres::Error) -> Option<&rustls::Error> {
    error.source()?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// How to go on after an error with this SQLSTATE.
fn kind_of(code: &str) -> TargetErrorKind {
    use TargetErrorKind::*;
    match code {
        // Admin, crash and database shutdown, starting up, and ends of idle sessions.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" => Lost,
        "55P03" => Transient,
        "3D000" | "42501" => Denied,
        _ => match code.get(..2) {
            // Class 54 is about size: an index entry or a value that is too large, nesting too deep.
            Some("22" | "23" | "54") => Data,
            Some("40") => Transient,
            Some("08") => Lost,
            Some("28") => Denied,
            Some("53" | "58") => Resources,
            _ => Other,
        },
    }
}

fn hint_for(code: &str) -> Option<&'static str> {
    Some(match code {
        "28P01" => "check user name and password",
        "28000" => "ask for a line in the server's pg_hba.conf that lets this user in from here",
        "3D000" => "create the database first, or correct its name",
        "42501" => "grant the role the right that is missing, or connect as another role",
        "42P01" | "42703" | "3F000" => "compare the tables with the schema that `transload schema` expects",
        "25006" => "the server or the role is read-only: connect to the primary server",
        "53100" => "make room on the server's disk and run the same command again",
        "53300" => "lower DB_MAX_CONNECTIONS or raise the server's max_connections",
        "55P03" => "another session holds a lock on the table: run the same command again later",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_say_how_to_go_on() {
        use TargetErrorKind::*;
        let expected = [
            ("22001", Data),
            ("22P05", Data),
            ("23505", Data),
            ("23503", Data),
            ("54000", Data),
            ("40001", Transient),
            ("40P01", Transient),
            ("55P03", Transient),
            ("57P01", Lost),
            ("57P03", Lost),
            ("08006", Lost),
            ("28P01", Denied),
            ("3D000", Denied),
            ("42501", Denied),
            ("53100", Resources),
            ("53300", Resources),
            ("42P01", Other),
            ("57014", Other),
        ];
        for (code, kind) in expected {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }
}
