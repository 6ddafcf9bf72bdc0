//! Takes from those who have most and gives to those who have least, one partition at a time, among
//! the members that read one topic. The two groups grow towards each other, each always holding
//! members with the same number of partitions.

/// Members are named by their place in the list of all.
pub(super) struct Balancer {
    /// By number of partitions when the balancing began.
    sorted: Vec<usize>,
    least_end: usize,
    least_count: i64,
    next_least: usize,
    most_start: usize,
    most_end: usize,
    most_count: i64,
    /// The place of the next to take from, plus one; below it nobody is left.
    next_most: usize,
}

impl Balancer {
    /// `readers` is not empty; `counts` says how many partitions each member has.
    pub(super) fn new(readers: &[usize], counts: &[i64]) -> Self {
        let mut sorted = readers.to_vec();
        sorted.sort_by_key(|member| (count(counts, *member), *member));
        let least = sorted.first().map_or(0, |member| count(counts, *member));
        let most = sorted.last().map_or(0, |member| count(counts, *member));
        let len = sorted.len();
        Self {
            sorted,
            least_end: 0,
            least_count: least - 1,
            next_least: 0,
            most_start: len,
            most_end: len,
            most_count: most + 1,
            next_most: len,
        }
    }

    /// The difference between those who have most and least, before anything has moved.
    pub(super) fn imbalance(&self) -> i64 {
        (self.most_count - 1) - (self.least_count + 1)
    }

    /// The member to give the next partition to.
    pub(super) fn next_least(&mut self, counts: &[i64]) -> usize {
        if self.least_end <= self.next_least {
            self.least_count += 1;
            while let Some(member) = self.sorted.get(self.least_end)
                && count(counts, *member) == self.least_count
            {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        let member = self.sorted.get(self.next_least).copied().unwrap_or_default();
        self.next_least += 1;
        member
    }

    /// The member to take the next partition from; `None` if nobody has one to give.
    pub(super) fn next_most(&mut self, counts: &[i64]) -> Option<usize> {
        let member_before = |sorted: &[usize], end: usize| {
            end.checked_sub(1).and_then(|place| sorted.get(place)).copied()
        };
        if self.next_most <= self.most_start {
            match member_before(&self.sorted, self.most_start) {
                // Nobody of this level had anything to give: on with the next one.
                Some(member) if self.most_end <= self.most_start => {
                    self.most_count = count(counts, member);
                }
                Some(_) | None => self.most_count -= 1,
            }
            while let Some(member) = member_before(&self.sorted, self.most_start)
                && count(counts, member) == self.most_count
            {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        let member = member_before(&self.sorted, self.next_most)?;
        self.next_most -= 1;
        Some(member)
    }

    /// The member that `next_most` gave has nothing to give.
    pub(super) fn exclude_most(&mut self) {
        if let Some(last) = self.most_end.checked_sub(1) {
            self.sorted.swap(self.next_most, last);
            self.most_end = last;
        }
    }

    /// Another move would not make it better.
    pub(super) fn is_balanced(&self) -> bool {
        self.most_count - self.least_count <= 1
    }
}

fn count(counts: &[i64], member: usize) -> i64 {
    counts.get(member).copied().unwrap_or_default()
}
