//! Databases of a benchmark's own on a PostgreSQL server, dropped at the end.

use super::error::BenchError;
use super::psql::Access;

/// A database that is dropped at the end.
pub struct Scratch {
    access: Access,
    admin: String,
    name: String,
    pub url: String,
}

impl Scratch {
    /// An empty one.
    pub fn make(access: &Access, admin: &str) -> Result<Scratch, BenchError> {
        Scratch::of(access, admin, "template0 ENCODING 'UTF8'")
    }

    /// Another one with the same in it. Nobody may be connected to this one. Its files are copied: what
    /// goes through WAL and buffers instead would leave both warm for whoever comes next.
    pub fn copy(&self) -> Result<Scratch, BenchError> {
        Scratch::of(&self.access, &self.admin, &format!("{} STRATEGY file_copy", self.name))
    }

    fn of(access: &Access, admin: &str, template: &str) -> Result<Scratch, BenchError> {
        let name = format!("transload_bench_{}", uuid::Uuid::new_v4().simple());
        access.session(admin)?.run(&format!("CREATE DATABASE {name} TEMPLATE {template};"))?;
        let url = with_database(admin, &name);
        Ok(Scratch { access: access.clone(), admin: admin.to_owned(), name, url })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // One that stays is told by its name; the benchmark's own end is what matters.
        let dropped =
            self.access.session(&self.admin).and_then(|mut psql| psql.run(&format!("DROP DATABASE {};", self.name)));
        if let Err(error) = dropped {
            tracing::warn!(%error, database = %self.name, "a database of the benchmark is left");
        }
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(base, it)| (base, Some(it)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let parameters = parameters.map(|it| format!("?{it}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &base[..path])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_another_one() {
        for (url, other) in [
            ("postgres://ada@db1:5432/a?sslmode=require", "postgres://ada@db1:5432/b?sslmode=require"),
            ("postgres://postgres@/postgres?host=/tmp/x&port=1", "postgres://postgres@/b?host=/tmp/x&port=1"),
            ("postgresql://db1", "postgresql://db1/b"),
        ] {
            assert_eq!(with_database(url, "b"), other);
        }
    }
}
