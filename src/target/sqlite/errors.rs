//! What SQLite's errors mean to the program: whose fault, and what to try.

use rusqlite::ffi::{self, ErrorCode};

use crate::target::{TargetError, TargetErrorKind};

use super::values::ValueError;

/// Puts an error of SQLite, or of a value on its way there, into the program's words.
///
/// The error itself stays as the cause. SQLite names tables, columns and checks in it, never
/// values.
pub fn describe(context: &str, error: rusqlite::Error) -> TargetError {
    use rusqlite::Error;
    let mut described = match &error {
        Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => {
            let (kind, hint) = kind_and_hint(failure.code);
            let mut described = TargetError::new(kind, context);
            described.code = Some(code_name(failure.extended_code));
            described.hint = hint.map(str::to_owned);
            described
        }
        Error::ToSqlConversionFailure(cause) if cause.is::<ValueError>() => {
            TargetError::new(TargetErrorKind::Data, context)
        }
        Error::FromSqlConversionFailure(_, _, cause) if cause.is::<ValueError>() => {
            TargetError::new(TargetErrorKind::Other, context)
                .with_hint("transload keeps ids as lower-case UUIDs; change the ids in the table first")
        }
        _ => TargetError::new(TargetErrorKind::Other, context),
    };
    described.source = Some(match error {
        // The wrappers only say the same again.
        Error::ToSqlConversionFailure(cause) | Error::FromSqlConversionFailure(_, _, cause) => cause,
        // Its own text repeats the SQL, a whole script perhaps.
        Error::SqlInputError { error, msg, .. } => Error::SqliteFailure(error, Some(msg)).into(),
        other => other.into(),
    });
    described
}

fn kind_and_hint(code: ErrorCode) -> (TargetErrorKind, Option<&'static str>) {
    use TargetErrorKind::*;
    match code {
        ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => (Data, None),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (Transient, Some("another program is writing to this database: wait for it, or stop it"))
        }
        ErrorCode::FileLockingProtocolFailed | ErrorCode::SchemaChanged => (Transient, None),
        ErrorCode::DiskFull => (Resources, Some("make room on the disk")),
        ErrorCode::OutOfMemory => (Resources, None),
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (Denied, Some("this user needs the right to write the file and its directory"))
        }
        ErrorCode::ReadOnly => {
            (Denied, Some("this user may only read the file or its directory: change their rights, or the user"))
        }
        ErrorCode::CannotOpen => {
            (Denied, Some("the file or its directory is missing, or this user may not write there"))
        }
        ErrorCode::NotADatabase => (
            Other,
            Some("the file is encrypted or something else: give the path of a SQLite database, or of a new file"),
        ),
        ErrorCode::DatabaseCorrupt => {
            (Other, Some("the file is damaged: restore it from a backup, or look at `PRAGMA integrity_check`"))
        }
        ErrorCode::SystemIoFailure => (Other, Some("the disk or the file system failed: look at the system's log")),
        _ => (Other, None),
    }
}

/// The name of an extended result code where it helps, else its number.
fn code_name(code: i32) -> String {
    const NAMES: [(i32, &str); 12] = [
        (ffi::SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"),
        (ffi::SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"),
        (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"),
        (ffi::SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"),
        (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"),
        (ffi::SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"),
        (ffi::SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"),
        (ffi::SQLITE_BUSY, "SQLITE_BUSY"),
        (ffi::SQLITE_FULL, "SQLITE_FULL"),
        (ffi::SQLITE_NOTADB, "SQLITE_NOTADB"),
        (ffi::SQLITE_READONLY, "SQLITE_READONLY"),
        (ffi::SQLITE_TOOBIG, "SQLITE_TOOBIG"),
    ];
    NAMES.iter().find(|(number, _)| *number == code).map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_leads_to_the_right_way_on() {
        let cases = [
            (ffi::SQLITE_CONSTRAINT_UNIQUE, TargetErrorKind::Data, "SQLITE_CONSTRAINT_UNIQUE"),
            (ffi::SQLITE_TOOBIG, TargetErrorKind::Data, "SQLITE_TOOBIG"),
            (ffi::SQLITE_BUSY, TargetErrorKind::Transient, "SQLITE_BUSY"),
            (ffi::SQLITE_BUSY_SNAPSHOT, TargetErrorKind::Transient, "517"),
            (ffi::SQLITE_LOCKED, TargetErrorKind::Transient, "6"),
            (ffi::SQLITE_FULL, TargetErrorKind::Resources, "SQLITE_FULL"),
            (ffi::SQLITE_NOMEM, TargetErrorKind::Resources, "7"),
            (ffi::SQLITE_CANTOPEN, TargetErrorKind::Denied, "14"),
            (ffi::SQLITE_READONLY, TargetErrorKind::Denied, "SQLITE_READONLY"),
            (ffi::SQLITE_NOTADB, TargetErrorKind::Other, "SQLITE_NOTADB"),
            (ffi::SQLITE_IOERR_READ, TargetErrorKind::Other, "266"),
            (ffi::SQLITE_ERROR, TargetErrorKind::Other, "1"),
        ];
        for (number, kind, code) in cases {
            let error = describe("cannot do it", rusqlite::Error::SqliteFailure(ffi::Error::new(number), None));
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
        }
    }
}
