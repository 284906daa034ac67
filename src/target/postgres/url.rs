//! PostgreSQL URLs: `postgres://user:password@host:port,host:port/database?name=value`.
//!
//! Own reader, because the driver's knows neither `verify-ca` nor `verify-full`, and because its
//! messages are not made to keep a password that was written without its percent signs.

use super::parameters::{Endpoint, Host, ParameterError, Parameters, Secret};

pub fn parse(url: &str) -> Result<Parameters, ParameterError> {
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or(ParameterError::Scheme)?;
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    let (authority, database) = match before_query.split_once('/') {
        Some((authority, database)) => (authority, Some(database)),
        None => (before_query, None),
    };
    // Otherwise the second half of a password would be taken for the database, and shown.
    if database.is_some_and(|database| database.contains('@')) {
        return Err(ParameterError::StrayAt);
    }

    let mut parameters = Parameters::default();
    // The last `@`: one in a password that should have been `%40` does no harm.
    let hosts = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            read_credentials(&mut parameters, credentials)?;
            hosts
        }
        None => authority,
    };
    read_hosts(&mut parameters, hosts)?;
    if let Some(database) = database.filter(|database| !database.is_empty()) {
        parameters.dbname = Some(decode(database, "database name")?);
    }
    for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(ParameterError::Query)?;
        let (name, value) = (decode(name, "parameter name")?, decode(value, "parameter value")?);
        match (name.as_str(), value.as_str()) {
            // The spelling of other drivers, which libpq takes in URLs, too.
            ("ssl", "true") => parameters.set("sslmode", "require")?,
            _ => parameters.set(&name, &value)?,
        }
    }
    Ok(parameters)
}

fn read_credentials(parameters: &mut Parameters, credentials: &str) -> Result<(), ParameterError> {
    let (user, password) = match credentials.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (credentials, None),
    };
    if !user.is_empty() {
        parameters.user = Some(decode(user, "user name")?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        parameters.password = Some(Secret::new(decode(password, "password")?));
    }
    Ok(())
}

fn read_hosts(parameters: &mut Parameters, hosts: &str) -> Result<(), ParameterError> {
    if hosts.is_empty() {
        return Ok(());
    }
    let mut ports = Vec::new();
    for part in hosts.split(',') {
        let (host, port) = split_port(part)?;
        if !host.is_empty() {
            parameters.hosts.push(Host::parse(&decode(host, "host")?));
        } else if hosts.contains(',') {
            return Err(ParameterError::Host);
        }
        ports.push(match port {
            "" => None,
            digits => Some(digits.parse::<u16>().map_err(|_| ParameterError::Host)?),
        });
    }
    // A port that is given for one host does not spread to the others.
    if ports.iter().any(Option::is_some) {
        parameters.ports = ports.into_iter().map(|port| port.unwrap_or(5432)).collect();
    }
    Ok(())
}

/// Host and port, the latter empty if there is none.
fn split_port(part: &str) -> Result<(&str, &str), ParameterError> {
    if let Some(rest) = part.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(ParameterError::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if rest.is_empty() => Ok((host, "")),
            None => Err(ParameterError::Host),
        };
    }
    match part.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(ParameterError::Host),
        Some((host, port)) => Ok((host, port)),
        None => Ok((part, "")),
    }
}

