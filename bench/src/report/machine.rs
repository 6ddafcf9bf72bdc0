//! On what was measured. A figure without its machine says nothing.

use std::{fs, path::Path};

use client::runtime;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub processors: usize,
    pub processor: String,
    pub memory_megabytes: u64,
    pub kernel: String,
    /// Of the folder that was measured in.
    pub file_system: String,
    /// In UTC.
    pub date: String,
}

impl Machine {
    pub fn of(folder: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
            value.unwrap_or_default().to_owned()
        };
        let kibibytes = after(&read("/proc/meminfo"), "MemTotal");
        let kibibytes = kibibytes.split(' ').next().and_then(|word| word.parse::<u64>().ok());
        let cpus = read("/proc/cpuinfo");
        Self {
            processors: cpus.lines().filter(|line| line.starts_with("processor")).count(),
            processor: after(&cpus, "model name"),
            memory_megabytes: kibibytes.unwrap_or(0).saturating_mul(1024) / 1_000_000,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(&read("/proc/self/mounts"), folder),
            date: date(runtime::wall_clock_millis()),
        }
    }

    /// In one line.
    pub fn describe(&self) -> String {
        format!(
            "{}, {} × {}, {} MB of memory, Linux {}, {}",
            self.date,
            self.processors,
            if self.processor.is_empty() { "processor" } else { &self.processor },
            self.memory_megabytes,
            self.kernel,
            self.file_system
        )
    }
}

/// Of the longest mount point above the folder.
fn file_system(mounts: &str, folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (point, kind) = (words.nth(1)?, words.next()?);
        folder.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    mounts.max().map(|(_, kind)| kind).unwrap_or_default()
}

/// Days since 1970 as a date, by counting in eras of 400 years that begin in March.
fn date(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000).saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_305_600_000), "2026-11-22");
    }

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw\n/dev/b /nowhere/data xfs rw\ntmpfs /nowhere/d tmpfs rw\n";
        assert_eq!(file_system(mounts, Path::new("/nowhere/data/x")), "xfs");
        assert_eq!(file_system(mounts, Path::new("/nowhere")), "ext4");
    }
}
