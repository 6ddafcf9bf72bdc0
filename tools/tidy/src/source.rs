//! What counts as code in a Rust file. Rules about imports and length must not trip over comments, and
//! tests beside the code are not part of what has to stay short.

/// The file without line comments, keeping line numbers.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)))
}

/// Everything before a `//` that does not stand in a string or a web address.
#[must_use]
pub fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let mut previous = ' ';
    for (at, letter) in line.char_indices() {
        if letter == '"' && previous != '\\' && previous != '\'' {
            in_string = !in_string;
        }
        if !in_string && letter == '/' && previous == '/' {
            return line.get(..at - 1).unwrap_or(line);
        }
        previous = letter;
    }
    line
}

/// The part of a Rust file before its test module.
#[must_use]
pub fn without_tests(text: &str) -> &str {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let opens_tests =
            lines.peek().is_some_and(|next| next.starts_with("mod ") && next.contains('{'));
        if line.starts_with("#[cfg(test)]") && opens_tests {
            return text.get(..at).unwrap_or(text);
        }
        at += line.len();
    }
    text
}

/// Lines that are neither blank nor only a comment.
#[must_use]
pub fn code_line_count(text: &str) -> usize {
    let is_code = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !line.starts_with('#')
            || line.starts_with("#[")
    };
    text.lines().filter(|line| is_code(line)).count()
}

/// The words that follow `prefix` as paths in code: `crate::log::Log` and each of `crate::{io, log::Log}`
/// give `io` and `log`.
#[must_use]
pub fn first_segments(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        let rest = code.get(at + prefix.len()..).unwrap_or("");
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.push(identifier(rest)),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0_u32;
    let mut at_head = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            _ if at_head && !letter.is_whitespace() => {
                heads.push(identifier(group.get(at..).unwrap_or("")));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_import_names_each_of_its_heads() {
        let code = "use crate::{io::{File, Runtime}, log::Log,\n    types};";
        assert_eq!(first_segments(code, "crate::"), ["io", "log", "types"]);
    }

    #[test]
    fn a_plain_path_names_its_first_segment() {
        assert_eq!(first_segments("let x = crate::log::open();", "crate::"), ["log"]);
        assert_eq!(first_segments("use supercrate::log;", "crate::"), [""; 0]);
    }

    #[test]
    fn comments_are_not_code_but_addresses_in_strings_are() {
        assert_eq!(without_comment("let a = 1; // glommio"), "let a = 1; ");
        assert_eq!(without_comment("let a = \"http://x\";"), "let a = \"http://x\";");
    }

    #[test]
    fn tests_beside_the_code_do_not_count() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(code_line_count(without_tests(text)), 1);
    }
}
