//! Which database: a SQLite file or a PostgreSQL server, from a URL or from the DB_* variables.
//!
//! The URL of a server is not taken apart here beyond what hiding its password needs; the target
//! does that, and fills gaps from libpq's variables and the password file that are handed to it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::error::ConfigError;
use super::key::Origin;

pub(super) const FORMS: &str =
    "a database is sqlite:app.db, sqlite:/path/app.db, postgres://user@host:5432/name, postgresql://... or env";

/// Where the documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(PostgresSettings),
}

/// All that the PostgreSQL target needs from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://...`; may hold a password and may leave parts out.
    pub url: String,
    /// libpq's own variables (`PG...`), for what the URL leaves out.
    pub variables: BTreeMap<String, String>,
    /// The text of the password file, for a password that nothing else gives.
    pub pgpass: Option<String>,
    /// Who runs this, for a user that nothing else gives.
    pub os_user: String,
    pub ledger_schema: String,
    pub max_connections: u32,
    pub idle_timeout: Duration,
}

impl Database {
    /// The URL without its password.
    pub fn name(&self) -> String {
        match self {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Postgres(settings) => without_password(&settings.url),
        }
    }
}

/// Secrets stay out of it.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &without_password(&self.url))
            .field("variables", &self.variables.keys())
            .field("pgpass", &self.pgpass.as_ref().map(|_| "..."))
            .field("ledger_schema", &self.ledger_schema)
            .field("max_connections", &self.max_connections)
            .field("idle_timeout", &self.idle_timeout)
            .finish()
    }
}

/// What the value of `db` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Takes `sqlite:` and `postgres:` URLs, and `env`. A message never repeats the URL, because what
/// is wrong with it may be where its password stands.
pub(super) fn address(value: &str, origin: &Origin, environment: &Environment) -> Result<Address, ConfigError> {
    let wrong = |problem: String| ConfigError::Invalid { key: "db", origin: origin.clone(), problem };
    if value == "env" {
        return url_of_variables(origin, environment).map(Address::Postgres);
    }
    if let Some(rest) = value.strip_prefix("sqlite:") {
        let path = match rest.strip_prefix("//") {
            None => rest,
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(wrong("a SQLite URL with // names no host: three slashes, or none".to_owned())),
        };
        return match path {
            "" => Err(wrong("it names no file".to_owned())),
            ":memory:" => Err(wrong("a database in memory would be lost with the run".to_owned())),
            path if path.contains(['?', '\0']) => Err(wrong("a SQLite URL takes no parameters".to_owned())),
            path => Ok(Address::Sqlite(PathBuf::from(path))),
        };
    }
    if value.starts_with("postgres://") || value.starts_with("postgresql://") {
        return Ok(Address::Postgres(value.to_owned()));
    }
    let scheme = value.split_once(':').map(|(scheme, _)| scheme);
    Err(wrong(match scheme.filter(|scheme| scheme.len() < 20 && scheme.chars().all(|c| c.is_ascii_alphanumeric())) {
        Some(scheme) => format!("`{scheme}:` is no kind of database that is known"),
        None => "it is no URL of a database".to_owned(),
    }))
}

/// DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD as one URL. What is left out, libpq's variables
/// fill; a port has a default and a password need not be.
fn url_of_variables(origin: &Origin, environment: &Environment) -> Result<String, ConfigError> {
    let mut missing = Vec::new();
    let mut part = |name: &'static str, stand_in: &str, needed: bool| -> Result<Option<String>, ConfigError> {
        let value = environment.get(name)?;
        if value.is_none() && needed && environment.get(stand_in)?.is_none() {
            missing.push(name);
        }
        Ok(value.map(percent_encoded))
    };
    let host = part("DB_HOST", "PGHOST", true)?;
    let port = part("DB_PORT", "PGPORT", false)?;
    let name = part("DB_NAME", "PGDATABASE", true)?;
    let user = part("DB_USER", "PGUSER", true)?;
    let password = part("DB_PASSWORD", "PGPASSWORD", false)?;
    if !missing.is_empty() {
        return Err(ConfigError::MissingVariables { origin: origin.clone(), missing });
    }
    let mut url = "postgres://".to_owned();
    if user.is_some() || password.is_some() {
        url += &user.unwrap_or_default();
        if let Some(password) = password {
            url = url + ":" + &password;
        }
        url.push('@');
    }
    url += &host.unwrap_or_default();
    if let Some(port) = port {
        url = url + ":" + &port;
    }
    if let Some(name) = name {
        url = url + "/" + &name;
    }
    Ok(url)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A URL that can be shown. Hides too much rather than too little: the password is taken to reach
/// from the first colon to the last `@`, because one with `/` or `?` in it is often not encoded.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split_once(':').map_or(user, |(user, _)| user)),
        None => rest.to_owned(),
    };
    let Some((place, query)) = rest.split_once('?') else { return format!("{scheme}://{rest}") };
    let shown: Vec<&str> =
        query.split('&').filter(|one| !one.split('=').next().unwrap_or("").contains("password")).collect();
    match shown.as_slice() {
        [] => format!("{scheme}://{place}"),
        shown => format!("{scheme}://{place}?{}", shown.join("&")),
    }
}

