//! The tree is in shape.

use std::sync::LazyLock;

use corelog_tidy::tree::{SourceFile, files};
use corelog_tidy::{arrows, dependencies, pages, settings, words};

static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(files);

#[track_caller]
fn assert_none(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

#[test]
fn crates_depend_only_along_the_arrows() {
    assert_none("a crate depends on one it must not know", &arrows::crate_violations(&FILES));
}

#[test]
fn engine_folders_import_only_along_the_arrows() {
    assert_none("a folder imports one it must not know", &arrows::folder_violations(&FILES));
}

#[test]
fn pure_folders_neither_await_nor_touch_the_outside() {
    assert_none("a pure folder does something", &arrows::impure_lines(&FILES));
}

#[test]
fn only_the_two_doors_name_the_runtime() {
    assert_none("the runtime is named behind its doors", &arrows::runtime_named_inside(&FILES));
}

#[test]
fn every_format_on_disk_has_its_page() {
    assert_none("a format has no page", &pages::formats_without_page(&FILES));
}

#[test]
fn every_property_names_a_test_that_exists() {
    assert_none("a property is held by nothing", &pages::properties_without_test(&FILES));
}

#[test]
fn every_page_is_reachable() {
    assert_none("no link leads to this page", &pages::unreachable_pages(&FILES));
}

#[test]
fn no_link_is_dead() {
    assert_none("a link leads nowhere", &pages::dead_links(&FILES));
}

#[test]
fn every_dependency_says_why_it_is_here() {
    assert_none("a dependency is not explained", &dependencies::undocumented(&FILES));
}

#[test]
fn every_dependency_comes_from_the_workspace_list() {
    assert_none(
        "a dependency is declared past the list",
        &dependencies::outside_the_workspace_list(&FILES),
    );
}

#[test]
fn every_setting_that_is_read_is_acted_on() {
    assert_none("nobody uses this setting", &settings::without_reader(&FILES));
}

#[test]
fn files_stay_short_enough_to_hold_one_concept() {
    assert_none("a file is too long", &words::long_files(&FILES));
}

#[test]
fn nothing_points_outside_the_tree_or_puts_work_off() {
    assert_none("a word has no place here", &words::forbidden_words(&FILES));
}

#[test]
fn names_say_what_is_inside() {
    assert_none("a name says nothing", &words::empty_names(&FILES));
}
