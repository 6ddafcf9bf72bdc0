//! How much memory there is for this process, so that caches can be a part of it. A container may
//! have less than its machine, and a process beyond its limit is killed.

use std::fs;
use std::path::Path;

const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes: the machine's memory, or the least limit of the control groups that this process is in.
pub fn memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit));
    // Without the file there are no control groups, and no limits.
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups_of(&groups).into_iter().filter_map(|group| {
        limit(&fs::read_to_string(Path::new(GROUPS).join(group).join("memory.max")).ok()?)
    });
    limits.fold(machine, u64::min)
}

/// The group that `/proc/self/cgroup` names and all above it, as paths below [`GROUPS`].
fn groups_of(text: &str) -> Vec<&Path> {
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"));
    own.map_or_else(Vec::new, |own| Path::new(own.trim_end()).ancestors().collect())
}

/// `None` if it says `max`.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_above_the_process_may_have_a_limit() {
        let groups = groups_of("1:cpu:/other\n0::/system.slice/corelog.service\n");
        let expected = ["system.slice/corelog.service", "system.slice", ""].map(Path::new);
        assert_eq!(groups, expected);
        assert_eq!(groups_of("0::/\n"), [Path::new("")]);
        assert!(groups_of("").is_empty());
    }

    #[test]
    fn a_group_without_a_limit_says_max() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("1073741824\n"), Some(1 << 30));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(1 << 20 < memory_bytes());
    }
}
