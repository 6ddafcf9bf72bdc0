//! Pages that can be found and links that lead somewhere. A format without a page is a format that only
//! its author can read.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::tree::{SourceFile, root};

/// A link in a page, as written.
struct Link {
    line: usize,
    target: String,
}

/// Relative links that lead to nothing.
#[must_use]
pub fn dead_links(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in files.iter().filter(|file| file.has_extension("md")) {
        for link in links(&page.text) {
            let (file_part, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let target = if file_part.is_empty() {
                page.path.clone()
            } else {
                resolve(&page.path, file_part)
            };
            if !root().join(&target).exists() {
                wrong.push(format!("{}:{}: {}", page.name(), link.line, link.target));
                continue;
            }
            let aim = files.iter().find(|file| file.path == target);
            if !anchor.is_empty() && aim.is_some_and(|aim| !anchors(&aim.text).contains(anchor)) {
                wrong.push(format!(
                    "{}:{}: no heading #{anchor} in {}",
                    page.name(),
                    link.line,
                    target.display()
                ));
            }
        }
    }
    wrong
}

/// Pages under docs/ that no chain of links from the README or the index reaches.
#[must_use]
pub fn unreachable_pages(files: &[SourceFile]) -> Vec<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![PathBuf::from("README.md"), PathBuf::from("docs/README.md")];
    while let Some(path) = waiting.pop() {
        let Some(page) = files.iter().find(|file| file.path == path) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        for link in links(&page.text) {
            let file_part = link.target.split('#').next().unwrap_or("");
            if file_part.ends_with(".md") {
                waiting.push(resolve(&path, file_part));
            }
        }
    }
    let is_page = |file: &&SourceFile| file.path.starts_with("docs") && file.has_extension("md");
    files
        .iter()
        .filter(is_page)
        .filter(|file| !reached.contains(&file.path))
        .map(SourceFile::name)
        .collect()
}

/// On-disk formats whose bytes no page in docs/formats describes.
#[must_use]
pub fn formats_without_page(files: &[SourceFile]) -> Vec<String> {
    let mut missing = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("engine/src/log/format")) {
        let Some(stem) = file.path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if stem == "mod" || !file.has_extension("rs") {
            continue;
        }
        let page = Path::new("docs/formats").join(format!("{}.md", stem.replace('_', "-")));
        if !files.iter().any(|file| file.path == page) {
            missing.push(format!("{} wants {}", file.name(), page.display()));
        }
    }
    missing
}

/// Tests and scripts that the page of properties names and that are not there.
#[must_use]
pub fn properties_without_test(files: &[SourceFile]) -> Vec<String> {
    let mut missing = Vec::new();
    let page = files.iter().find(|file| file.name() == "docs/properties.md");
    for line in
        page.into_iter().flat_map(|page| page.text.lines()).filter(|line| line.starts_with('|'))
    {
        let tests = line.trim_end_matches('|').rsplit('|').next().unwrap_or("");
        for name in tests.split('`').skip(1).step_by(2) {
            let is_there = if name.contains('/') {
                root().join(name).exists()
            } else {
                files.iter().any(|file| file.text.contains(&format!("fn {name}(")))
            };
            if !is_there {
                missing.push(name.to_owned());
            }
        }
    }
    missing
}

/// Links of a page that stay inside the repository; code blocks are not searched.
fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or("");
            let is_outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !is_outside {
                found.push(Link { line: index + 1, target: target.to_owned() });
            }
        }
    }
    found
}

fn resolve(page: &Path, target: &str) -> PathBuf {
    let folder = page.parent().unwrap_or(Path::new(""));
    let mut resolved = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::Normal(name) => resolved.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    resolved
}

/// The anchors that headings give.
fn anchors(text: &str) -> BTreeSet<String> {
    let slug = |heading: &str| {
        let kept = heading.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>()
    };
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| slug(line.trim_start_matches('#')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_blocks_and_to_the_web_are_left_alone() {
        let text = "see [a](b.md#c) and [web](https://x.y)\n```\n[no](no.md)\n```\n";
        let found: Vec<String> = links(text).into_iter().map(|link| link.target).collect();
        assert_eq!(found, ["b.md#c"]);
    }

    #[test]
    fn a_link_is_relative_to_its_page() {
        assert_eq!(resolve(Path::new("docs/formats/a.md"), "../b.md"), PathBuf::from("docs/b.md"));
    }
}
