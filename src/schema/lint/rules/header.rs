//! What a file says about itself: dependencies, the reason, the file that it undoes.

use crate::schema::header::{Directive, HeaderFlaw, Said};
use crate::schema::lint::finding::Findings;
use crate::schema::lint::rule::{
    DEPENDS_MISSING, DEPENDS_NOT_LOWER, DEPENDS_RETIRED, DIRECTIVE_UNCLEAR, NO_WHY, ROLLBACK_OF_WRONG,
};
use crate::schema::lint::View;

pub fn check(view: &View<'_>, found: &mut Findings<'_>) {
    let header = &view.file.header;
    for said in &header.depends {
        depends(view, said, found);
    }
    if header.why.is_none() {
        found.whole(&NO_WHY, "it does not say why it is there");
    }
    if let Some(said) = &header.rollback_of {
        rollback_of(view, said, found);
    }
    for (flaw, place) in &header.flaws {
        let form = flaw.directive().form();
        let message = match flaw {
            HeaderFlaw::Misspelled(directive) => {
                format!("this comment looks like {} and is not read as one", directive.name())
            }
            HeaderFlaw::Misplaced(directive) => {
                format!("{} means nothing within or below a statement", directive.name())
            }
            HeaderFlaw::Empty(directive) => format!("{} says nothing", directive.name()),
            HeaderFlaw::Again(directive) => format!("{} was said before", directive.name()),
            HeaderFlaw::NoReason(directive) => format!("{} gives no reason", directive.name()),
        };
        found.at(&DIRECTIVE_UNCLEAR, *place, message).set_help(match flaw {
            HeaderFlaw::Misplaced(Directive::Ensure) => {
                "move it out of the statement: above, between or below statements".to_owned()
            }
            HeaderFlaw::Misplaced(_) => "move it above the first statement".to_owned(),
            HeaderFlaw::Again(_) => "say it once".to_owned(),
            HeaderFlaw::Misspelled(_) | HeaderFlaw::Empty(_) | HeaderFlaw::NoReason(_) => {
                format!("write it as `{form}`")
            }
        });
    }
}

fn depends(view: &View<'_>, said: &Said, found: &mut Findings<'_>) {
    let name = &said.text;
    match view.set.by_file(name) {
        Some(needed) if needed.number < view.file.number => {}
        Some(needed) if needed.file == view.file.file => {
            found.at(&DEPENDS_NOT_LOWER, said.place, "it depends on itself").set_help("take the comment out");
        }
        Some(_) => {
            found.at(&DEPENDS_NOT_LOWER, said.place, format!("it depends on `{name}`, which runs later"));
        }
        None if view.set.retired.iter().any(|retired| retired.former() == name || retired.file == *name) => {
            found.at(&DEPENDS_RETIRED, said.place, format!("it depends on `{name}`, which was retired"));
        }
        None => {
            let finding = found.at(&DEPENDS_MISSING, said.place, format!("it depends on `{name}`, which is not there"));
            if let Some(meant) = meant(view, name) {
                finding.set_help(format!("was `{meant}` meant?"));
            }
        }
    }
}

fn rollback_of(view: &View<'_>, said: &Said, found: &mut Findings<'_>) {
    let name = &said.text;
    let message = match view.set.by_file(name) {
        Some(undone) if undone.file == view.file.file => "it undoes itself".to_owned(),
        Some(undone) if undone.number > view.file.number => format!("it undoes `{name}`, which runs later"),
        Some(_) => {
            let same = |other: &&crate::schema::files::MigrationFile| {
                other.number < view.file.number && other.header.rollback_of.as_ref().is_some_and(|of| of.text == *name)
            };
            match view.set.files.iter().find(same) {
                Some(other) => format!("`{}` undoes `{name}` already", other.file),
                None => return,
            }
        }
        None => format!("it undoes `{name}`, which is not there"),
    };
    let finding = found.at(&ROLLBACK_OF_WRONG, said.place, message);
    if let Some(meant) = meant(view, name).filter(|meant| meant != name) {
        finding.set_help(format!("was `{meant}` meant?"));
    }
}

/// The file with the same number or the same words.
fn meant(view: &View<'_>, name: &str) -> Option<String> {
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    let number = crate::schema::files::leading_number(name);
    let alike = |file: &&crate::schema::files::MigrationFile| {
        file.number < view.file.number && (Some(file.number) == number || file.name == stem)
    };
    view.set.files.iter().find(alike).map(|file| file.file.clone())
}
