//! The password file of libpq: lines of `host:port:database:user:password`.
//!
//! Pure: finding the file and refusing one that others can read is the configuration's part.

use super::parameters::{Host, Parameters};

/// The directories of a server's socket that a line for `localhost` means, too.
const DEFAULT_SOCKETS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

/// The password that the file's text holds for these parameters: the first line that fits counts.
///
/// With several hosts there is an answer only if it is the same for all: a password is not to
/// travel to a host that it was not written down for.
pub fn password_from_pgpass(text: &str, parameters: &Parameters) -> Option<String> {
    let user = parameters.user.as_deref()?;
    let database = parameters.dbname.as_deref().unwrap_or(user);
    let mut found: Option<String> = None;
    for endpoint in parameters.endpoints().ok()? {
        let host = match &endpoint.host {
            Host::Tcp(host) => host.clone(),
            Host::Socket(directory) => match directory.to_str()? {
                default if DEFAULT_SOCKETS.contains(&default) => "localhost".to_owned(),
                other => other.to_owned(),
            },
        };
        let wanted = [host.as_str(), &endpoint.port.to_string(), database, user];
        let password = text.lines().find_map(|line| password_of(line, wanted))?;
        if found.as_ref().is_some_and(|found| *found != password) {
            return None;
        }
        found = Some(password);
    }
    found
}

fn password_of(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = split(line);
    let [host, port, database, user, password] = fields.first_chunk::<5>()?;
    let fits = |field: &Field, wanted: &str| field.raw == "*" || field.text == wanted;
    let line = [host, port, database, user];
    line.iter().zip(wanted).all(|(field, wanted)| fits(field, wanted)).then(|| password.text.clone())
}

struct Field {
    /// As it stands in the file: only an unescaped `*` is a wildcard.
    raw: String,
    text: String,
}

/// The fields of a line; a backslash makes the next character an ordinary one.
fn split(line: &str) -> Vec<Field> {
    let mut fields = vec![Field { raw: String::new(), text: String::new() }];
    let mut characters = line.trim_end_matches('\r').chars();
    while let Some(c) = characters.next() {
        if c == ':' {
            fields.push(Field { raw: String::new(), text: String::new() });
            continue;
        }
        let field = fields.last_mut().expect("the list begins with one field and only grows");
        field.raw.push(c);
        match c {
            '\\' => {
                let escaped = characters.next();
                field.raw.extend(escaped);
                field.text.push(escaped.unwrap_or('\\'));
            }
            c => field.text.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(text: &str, url: &str) -> Option<String> {
        let mut parameters = Parameters::from_url(url).unwrap();
        parameters.complete("ada");
        password_from_pgpass(text, &parameters)
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# db1:5432:shop:app:no\nother:5432:shop:app:no\ndb1:*:shop:app:first\ndb1:5432:shop:app:second\n";
        assert_eq!(look_up(text, "postgres://app@db1/shop").as_deref(), Some("first"));
        assert_eq!(look_up(text, "postgres://root@db1/shop"), None);
    }

    #[test]
    fn defaults_take_part_in_the_match() {
        assert_eq!(look_up("localhost:5432:ada:ada:pw", "postgres://").as_deref(), Some("pw"));
        assert_eq!(look_up("localhost:5432:*:*:pw", "postgres:///x?host=/var/run/postgresql").as_deref(), Some("pw"));
        assert_eq!(look_up("/srv/pg:*:*:*:pw", "postgres:///x?host=/srv/pg").as_deref(), Some("pw"));
    }

    #[test]
    fn backslashes_take_the_meaning_from_colons_stars_and_themselves() {
        assert_eq!(look_up(r"\:\:1:*:*:*:p\:\\w", "postgres://[::1]/").as_deref(), Some(r"p:\w"));
        assert_eq!(look_up(r"\*:*:*:*:pw", "postgres://db1/"), None);
        assert_eq!(look_up("*:*:*:*:pw\r\n", "postgres://db1/").as_deref(), Some("pw"));
    }

    #[test]
    fn lines_with_too_few_fields_are_passed_over() {
        assert_eq!(look_up("db1:5432:pw\n\n*:*:*:*:right", "postgres://db1/").as_deref(), Some("right"));
    }

    #[test]
    fn several_hosts_must_share_the_password() {
        let url = "postgres://app@db1,db2/shop";
        assert_eq!(look_up("*:*:*:*:pw", url).as_deref(), Some("pw"));
        assert_eq!(look_up("db1:*:*:*:pw", url), None);
        assert_eq!(look_up("db1:*:*:*:pw\ndb2:*:*:*:other", url), None);
    }
}
