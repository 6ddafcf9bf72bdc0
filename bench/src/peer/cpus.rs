//! Which processors a process may use. Client and broker on processors of their own do not take each
//! other's time, so that a broker is measured and not the scheduler.

use std::{fmt, io, str::FromStr, thread};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::BenchError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus(Vec<usize>);

impl FromStr for Cpus {
    type Err = BenchError;

    /// A list such as `0,2-3`.
    fn from_str(text: &str) -> Result<Self, BenchError> {
        let wrong = || BenchError::Cpus { text: text.to_owned() };
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |word: &str| word.trim().parse::<usize>().map_err(|_| wrong());
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last >= CpuSet::MAX_CPU {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(usize::to_string).collect();
        formatter.write_str(&words.join(","))
    }
}

impl Cpus {
    /// Those that this thread may use.
    pub fn of_this_thread() -> io::Result<Self> {
        let set = sched_getaffinity(None)?;
        Ok(Self((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()))
    }

    /// The first so many, if there are as many.
    pub fn first(&self, count: usize) -> Option<Self> {
        Some(Self(self.0.get(..count)?.to_vec()))
    }

    /// Holds the calling thread, and those that it starts from now on, to these processors.
    pub fn hold_this_thread(&self) -> Result<(), BenchError> {
        let cpus = self.to_string();
        self.hold().map_err(|source| BenchError::Affinity { cpus, source })
    }

    fn hold(&self) -> io::Result<()> {
        let mut set = CpuSet::new();
        for cpu in &self.0 {
            set.set(*cpu);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}

/// Does something in a thread that is held to processors: a process started there inherits them with
/// its first instruction.
pub fn held_to<T: Send>(
    cpus: Option<&Cpus>,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let Some(cpus) = cpus else { return work() };
    thread::scope(|scope| {
        let started = scope.spawn(|| {
            cpus.hold()?;
            work()
        });
        started.join().expect("a panic ends the process")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_listed_as_in_the_kernels_own_lists() {
        assert_eq!("0,2-3".parse::<Cpus>().unwrap(), Cpus(vec![0, 2, 3]));
        assert_eq!("1".parse::<Cpus>().unwrap().to_string(), "1");
        for wrong in ["", "a", "3-1", "1,", "99999"] {
            assert!(wrong.parse::<Cpus>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_more_processors_are_taken_than_there_are() {
        let cpus: Cpus = "1,4".parse().unwrap();
        assert_eq!(cpus.first(1), Some(Cpus(vec![1])));
        assert_eq!((cpus.first(2), cpus.first(3)), (Some(cpus.clone()), None));
    }

    #[test]
    fn a_thread_can_be_held_to_a_processor() {
        let own = held_to(Some(&Cpus(vec![0])), Cpus::of_this_thread);
        assert_eq!(own.unwrap(), Cpus(vec![0]));
        let held = held_to(Some(&Cpus(vec![0])), || {
            Ok(thread::available_parallelism().map(usize::from).unwrap_or(0))
        });
        assert_eq!(held.unwrap(), 1);
    }
}
