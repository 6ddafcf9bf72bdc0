//! Words and names that a finished tree does not contain.

use crate::source::{code_line_count, without_tests};
use crate::tree::SourceFile;

/// A file this long holds a second concept that wants its own name.
pub const CODE_LINES_MAX: usize = 400;

/// Files that may be longer, each with the reason.
pub const LONG_FILES: [(&str, &str); 0] = [];

const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "common", "misc", "helper", "helpers", "manager", "managers"];

/// Places outside the tree, and promises instead of work.
fn forbidden() -> [String; 5] {
    let join = |parts: [&str; 2]| parts.concat();
    [
        join(["../sha", "red"]),
        join(["/wo", "rk/"]),
        join(["TO", "DO"]),
        join(["FIX", "ME"]),
        join(["to", "do!"]),
    ]
}

/// Lines that name a place outside the tree or put work off.
#[must_use]
pub fn forbidden_words(files: &[SourceFile]) -> Vec<String> {
    let words = forbidden();
    let mut wrong = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| holds_word(line, word)) {
                wrong.push(format!("{}:{}: {word}", file.name(), index + 1));
            }
        }
    }
    wrong
}

/// Whether `word` stands in the line by itself and not inside a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        let is_inside = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        };
        let is_path = word.ends_with('/');
        !is_inside(before) && (is_path || !is_inside(after))
    })
}

/// Files and folders whose name says nothing about what is inside.
#[must_use]
pub fn empty_names(files: &[SourceFile]) -> Vec<String> {
    let is_empty = |file: &&SourceFile| {
        file.path.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(""))
        })
    };
    files.iter().filter(is_empty).map(SourceFile::name).collect()
}

/// Files with more than `CODE_LINES_MAX` lines of code that are not on the list of exceptions.
#[must_use]
pub fn long_files(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let is_code =
            ["rs", "py", "java", "go"].into_iter().any(|extension| file.has_extension(extension));
        let is_test = file.path.components().any(|part| part.as_os_str() == "tests")
            || file.name().ends_with("tests.rs");
        if !is_code || is_test || file.is_generated() {
            continue;
        }
        let count = code_line_count(without_tests(&file.text));
        let is_known = LONG_FILES.iter().any(|(name, _)| *name == file.name());
        if count > CODE_LINES_MAX && !is_known {
            wrong.push(format!("{}: {count} lines of code", file.name()));
        }
        if count <= CODE_LINES_MAX && is_known {
            wrong.push(format!("{} is short again: take it off the list", file.name()));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_inside_a_longer_one_is_not_the_word() {
        let word = ["TO", "DO"].concat();
        assert!(holds_word(&format!("// {word}: later"), &word));
        assert!(!holds_word(&format!("MY{word}S"), &word));
    }

    #[test]
    fn a_folder_name_that_contains_a_place_is_not_the_place() {
        let place = ["/wo", "rk/"].concat();
        assert!(holds_word(&format!("see {place}x"), &place));
        assert!(!holds_word(&format!("a{place}x"), &place));
    }
}