/// The URL of completed parameters, without the password and what has no bearing on the target.
pub fn write(parameters: &Parameters) -> String {
    let mut url = String::from("postgres://");
    if let Some(user) = &parameters.user {
        encode(&mut url, user, "");
        url.push('@');
    }
    // Parameters that do not fit each other cannot be connected to; their hosts alone are shown.
    let endpoints = parameters.endpoints().unwrap_or_default();
    let mut query = String::new();
    if endpoints.iter().any(|endpoint| matches!(endpoint.host, Host::Socket(_))) {
        let host = |endpoint: &Endpoint| match &endpoint.host {
            Host::Tcp(host) => host.clone(),
            Host::Socket(directory) => directory.to_string_lossy().into_owned(),
        };
        push_parameter(&mut query, "host", &join(endpoints.iter().map(host)));
        push_parameter(&mut query, "port", &join(endpoints.iter().map(|endpoint| endpoint.port.to_string())));
    } else {
        let mut separator = "";
        for Endpoint { host, port, .. } in &endpoints {
            let Host::Tcp(host) = host else { unreachable!("sockets went to the query") };
            url.push_str(separator);
            if host.contains(':') {
                url.push_str(&format!("[{host}]"));
            } else {
                encode(&mut url, host, "");
            }
            url.push_str(&format!(":{port}"));
            separator = ",";
        }
    }
    url.push('/');
    if let Some(database) = &parameters.dbname {
        encode(&mut url, database, "");
    }
    if let Some(mode) = parameters.sslmode {
        push_parameter(&mut query, "sslmode", mode.name());
    }
    url + &query
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn push_parameter(query: &mut String, name: &str, value: &str) {
    query.push(if query.is_empty() { '?' } else { '&' });
    query.push_str(name);
    query.push('=');
    encode(query, value, "/,");
}

fn encode(out: &mut String, text: &str, plain: &str) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn decode(text: &str, part: &'static str) -> Result<String, ParameterError> {
    let malformed = || ParameterError::Encoding { part };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else { return Err(malformed()) };
        bytes.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    // PostgreSQL's strings end at U+0000; none can be meant.
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::SslMode;
    use super::*;

    #[test]
    fn every_part_of_a_url_is_read() {
        let url = "postgresql://a%40b:p%2Fw%3A@db1.example:5433/my%20db?sslmode=verify-ca&sslrootcert=/ca.pem&connect_timeout=3";
        let parameters = parse(url).unwrap();
        assert_eq!(parameters.user.as_deref(), Some("a@b"));
        assert_eq!(parameters.password.as_ref().unwrap().expose(), "p/w:");
        assert_eq!(parameters.hosts, [Host::Tcp("db1.example".into())]);
        assert_eq!(parameters.ports, [5433]);
        assert_eq!(parameters.dbname.as_deref(), Some("my db"));
        assert_eq!(parameters.sslmode, Some(SslMode::VerifyCa));
        assert_eq!(parameters.display(), "postgres://a%40b@db1.example:5433/my%20db?sslmode=verify-ca");
    }

    #[test]
    fn sockets_are_given_as_host_or_as_parameter() {
        let socket = [Host::Socket("/run/pg".into())];
        assert_eq!(parse("postgres://%2Frun%2Fpg/db").unwrap().hosts, socket);
        assert_eq!(parse("postgres://%2Frun%2Fpg:6000/db").unwrap().ports, [6000]);
        let parameters = parse("postgres:///db?host=/run/pg&port=6000").unwrap();
        assert_eq!(parameters.hosts, socket);
        assert_eq!(parameters.display(), "postgres:///db?host=/run/pg&port=6000");
        assert_eq!(parse(&parameters.display()).unwrap(), parameters);
    }

    #[test]
    fn several_hosts_and_addresses_of_version_6_are_read() {
        let parameters = parse("postgres://u@[::1]:6000,db2/db").unwrap();
        assert_eq!(parameters.hosts, [Host::Tcp("::1".into()), Host::Tcp("db2".into())]);
        assert_eq!(parameters.ports, [6000, 5432]);
        assert_eq!(parameters.display(), "postgres://u@[::1]:6000,db2:5432/db");
    }

    #[test]
    fn gaps_stay_gaps() {
        assert_eq!(parse("postgres://").unwrap(), Parameters::default());
        assert_eq!(parse("postgres:///").unwrap(), Parameters::default());
        assert_eq!(parse("postgres://@:6000").unwrap(), Parameters { ports: vec![6000], ..Parameters::default() });
    }

    #[test]
    fn an_error_shows_no_part_of_the_url() {
        let mut seen = 0;
        for url in [
            "mysql://u:s3cret@h/db",
            "postgres://u:s3cret/x@h/db",
            "postgres://u:12/s3cret@h/db",
            "postgres://u:s3cret?x@h/db",
            "postgres://u:s3cret%zz@h/db",
            "postgres://u@h:s3cret/db",
            "postgres://u@[h/db",
            "postgres://u@h/db?sslmode=s3cret",
            "postgres://u@h/db?port=s3cret",
            "postgres://u@h/db?s3cret",
            "postgres://u:s3cret@h:1:2/db",
            "postgres://u@h,:1/db",
            "postgres://u@h/db?nonsense=s3cret",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error}");
            seen += 1;
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn an_at_sign_in_a_password_does_no_harm() {
        let parameters = parse("postgres://u:p@ss@h/db").unwrap();
        assert_eq!(parameters.password.as_ref().unwrap().expose(), "p@ss");
        assert_eq!(parameters.hosts, [Host::Tcp("h".into())]);
    }
}
