//! Connection parameters: libpq's words for where the server is and who connects.
//!
//! Pure: variables, the password file and the operating system's user name are handed in. Errors
//! and `Debug` never show the password or any other value that was given.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Long enough for a slow network; without it a host that drops packets holds a run for minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const DEFAULT_PORT: u16 = 5432;

/// The value of `sslrootcert` that means the system's own store.
pub const SYSTEM_ROOTS: &str = "system";

/// libpq's variables and the parameters that they fill.
const VARIABLES: [(&str, &str); 13] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCHANNELBINDING", "channel_binding"),
];

const KNOWN: &str = "host, hostaddr, port, user, password, dbname, sslmode, sslrootcert, connect_timeout, \
                     application_name, options, target_session_attrs, channel_binding";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParameterError {
    #[error("a PostgreSQL URL begins with `postgres://` or `postgresql://`")]
    Scheme,
    #[error("the URL's {part} is not percent-encoded UTF-8")]
    Encoding { part: &'static str },
    #[error("the URL has an `@` behind its first `/`: write the characters `/`, `?`, `@` and `%` of a password as `%2F`, `%3F`, `%40` and `%25`")]
    StrayAt,
    #[error("the URL's host is malformed: expected `host`, `host:port` or `[address]:port`")]
    Host,
    #[error("the URL's parameters are malformed: expected `name=value` joined by `&`")]
    Query,
    #[error("`{name}` is no connection parameter that can be used here; known are {KNOWN}")]
    Unknown { name: String },
    #[error("the value of `{name}` is not usable: expected {expected}")]
    Value { name: String, expected: &'static str },
}

/// A password: compared and handed on, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an address.
    Tcp(String),
    /// The directory of a Unix socket.
    Socket(PathBuf),
}

impl Host {
    /// What begins with a slash is a socket's directory, as for libpq.
    pub fn parse(text: &str) -> Host {
        if text.starts_with('/') {
            Host::Socket(PathBuf::from(text))
        } else {
            Host::Tcp(text.to_owned())
        }
    }
}

/// How the connection is encrypted and whom it trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    /// Encrypted if the server can, else not.
    Prefer,
    /// Encrypted; the certificate is not looked at, unless `sslrootcert` is given.
    Require,
    /// The certificate comes from a known authority.
    VerifyCa,
    /// And it is for this host.
    VerifyFull,
}

impl SslMode {
    pub fn name(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }

    fn parse(text: &str) -> Option<SslMode> {
        match text {
            "disable" => Some(SslMode::Disable),
            // `allow` does not care whether the connection is encrypted; `prefer` serves it, too.
            "prefer" | "allow" => Some(SslMode::Prefer),
            "require" => Some(SslMode::Require),
            "verify-ca" => Some(SslMode::VerifyCa),
            "verify-full" => Some(SslMode::VerifyFull),
            _ => None,
        }
    }
}

/// Which kind of server is wanted when several hosts are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttrs {
    Any,
    ReadWrite,
}

/// Whether the password exchange is bound to the encrypted channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

/// One place where the server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: Host,
    /// Saves the look-up of the name, which then only serves to check the certificate.
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Host::Tcp(host) => write!(f, "{}:{}", host.escape_debug(), self.port),
            Host::Socket(directory) => {
                write!(f, "{}/.s.PGSQL.{}", directory.to_string_lossy().escape_debug(), self.port)
            }
        }
    }
}

/// Connection parameters; `None` and empty lists are gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Tried in their order.
    pub hosts: Vec<Host>,
    /// None, or as many as hosts.
    pub addresses: Vec<IpAddr>,
    /// One for all hosts, or as many as hosts.
    pub ports: Vec<u16>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub dbname: Option<String>,
    pub sslmode: Option<SslMode>,
    /// A PEM file, or [`SYSTEM_ROOTS`].
    pub sslrootcert: Option<PathBuf>,
    /// Zero: no limit.
    pub connect_timeout: Option<Duration>,
    pub application_name: Option<String>,
    /// Command-line options for the server's session.
    pub options: Option<String>,
    pub target_session_attrs: Option<SessionAttrs>,
    pub channel_binding: Option<ChannelBinding>,
}

impl Parameters {
    /// Reads a `postgres://` or `postgresql://` URL; what it does not say stays a gap.
    pub fn from_url(url: &str) -> Result<Parameters, ParameterError> {
        super::url::parse(url)
    }

