//! A database for a moment, beside the one that was given, to build a schema in.

use std::sync::Arc;

use uuid::Uuid;

use super::errors::of_statement;
use super::session::Opener;
use super::sql::quote;
use crate::target::{TargetError, TargetErrorKind};

pub struct ScratchDatabase {
    opener: Arc<Opener>,
    name: String,
}

impl ScratchDatabase {
    /// From `template0`, so that what somebody put into `template1` is not in it.
    pub fn create(opener: Arc<Opener>) -> Result<ScratchDatabase, TargetError> {
        let name = format!("transload_scratch_{}", Uuid::now_v7().simple());
        let mut session = opener.open()?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", quote(&name));
        session.client.batch_execute(&create).map_err(|error| {
            let error = of_statement("cannot make a scratch database".into(), error.into());
            match error.kind {
                TargetErrorKind::Denied => error
                    .with_hint("let the role make databases (ALTER ROLE ... CREATEDB), or name a server where it may"),
                _ => error,
            }
        })?;
        Ok(ScratchDatabase { opener, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
        let dropped = self.opener.open().map(|mut session| session.client.batch_execute(&drop).is_ok());
        if !dropped.unwrap_or(false) {
            tracing::warn!(database = self.name, "the scratch database could not be dropped");
        }
    }
}