/// libpq's variables.
pub(super) fn pg_variables(environment: &Environment) -> BTreeMap<String, String> {
    environment
        .texts()
        .filter(|(name, _)| name.starts_with("PG"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The name of the user who runs this, as the system's own variables give it.
pub(super) fn os_user(environment: &Environment) -> String {
    let given = ["USER", "LOGNAME"].into_iter().find_map(|name| environment.get_os(name)?.to_str().map(str::to_owned));
    given.filter(|name| !name.is_empty()).unwrap_or_else(|| "postgres".to_owned())
}

/// The text of PGPASSFILE or `~/.pgpass`, under libpq's rule: a file that others may read is not
/// used, and that is said.
pub(super) fn password_file(environment: &Environment) -> Option<String> {
    let path = match environment.get_os("PGPASSFILE") {
        Some(path) => PathBuf::from(path),
        None => Path::new(environment.get_os("HOME")?).join(".pgpass"),
    };
    let about = std::fs::metadata(&path).ok()?;
    if !about.is_file() {
        tracing::warn!(path = %path.display(), "the password file is no plain file and is not used");
        return None;
    }
    if about.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the password file can be read by others and is not used: chmod 0600");
        return None;
    }
    std::fs::read_to_string(&path)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the password file cannot be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Address, ConfigError> {
        address(value, &Origin::Default, &Environment::default())
    }

    fn env(variables: &[(&str, &str)]) -> Result<Address, ConfigError> {
        address("env", &Origin::Default, &variables.iter().copied().collect())
    }

    #[test]
    fn urls_have_these_forms() {
        assert_eq!(of("sqlite:app.db").expect("relative"), Address::Sqlite("app.db".into()));
        assert_eq!(of("sqlite:/abs/app.db").expect("absolute"), Address::Sqlite("/abs/app.db".into()));
        assert_eq!(of("sqlite:///abs/app.db").expect("three slashes"), Address::Sqlite("/abs/app.db".into()));
        for url in ["postgres://u@h/n", "postgresql:///n?sslmode=require"] {
            assert_eq!(of(url).expect(url), Address::Postgres(url.to_owned()));
        }
        for wrong in ["", "app.db", "sqlite:", "sqlite://app.db", "sqlite::memory:", "sqlite:a?mode=ro", "mysql://h/n"]
        {
            let error = of(wrong).expect_err(wrong);
            assert!(error.hint().expect("the forms").contains("sqlite:app.db"), "{wrong}");
        }
    }

    #[test]
    fn an_error_about_a_url_does_not_repeat_its_password() {
        for url in ["mysql://u:geheim@h/n", "postgres:/u:geheim@h/n", "host=h password=geheim"] {
            let error = of(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("geheim"), "{url}");
        }
    }

    #[test]
    fn passwords_are_hidden_wherever_a_url_holds_one() {
        for (url, shown) in [
            ("postgres://u:geheim@h:5432/n", "postgres://u@h:5432/n"),
            ("postgres://u:ge/h?e@im@h/n", "postgres://u@h/n"),
            ("postgres://h/n?password=geheim&sslmode=require", "postgres://h/n?sslmode=require"),
            ("postgres://h/n?sslpassword=geheim", "postgres://h/n"),
            ("postgres://u@h/n", "postgres://u@h/n"),
            ("sqlite:a.db", "sqlite:a.db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn the_db_variables_make_one_url() {
        let all = [
            ("DB_HOST", "db.example"),
            ("DB_PORT", "6432"),
            ("DB_NAME", "donna"),
            ("DB_USER", "ada"),
            ("DB_PASSWORD", "a/b@c"),
        ];
        assert_eq!(
            env(&all).expect("complete"),
            Address::Postgres("postgres://ada:a%2Fb%40c@db.example:6432/donna".to_owned())
        );
        let socket = [("DB_HOST", "/run/pg"), ("DB_NAME", "donna"), ("DB_USER", "ada")];
        assert_eq!(env(&socket).expect("complete"), Address::Postgres("postgres://ada@%2Frun%2Fpg/donna".to_owned()));
    }

    #[test]
    fn variables_that_are_missing_are_named_unless_libpqs_fill_them() {
        let error = env(&[("DB_HOST", "h"), ("DB_USER", "")]).expect_err("incomplete");
        assert_eq!(error.to_string(), "`db` is \"env\" (default) but DB_NAME, DB_USER are not set");
        let filled = env(&[("DB_HOST", "h"), ("PGDATABASE", "n"), ("PGUSER", "u")]).expect("filled");
        assert_eq!(filled, Address::Postgres("postgres://h".to_owned()));
    }

    #[test]
    fn a_password_file_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("pass");
        std::fs::write(&path, "*:*:*:*:geheim\n").expect("written");
        let environment: Environment = [("PGPASSFILE", &path)].into_iter().collect();
        let with_mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            password_file(&environment)
        };
        assert_eq!(with_mode(0o644), None);
        assert_eq!(with_mode(0o600).as_deref(), Some("*:*:*:*:geheim\n"));
    }

    #[test]
    fn settings_can_be_logged_without_a_secret() {
        let settings = PostgresSettings {
            url: "postgres://u:geheim@h/n".into(),
            variables: [("PGPASSWORD".to_owned(), "geheim".to_owned())].into(),
            pgpass: Some("geheim".into()),
            os_user: "ada".into(),
            ledger_schema: "transload".into(),
            max_connections: 20,
            idle_timeout: Duration::from_secs(300),
        };
        assert!(!format!("{settings:?}").contains("geheim"));
    }
}