    /// Sets one parameter by libpq's name.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        let bad = |expected| ParameterError::Value { name: name.to_owned(), expected };
        match name {
            "host" => {
                self.hosts = value.split(',').map(Host::parse).collect();
                if value.split(',').any(str::is_empty) {
                    return Err(bad("host names joined by commas"));
                }
            }
            "hostaddr" => {
                self.addresses = list(value).ok_or_else(|| bad("IP addresses joined by commas"))?;
            }
            "port" => self.ports = list(value).ok_or_else(|| bad("port numbers joined by commas"))?,
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(Secret::new(value)),
            "dbname" => self.dbname = Some(value.to_owned()),
            "sslmode" => {
                let expected = "disable, prefer, require, verify-ca or verify-full";
                self.sslmode = Some(SslMode::parse(value).ok_or_else(|| bad(expected))?);
            }
            "sslrootcert" => self.sslrootcert = Some(PathBuf::from(value)),
            "connect_timeout" => {
                let seconds = value.parse::<u32>().map_err(|_| bad("whole seconds"))?;
                self.connect_timeout = Some(Duration::from_secs(u64::from(seconds)));
            }
            "application_name" => self.application_name = Some(value.to_owned()),
            "options" => self.options = Some(value.to_owned()),
            "target_session_attrs" => {
                self.target_session_attrs = Some(match value {
                    "any" => SessionAttrs::Any,
                    "read-write" | "primary" => SessionAttrs::ReadWrite,
                    _ => return Err(bad("any, read-write or primary")),
                });
            }
            "channel_binding" => {
                self.channel_binding = Some(match value {
                    "disable" => ChannelBinding::Disable,
                    "prefer" => ChannelBinding::Prefer,
                    "require" => ChannelBinding::Require,
                    _ => return Err(bad("disable, prefer or require")),
                });
            }
            _ => return Err(ParameterError::Unknown { name: name.to_owned() }),
        }
        Ok(())
    }

    /// Fills what is not set from libpq's variables. An empty variable counts as none.
    ///
    /// # Errors
    /// When a variable that is needed has an unusable value.
    pub fn fill_gaps(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), ParameterError> {
        // Decided before the first is filled: a stray PGHOST must not turn up beside a hostaddr.
        let filled: Vec<bool> = VARIABLES.iter().map(|(_, name)| self.is_set(name)).collect();
        for ((variable_name, name), filled) in VARIABLES.iter().zip(filled) {
            let Some(value) = variable(variable_name).filter(|value| !value.is_empty() && !filled) else { continue };
            self.set(name, &value).map_err(|error| match error {
                ParameterError::Value { expected, .. } => {
                    ParameterError::Value { name: (*variable_name).to_owned(), expected }
                }
                other => other,
            })?;
        }
        Ok(())
    }

    /// Fills what is still missing with the defaults: `localhost`, this user, a database of the
    /// user's name.
    pub fn complete(&mut self, os_user: &str) {
        if self.hosts.is_empty() && self.addresses.is_empty() {
            self.hosts.push(Host::Tcp("localhost".into()));
        }
        let user = self.user.get_or_insert_with(|| os_user.to_owned());
        self.dbname.get_or_insert_with(|| user.clone());
    }

    /// The places to try, in their order.
    ///
    /// # Errors
    /// When hosts, addresses and ports are not equally many.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, ParameterError> {
        let mismatch = |name: &str, expected| ParameterError::Value { name: name.to_owned(), expected };
        let localhost = [Host::Tcp("localhost".into())];
        let named: Vec<Host> = match (self.hosts.as_slice(), self.addresses.as_slice()) {
            ([], []) => localhost.to_vec(),
            ([], addresses) => addresses.iter().map(|address| Host::Tcp(address.to_string())).collect(),
            (hosts, _) => hosts.to_vec(),
        };
        if !self.addresses.is_empty() && self.addresses.len() != named.len() {
            return Err(mismatch("hostaddr", "one address for each host"));
        }
        if self.ports.len() > 1 && self.ports.len() != named.len() {
            return Err(mismatch("port", "one port, or one for each host"));
        }
        let port = |at: usize| self.ports.get(at).or(self.ports.first()).copied().unwrap_or(DEFAULT_PORT);
        let endpoint = |(at, host)| Endpoint { host, address: self.addresses.get(at).copied(), port: port(at) };
        Ok(named.into_iter().enumerate().map(endpoint).collect())
    }

    /// The mode that holds: an explicit root certificate makes `require` check the chain, as libpq
    /// does, and the system's store is only safe together with the host's name.
    pub fn effective_sslmode(&self) -> Result<SslMode, ParameterError> {
        let system = self.uses_system_roots();
        match self.sslmode {
            None if system => Ok(SslMode::VerifyFull),
            None => Ok(SslMode::Prefer),
            Some(SslMode::VerifyFull) => Ok(SslMode::VerifyFull),
            Some(_) if system => {
                Err(ParameterError::Value { name: "sslmode".into(), expected: "verify-full with sslrootcert=system" })
            }
            Some(SslMode::Require) if self.sslrootcert.is_some() => Ok(SslMode::VerifyCa),
            Some(mode) => Ok(mode),
        }
    }

    pub(super) fn uses_system_roots(&self) -> bool {
        self.sslrootcert.as_ref().is_some_and(|path| path.as_os_str() == SYSTEM_ROOTS)
    }

    /// The limit on reaching one address; `None` for no limit.
    pub(super) fn effective_timeout(&self) -> Option<Duration> {
        Some(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT)).filter(|limit| !limit.is_zero())
    }

    /// The URL without its password, for people; [`Parameters::from_url`] reads it.
    pub fn display(&self) -> String {
        super::url::write(self)
    }

    fn is_set(&self, name: &str) -> bool {
        match name {
            // A name beside an address, or the other way round, would change the server meant.
            "host" | "hostaddr" => !self.hosts.is_empty() || !self.addresses.is_empty(),
            "port" => !self.ports.is_empty(),
            "user" => self.user.is_some(),
            "password" => self.password.is_some(),
            "dbname" => self.dbname.is_some(),
            "sslmode" => self.sslmode.is_some(),
            "sslrootcert" => self.sslrootcert.is_some(),
            "connect_timeout" => self.connect_timeout.is_some(),
            "application_name" => self.application_name.is_some(),
            "options" => self.options.is_some(),
            "target_session_attrs" => self.target_session_attrs.is_some(),
            "channel_binding" => self.channel_binding.is_some(),
            _ => false,
        }
    }
}

