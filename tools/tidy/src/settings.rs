//! A setting that is taken, kept in a field and used by nobody is a lie to whoever sets it. A test of
//! the engine holds every honoured key to a place that reads it into a field; here every field is held
//! to code that uses it.

use crate::source::{code_lines, without_tests};
use crate::tree::SourceFile;

/// Where the fields are declared that settings are read into.
const DECLARED_IN: [&str; 4] = [
    "engine/src/config/broker.rs",
    "engine/src/config/quotas.rs",
    "engine/src/config/running.rs",
    "engine/src/config/topic.rs",
];

#[must_use]
pub fn without_reader(files: &[SourceFile]) -> Vec<String> {
    let declared = files.iter().filter(|file| DECLARED_IN.contains(&file.name().as_str()));
    let fields: Vec<String> = declared.flat_map(|file| fields(without_tests(&file.text))).collect();
    let code: Vec<&str> = files.iter().filter(|file| acts(file)).flat_map(code_of).collect();
    let is_used = |field: &str| code.iter().any(|line| reads(line, field));
    fields.iter().filter(|field| !is_used(field)).cloned().collect()
}

/// Code of the engine or the server that is not about reading settings, and no test.
fn acts(file: &SourceFile) -> bool {
    let name = file.name();
    let is_ours = name.starts_with("engine/src/") || name.starts_with("net/server/src/");
    let is_test = name.contains("/tests/") || name.ends_with("_test.rs");
    is_ours && file.has_extension("rs") && !is_test && !DECLARED_IN.contains(&name.as_str())
}

fn code_of(file: &SourceFile) -> Vec<&str> {
    code_lines(without_tests(&file.text)).map(|(_, line)| line).collect()
}

/// The public fields of every struct.
fn fields(text: &str) -> Vec<String> {
    let field = |line: &str| {
        let (name, _) = line.strip_prefix("    pub ")?.split_once(':')?;
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then(|| name.to_owned())
    };
    text.lines().filter_map(field).collect()
}

/// Whether the line has `.field`, and not only as the beginning of a longer name or of a call.
fn reads(line: &str, field: &str) -> bool {
    line.match_indices(field).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + field.len()..).and_then(|text| text.chars().next());
        let goes_on =
            after.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '(');
        before == Some('.') && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_after_a_dot_and_as_a_whole() {
        assert!(reads("let x = config.idle_max;", "idle_max"));
        assert!(reads("    .idle_max", "idle_max"));
        assert!(!reads("config.idle_max_of_all", "idle_max"));
        assert!(!reads("let idle_max = 1;", "idle_max"));
        assert!(!reads("config.idle_max()", "idle_max"));
    }

    #[test]
    fn fields_are_found_and_functions_are_not() {
        let text = "pub struct A {\n    pub one_max: u32,\n    two: u32,\n}\nimpl A {\n    pub fn x(a: u32) {}\n}";
        assert_eq!(fields(text), ["one_max"]);
    }
}
