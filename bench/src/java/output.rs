//! What Kafka's programs print about their measurement, as figures. They print lines for people: a line
//! that is not as known gives nothing, and never a wrong number.

/// Of a producer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Produced {
    /// All that were acknowledged, also before anything counted.
    pub acknowledged: u64,
    /// Afterwards, as all that follows.
    pub records_per_second: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
}

/// Of a consumer, without the time in which its group was formed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consumed {
    pub records: u64,
    pub records_per_second: f64,
    /// Keys and values.
    pub megabytes_per_second: f64,
}

/// `N records sent, R records/sec (M MB/sec), A ms avg latency, X ms max latency, P ms 50th, …`; the line of
/// what came after the warm-up says `N steady state records sent`.
struct Summary<'a> {
    count: u64,
    is_steady: bool,
    parts: Vec<&'a str>,
}

impl<'a> Summary<'a> {
    /// `None` also for a line about some seconds of the run: it has no quantiles.
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim().strip_suffix('.')?;
        let mut parts = line.split(", ");
        let first = parts.next()?;
        let (count, what) = first.split_once(' ')?;
        let is_steady = match what {
            "records sent" => false,
            "steady state records sent" => true,
            _ => return None,
        };
        let summary = Self { count: count.parse().ok()?, is_steady, parts: parts.collect() };
        summary.value(" ms 99.9th").map(|_| summary)
    }

    fn value(&self, unit: &str) -> Option<f64> {
        self.parts.iter().find_map(|part| part.strip_suffix(unit)?.parse().ok())
    }

    fn rate(&self) -> Option<f64> {
        let rate = self.parts.first()?.split_once(" records/sec")?.0;
        rate.parse().ok()
    }
}

impl Produced {
    pub fn parse(output: &str) -> Option<Self> {
        let summaries: Vec<_> = output.lines().filter_map(Summary::parse).collect();
        let whole = summaries.iter().find(|summary| !summary.is_steady)?;
        let counted = summaries.iter().find(|summary| summary.is_steady).unwrap_or(whole);
        Some(Self {
            acknowledged: whole.count,
            records_per_second: counted.rate()?,
            max_ms: counted.value(" ms max latency")?,
            p50_ms: counted.value(" ms 50th")?,
            p99_ms: counted.value(" ms 99th")?,
            p999_ms: counted.value(" ms 99.9th")?,
        })
    }
}

impl Consumed {
    /// A head that names the columns, and a line of values.
    pub fn parse(output: &str) -> Option<Self> {
        let mut lines = output.lines().skip_while(|line| !line.starts_with("start.time, "));
        let names: Vec<&str> = lines.next()?.split(", ").collect();
        let rows = lines.map(|line| line.split(", ").collect::<Vec<_>>());
        let row = rows.filter(|row| row.len() == names.len()).last()?;
        let value = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            row.get(at)?.parse::<f64>().ok()
        };
        let at = names.iter().position(|known| *known == "data.consumed.in.nMsg")?;
        Some(Self {
            records: row.get(at)?.parse().ok()?,
            records_per_second: value("fetch.nMsg.sec")?,
            // It counts in 2²⁰ bytes.
            megabytes_per_second: value("fetch.MB.sec")? * 1.048_576,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: &str = "\
Warmup first 50000 records. Steady state results will print after the complete test summary.
98304 records sent, 19660.8 records/sec (1.87 MB/sec), 1500.2 ms avg latency, 2010.0 ms max latency.
200000 records sent, 33052.388035 records/sec (3.15 MB/sec), 2496.77 ms avg latency, 3505.00 ms max latency, \
2903 ms 50th, 3472 ms 95th, 3498 ms 99th, 3503 ms 99.9th.
";
    const STEADY: &str = "\
150000 steady state records sent, 31705.770450 records/sec (3.02 MB/sec), 2949.12 ms avg latency, 3505.00 ms \
max latency, 3067 ms 50th, 3480 ms 95th, 3499 ms 99th, 3504 ms 99.9th.
";

    #[test]
    fn a_producer_has_what_it_has_acknowledged_in_all_and_figures_after_its_warm_up() {
        let produced = Produced::parse(&format!("{PRODUCER}{STEADY}")).unwrap();
        let expected = Produced {
            acknowledged: 200_000,
            records_per_second: 31_705.770_45,
            max_ms: 3505.0,
            p50_ms: 3067.0,
            p99_ms: 3499.0,
            p999_ms: 3504.0,
        };
        assert_eq!(produced, expected);
        assert_eq!(Produced::parse(PRODUCER).unwrap().p50_ms, 2903.0);
    }

    #[test]
    fn a_producer_that_has_said_nothing_of_its_end_has_no_figures() {
        let first_two: String = PRODUCER.lines().take(2).collect();
        assert_eq!(Produced::parse(&first_two), None);
        assert_eq!(Produced::parse("Exception in thread main"), None);
    }

    #[test]
    fn a_consumers_columns_are_found_by_their_names() {
        let output = "WARNING: something\n\
            start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
            rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n\
            2026-11-27 17:50:18:235, 2026-11-27 17:50:20:435, 19.0735, 8.6698, 200000, 90909.0909, \
            1206, 994, 100.0, 201207.2435\n";
        let consumed = Consumed::parse(output).unwrap();
        assert_eq!((consumed.records, consumed.records_per_second), (200_000, 201_207.243_5));
        assert!((consumed.megabytes_per_second - 104.857_6).abs() < 1e-9);
        let head: String = output.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(Consumed::parse(&head), None);
    }
}
