//! What a file in a migrations directory is, from its name alone.

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `NNNN_name.sql`
    Migration { number: u32, name: String },
    /// `NNNN_name.sql.retired`: never run. The number is missing where the name has none.
    Retired { number: Option<u32> },
    /// `NNNN.json`: the declared schema of a version.
    Snapshot { number: u32 },
    /// It looks like a migration, and is none.
    BadName(NameFlaw),
    /// A migration's name with another ending, e.g. `.sql.disabled`.
    OtherEnding(String),
    /// Nothing of ours: `README.md`, `.gitkeep`.
    Other,
}

/// What is wrong with a migration's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFlaw {
    /// It does not begin with four digits and an underscore.
    Number,
    /// Nothing follows the number.
    Empty,
    Hyphen,
    Capital,
    /// Neither a small letter, nor a digit, nor an underscore.
    Character(char),
}

impl FileKind {
    pub fn of(file: &str) -> FileKind {
        let small = file.to_ascii_lowercase();
        if let Some(stem) = file.strip_suffix(".sql") {
            return match parse_stem(stem) {
                Ok((number, name)) => FileKind::Migration { number, name },
                Err(flaw) => FileKind::BadName(flaw),
            };
        }
        if file.ends_with(".sql.retired") {
            return FileKind::Retired { number: leading_number(file) };
        }
        if small.ends_with(".sql") {
            return FileKind::BadName(NameFlaw::Capital);
        }
        if let Some(number) = file.strip_suffix(".json").filter(|stem| stem.len() == 4).and_then(leading_number) {
            return FileKind::Snapshot { number };
        }
        // A hidden file is an editor's.
        if file.starts_with('.') {
            return FileKind::Other;
        }
        match small.find(".sql") {
            Some(at) => FileKind::OtherEnding(file[at + ".sql".len()..].to_owned()),
            None if leading_number(file).is_some() => match file[4..].rfind('.') {
                Some(at) => FileKind::OtherEnding(file[4 + at..].to_owned()),
                None => FileKind::OtherEnding(String::new()),
            },
            None => FileKind::Other,
        }
    }
}

/// `0001_name` as its number and name.
fn parse_stem(stem: &str) -> Result<(u32, String), NameFlaw> {
    let number = leading_number(stem).ok_or(NameFlaw::Number)?;
    let name = match stem.as_bytes().get(4) {
        Some(b'_') => &stem[5..],
        Some(b'-') => return Err(NameFlaw::Hyphen),
        None => return Err(NameFlaw::Empty),
        Some(_) => return Err(NameFlaw::Number),
    };
    check_name(name)?;
    Ok((number, name.to_owned()))
}

/// Whether `name` can follow the number.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameFlaw> {
    if name.is_empty() {
        return Err(NameFlaw::Empty);
    }
    match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_')) {
        None => Ok(()),
        Some('-') => Err(NameFlaw::Hyphen),
        Some('A'..='Z') => Err(NameFlaw::Capital),
        Some(other) => Err(NameFlaw::Character(other)),
    }
}

/// The four digits that a name begins with, if a fifth does not follow.
pub fn leading_number(file: &str) -> Option<u32> {
    let digits = file.bytes().take_while(u8::is_ascii_digit).count();
    file.get(..4).filter(|_| digits == 4)?.parse().ok()
}
