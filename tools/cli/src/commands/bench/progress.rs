//! How far a run is, on a terminal; into a pipe or a file only what was found.

use std::time::Duration;

use bench::Watcher;
use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{wide_bar} {pos}/{len}, {elapsed}, {msg}";
        let style = ProgressStyle::with_template(template).expect("the template is one");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Beside the bar if there is one, else as it is.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            crate::out::remark(text);
        } else {
            self.bar.println(text);
        }
    }
}

impl Watcher for Progress {
    fn expect(&self, count: usize) {
        self.bar.set_length(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn begins(&self, repeat: usize, system: &str, what: &str) {
        self.bar.set_message(format!("{system}: {what} (repeat {repeat})"));
    }

    fn ends(&self, system: &str, what: &str, result: &str) {
        self.bar.inc(1);
        self.line(&format!("{system:14} {what:36} {result}"));
    }
}
