//! Processor time and memory of a process, from the kernel's own books.

use std::{fs, io};

/// What the kernel counts in, on every Linux: hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Of `utime`, counted after the process name, which may contain anything.
const UTIME_FIELD: usize = 11;
/// The same of children that were waited for.
const CUTIME_FIELD: usize = 13;

/// Seconds in user and kernel mode, of all threads that there are and were.
pub fn processor_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks =
        parse(&stat).ok_or_else(|| io::Error::other("the kernel's answer is not as known"))?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// The same of its children that have ended.
pub fn children_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = parse_from(&stat, CUTIME_FIELD)
        .ok_or_else(|| io::Error::other("the kernel's answer is not as known"))?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// Of memory, what is resident.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_resident(&status).ok_or_else(|| io::Error::other("the process shows no resident memory"))
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn parse(stat: &str) -> Option<f64> {
    parse_from(stat, UTIME_FIELD)
}

/// The sum of user and kernel time, which follow each other.
fn parse_from(stat: &str, field: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(field);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_a_bracket_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 120 34 7 8 20 0 1 0 5 0 0";
        assert_eq!(parse(stat), Some(154.0));
        assert_eq!(parse_from(stat, CUTIME_FIELD), Some(15.0));
        assert_eq!(parse("7 (a"), None);
    }

    #[test]
    fn our_own_time_can_be_read() {
        assert!(processor_seconds(std::process::id()).unwrap() >= 0.0);
    }

    #[test]
    fn our_own_memory_can_be_read() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert_eq!(parse_resident("Name: x\nVmRSS:\t  12 kB\n"), Some(12_288));
    }
}
