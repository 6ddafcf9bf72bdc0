//! `corelog cluster`: who belongs to it, who leads it, and what lies on whose disks.

use clap::Args;
use client::admin::{Admin, ClusterDescription, LogDirectory};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    session::administrate(options.bootstrap.options(), async |admin| show(&admin, options).await)
}

async fn show(admin: &Admin, options: &Options) -> Result<(), Failure> {
    let cluster = admin.describe_cluster().await?;
    let mut directories = Vec::new();
    for broker in cluster.brokers.iter().filter(|broker| !broker.fenced) {
        for directory in admin.log_directories(broker.id, None).await? {
            directories.push((broker.id, directory));
        }
    }
    if options.json {
        return out::json(&as_json(&cluster, &directories));
    }
    out::line(&format!("cluster {}", cluster.cluster_id))?;
    let rows = cluster.brokers.iter().map(|broker| {
        let role = if cluster.controller == Some(broker.id) { "controller" } else { "" };
        let state = if broker.fenced { "fenced" } else { "running" };
        vec![
            broker.id.to_string(),
            format!("{}:{}", broker.host, broker.port),
            broker.rack.clone().unwrap_or_else(|| "-".to_owned()),
            state.to_owned(),
            role.to_owned(),
        ]
    });
    let headings = ["broker", "address", "rack", "state", ""];
    out::print(&table::render(&headings, &[0], rows.collect()))?;
    let rows = directories.iter().map(|(broker, directory)| {
        let gigabytes = |bytes: Option<i64>| bytes.map_or_else(|| "-".to_owned(), size);
        vec![
            broker.to_string(),
            directory.path.clone(),
            directory.replicas.len().to_string(),
            size(directory.replicas.iter().map(|replica| replica.bytes).sum()),
            gigabytes(directory.usable_bytes),
            gigabytes(directory.total_bytes),
            error(directory),
        ]
    });
    let headings = ["broker", "folder", "partitions", "records", "free", "disk", ""];
    out::line("")?;
    out::print(&table::render(&headings, &[0, 2, 3, 4, 5], rows.collect()))
}

fn error(directory: &LogDirectory) -> String {
    match directory.error_code {
        0 => String::new(),
        code => wire::ErrorCode::from_code(code)
            .map_or_else(|| format!("error {code}"), |code| code.message().to_owned()),
    }
}

/// Bytes in the largest unit that leaves a number of at least one.
fn size(bytes: i64) -> String {
    const UNITS: [(&str, i64); 4] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, unit_bytes) in UNITS {
        if unit_bytes <= bytes {
            let tenths = bytes / (unit_bytes / 10).max(1);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

fn as_json(cluster: &ClusterDescription, directories: &[(i32, LogDirectory)]) -> Value {
    let brokers = cluster.brokers.iter().map(|broker| {
        let folders = directories.iter().filter(|(id, _)| *id == broker.id).map(|(_, folder)| {
            json!({
                "path": folder.path,
                "error_code": folder.error_code,
                "partitions": folder.replicas.len(),
                "bytes": folder.replicas.iter().map(|replica| replica.bytes).sum::<i64>(),
                "usable_bytes": folder.usable_bytes,
                "total_bytes": folder.total_bytes,
            })
        });
        json!({
            "id": broker.id,
            "host": broker.host,
            "port": broker.port,
            "rack": broker.rack,
            "fenced": broker.fenced,
            "log_directories": folders.collect::<Vec<_>>(),
        })
    });
    json!({
        "cluster_id": cluster.cluster_id,
        "controller": cluster.controller,
        "brokers": brokers.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_a_fitting_unit() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1 << 10), "1.0 KiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
    }
}
