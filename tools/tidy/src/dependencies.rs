//! Every crate we did not write has a line that says why it is here.

use crate::tree::SourceFile;

const PAGE: &str = "docs/dependencies.md";

/// Direct dependencies without a line in docs/dependencies.md, and lines whose crate is gone.
#[must_use]
pub fn undocumented(files: &[SourceFile]) -> Vec<String> {
    let named = workspace_dependencies(files);
    let Some(page) = files.iter().find(|file| file.name() == PAGE) else {
        return vec![format!("{PAGE} is missing")];
    };
    let mut wrong: Vec<String> = Vec::new();
    for name in &named {
        let has_line = page.text.lines().any(|line| is_line_about(line, name));
        if !has_line {
            wrong.push(format!("{name} has no line in {PAGE}"));
        }
    }
    wrong
}

/// Dependencies that a crate declares past the workspace's list, where a second version could hide.
#[must_use]
pub fn outside_the_workspace_list(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Ok(manifest) = file.text.parse::<toml::Table>() else { continue };
        if manifest.contains_key("workspace") {
            continue;
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            for (name, value) in table.into_iter().flatten() {
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    wrong.push(format!("{}: {name} is not taken from the workspace", file.name()));
                }
            }
        }
    }
    wrong
}

/// Names in [workspace.dependencies] that come from a registry.
fn workspace_dependencies(files: &[SourceFile]) -> Vec<String> {
    let manifest = files
        .iter()
        .find(|file| file.name() == "Cargo.toml")
        .and_then(|file| file.text.parse::<toml::Table>().ok());
    let Some(manifest) = manifest else { return Vec::new() };
    let table = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let from_registry = |value: &toml::Value| value.get("path").is_none();
    table
        .into_iter()
        .flatten()
        .filter(|(_, value)| from_registry(value))
        .map(|(name, _)| name.clone())
        .collect()
}

/// A table row or list item that opens with the name.
fn is_line_about(line: &str, name: &str) -> bool {
    let opening = line.trim_start_matches(['|', '-', '*', '#', ' ']);
    let quoted = opening.split('`').nth(1).unwrap_or("");
    opening.starts_with('`') && (quoted == name || quoted.starts_with(&format!("{name} ")))
        || opening.split(['`', '|', ',']).take(8).any(|word| word.trim() == name)
}
