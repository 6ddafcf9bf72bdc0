//! What several repeats of one measurement say together: the middle one, and how far they lie apart.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    pub repeats: usize,
}

impl Spread {
    /// `None` if there are no values, or one that is no number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        if sorted.iter().any(|value| !value.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
        let median = f64::midpoint(lower, upper);
        Some(Self { median, lowest, highest, repeats: sorted.len() })
    }

    /// Whether no value of one was reached by the other.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.highest < other.lowest || other.highest < self.lowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let odd = Spread::of([5.0, 1.0, 3.0]).unwrap();
        assert_eq!((odd.median, odd.lowest, odd.highest, odd.repeats), (3.0, 1.0, 5.0, 3));
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
    }

    #[test]
    fn nothing_and_what_is_no_number_have_no_spread() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn ranges_that_touch_are_not_apart() {
        let spread = |values: [f64; 2]| Spread::of(values).unwrap();
        assert!(spread([1.0, 2.0]).is_apart_from(&spread([2.1, 3.0])));
        assert!(spread([2.1, 3.0]).is_apart_from(&spread([1.0, 2.0])));
        assert!(!spread([1.0, 2.0]).is_apart_from(&spread([2.0, 3.0])));
    }
}
