//! `docs/configuration.md` is made from the key table, so that the page cannot say anything else.

use std::fmt::Write;

use engine::config::{Default, Fate, Key, Keys, Scope, Treatment, Update, legacy_keys};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

const OPENING: &str = "\
# Configuration

`corelog serve` reads a Kafka `server.properties` as it is. Every key of Apache Kafka 4.3.1 is known:
its type, default and range are Kafka's. A key is either **honoured**, or it has no effect here and is
named once in the log with the reason. A key that nobody knows is an error that names the line and the
nearest known key. Keys that begin with `corelog.` are our own. A file without `process.roles` is a node that is a whole cluster of its own;
`node.id` is then `broker.id`, or 0.

Syntax: Java properties (comments with `#` and `!`; `=`, `:` or white space between key and value;
`\\` at the end continues a line; `\\uXXXX`). Text that is not UTF-8 is read as Latin-1. Relative
folders start at the folder that the process runs in.

A topic's value is the first of: its own setting, this broker's dynamic setting, the dynamic setting of
all brokers, `server.properties`, the default. Dynamic broker settings are changed with
IncrementalAlterConfigs where the *change* column allows it, and are in force when the change is
answered. `listeners` and `listener.security.protocol.map`, which Kafka changes while it runs, are read
at the start here, and a change of them is refused.

Some settings are refused instead of ignored. Ignoring `authorizer.class.name`, or a listener whose
protocol is not available, would leave a door open. Ignoring other controllers (`process.roles` other
than `broker,controller`, voters or bootstrap servers other than this node) would found a second
cluster beside the one that is meant.

`socket.send.buffer.bytes` and `socket.receive.buffer.bytes` count where they are set. Where they are
not, the kernel adapts the buffers: Kafka's default of 100 KiB holds fast connections back.

This page is written by `CORELOG_WRITE=1 cargo test -p corelog-engine --test configuration_page`, from
`engine/src/config/keys.tsv`, which `tools/codegen/java/ConfigTable.java` prints from Kafka's classes, and
`own.tsv`, our own keys.
";

fn page() -> String {
    let mut page = String::from(OPENING);
    let scopes = [
        (Scope::Topic, "Topic keys"),
        (Scope::Broker, "Broker keys"),
        (Scope::Group, "Group keys"),
        (Scope::ClientMetrics, "Client-metrics keys"),
    ];
    for (scope, title) in scopes {
        let _ = write!(
            page,
            "\n## {title}\n\n| key | type | default | change | here |\n|---|---|---|---|---|\n"
        );
        for key in Keys::all().of(scope).filter(|key| !key.internal) {
            page.push_str(&row(key));
        }
    }
    page.push_str("\n## Keys of earlier versions\n\n| key | here |\n|---|---|\n");
    for one in legacy_keys() {
        let star = if one.name.ends_with('.') { "*" } else { "" };
        let fate = match one.fate {
            Fate::Read { now } => format!("**honoured**, as `{now}`"),
            Fate::Gone { why } => why.to_owned(),
        };
        let _ = writeln!(page, "| `{}{star}` | {fate} |", one.name);
    }
    page
}

fn row(key: &Key) -> String {
    let default = match key.default {
        Default::Required | Default::Null => "–".to_owned(),
        Default::Text("") => "empty".to_owned(),
        Default::Text(text) => format!("`{text}`"),
    };
    let change = match key.update {
        Update::ReadOnly => "file",
        Update::PerBroker => "per broker",
        Update::ClusterWide => "cluster-wide",
        Update::Dynamic => "any time",
    };
    let here = match Treatment::of(key) {
        Treatment::Honoured => "**honoured**",
        Treatment::WithoutMeaning(why) => why,
    };
    let kind = format!("{:?}", key.kind).to_lowercase();
    format!("| `{}` | {kind} | {default} | {change} | {here} |\n", key.name)
}

#[test]
fn the_configuration_page_says_what_the_table_says() {
    if std::env::var_os("CORELOG_WRITE").is_some() {
        std::fs::write(PATH, page()).unwrap();
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(written == page(), "docs/configuration.md is not what the table says; see its end");
}
