//! Small decisions taken off the front of a fuzzer's bytes. When the bytes run out every decision
//! is the first one, so that any input is a whole scenario.

#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.rest.split_off_first().copied().unwrap_or_default()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `bound`, which is at most 256.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()).checked_rem(bound).unwrap_or_default()
    }

    pub(crate) fn number<const BYTES: usize>(&mut self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes.fill_with(|| self.byte());
        bytes
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.number())
    }

    /// Mostly a small number, sometimes any.
    pub(crate) fn i32(&mut self) -> i32 {
        match self.byte() {
            255 => i32::from_be_bytes(self.number()),
            254 => -1,
            small => i32::from(small % 5),
        }
    }

    /// Bytes behind their length, of which two bytes tell.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_be_bytes(self.number()));
        self.take(length)
    }

    /// At most `bound` bytes behind their length, of which one byte tells.
    pub(crate) fn short_piece(&mut self, bound: usize) -> &'a [u8] {
        let length = self.below(bound.strict_add(1));
        self.take(length)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        self.rest.split_off(..length.min(self.rest.len())).unwrap_or_default()
    }
}
