//! Numbers as people read them, and columns that line up.

use std::time::Duration;

pub use crate::model::figures::{bytes, duration, thousands};

/// How many a second, or nothing when no time has passed.
pub fn per_second(count: u64, time: Duration) -> u64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 {
        (count as f64 / seconds) as u64
    } else {
        0
    }
}

/// Which side a column's cells stand on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Lines with their cells in columns, two spaces apart, without trailing spaces.
pub fn columns(sides: &[Side], lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..sides.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut shown = String::new();
        for ((cell, side), width) in line.iter().zip(sides).zip(&widths) {
            let width = *width;
            match side {
                Side::Left => shown += &format!("{cell:<width$}  "),
                Side::Right => shown += &format!("{cell:>width$}  "),
            }
        }
        text += shown.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let lines = [vec!["a".into(), "1,000".into()], vec!["long".into(), "7".into()]];
        assert_eq!(columns(&[Side::Left, Side::Right], &lines), "a     1,000\nlong      7\n");
    }
}
