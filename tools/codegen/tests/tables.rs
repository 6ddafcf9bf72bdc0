//! The committed tables and what is generated from them.

use std::path::Path;

use codegen::files::{self, Tables};
use codegen::model::{Field, Module, Schema};
use codegen::table;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn a_table_prints_as_it_was_read() {
    for module in Module::ALL {
        let text = std::fs::read_to_string(files::table_path(root(), module)).unwrap();
        assert_eq!(table::print(&table::parse(&text).unwrap()), text, "{}", module.name());
    }
    let text = std::fs::read_to_string(files::errors_path(root())).unwrap();
    assert_eq!(table::print_errors(&table::parse_errors(&text).unwrap()), text);
}

#[test]
fn generated_files_are_what_the_tables_say() {
    let generated = files::generate(root(), &Tables::read(root()).unwrap()).unwrap();
    let different = files::differences(root(), &generated).unwrap();
    assert!(different.is_empty(), "run `cargo run -p corelog-codegen -- rust`: {different:?}");
}

/// The depth of a message is bounded by its schema only if no struct contains itself.
#[test]
fn no_struct_contains_itself() {
    let tables = Tables::read(root()).unwrap();
    for module in Module::ALL {
        for schema in tables.live(module) {
            descend(schema, &schema.fields, &mut vec![schema.name.as_str()]);
        }
    }
}

fn descend<'schema>(
    schema: &'schema Schema,
    fields: &'schema [Field],
    above: &mut Vec<&'schema str>,
) {
    for field in fields {
        let Some(name) = field.of.struct_name() else { continue };
        assert!(!above.contains(&name), "{name} contains itself in {}", schema.name);
        let shared = schema.structs.iter().find(|shared| shared.name == name);
        above.push(name);
        descend(schema, shared.map_or(&field.fields, |shared| &shared.fields), above);
        above.pop();
    }
}

#[test]
fn a_broken_table_names_its_line() {
    let error = table::parse("# comment\nrequest X versions=0\n  Name strange 0+\n").unwrap_err();
    assert_eq!(error.to_string(), "line 3: \"strange\" is not a type");
}