fn list<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|part| part.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn variables_fill_gaps_only() {
        let mut parameters = Parameters::from_url("postgres://app@db1/shop").unwrap();
        let environment = [
            ("PGHOST", "elsewhere"),
            ("PGHOSTADDR", "10.0.0.9"),
            ("PGPORT", "5433"),
            ("PGUSER", "root"),
            ("PGPASSWORD", "s3cret"),
            ("PGDATABASE", ""),
            ("PGSSLMODE", "verify-full"),
            ("PGCONNECT_TIMEOUT", "3"),
        ];
        parameters.fill_gaps(&variables(&environment)).unwrap();
        assert_eq!(parameters.hosts, [Host::Tcp("db1".into())]);
        assert!(parameters.addresses.is_empty());
        assert_eq!(parameters.ports, [5433]);
        assert_eq!(parameters.user.as_deref(), Some("app"));
        assert_eq!(parameters.password, Some(Secret::new("s3cret")));
        assert_eq!(parameters.dbname.as_deref(), Some("shop"));
        assert_eq!(parameters.effective_sslmode(), Ok(SslMode::VerifyFull));
        assert_eq!(parameters.effective_timeout(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_host_and_its_address_may_both_come_from_variables() {
        let mut parameters = Parameters::default();
        parameters.fill_gaps(&variables(&[("PGHOST", "db1"), ("PGHOSTADDR", "10.0.0.9")])).unwrap();
        let endpoint = &parameters.endpoints().unwrap()[0];
        assert_eq!((&endpoint.host, endpoint.address), (&Host::Tcp("db1".into()), Some([10, 0, 0, 9].into())));
    }

    #[test]
    fn a_bad_variable_is_named_and_its_value_is_not_shown() {
        let error = Parameters::default().fill_gaps(&variables(&[("PGPORT", "54e2")])).unwrap_err();
        assert_eq!(error.to_string(), "the value of `PGPORT` is not usable: expected port numbers joined by commas");
    }

    #[test]
    fn defaults_come_last() {
        let mut parameters = Parameters::default();
        parameters.complete("ada");
        assert_eq!(parameters.display(), "postgres://ada@localhost:5432/ada");
        assert_eq!(parameters.effective_sslmode(), Ok(SslMode::Prefer));
    }

    #[test]
    fn neither_debug_nor_display_shows_the_password() {
        let parameters = Parameters::from_url("postgres://app:s3cret@db1/shop").unwrap();
        assert!(!format!("{parameters:?}").contains("s3cret"));
        assert!(!parameters.display().contains("s3cret"));
    }

    #[test]
    fn a_root_certificate_makes_require_check_the_chain() {
        let mode = |url: &str| Parameters::from_url(url).unwrap().effective_sslmode();
        assert_eq!(mode("postgres://h?sslmode=require"), Ok(SslMode::Require));
        assert_eq!(mode("postgres://h?sslmode=require&sslrootcert=/ca.pem"), Ok(SslMode::VerifyCa));
        assert_eq!(mode("postgres://h?sslrootcert=system"), Ok(SslMode::VerifyFull));
        assert!(mode("postgres://h?sslrootcert=system&sslmode=prefer").is_err());
    }

    #[test]
    fn hosts_and_ports_must_be_equally_many() {
        let mut parameters = Parameters::default();
        parameters.set("host", "a,b,c").unwrap();
        parameters.set("port", "1,2").unwrap();
        assert!(parameters.endpoints().is_err());
        parameters.set("port", "1").unwrap();
        assert_eq!(parameters.endpoints().unwrap()[2].port, 1);
    }
}
