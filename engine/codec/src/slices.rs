//! Record batches as a message carries them: one run of bytes that may lie in several places of
//! the memory. A broker would otherwise copy what it sends only to have it in one piece.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes in order, in any number of slices. Equal if the bytes are, however they are cut.
#[derive(Clone, Debug, Default)]
pub struct Slices {
    /// The only slice, as a rule: then nothing is allocated for the list.
    first: Bytes,
    rest: Vec<Bytes>,
}

impl Slices {
    pub fn len(&self) -> usize {
        self.iter().map(Bytes::len).fold(0, usize::strict_add)
    }

    pub fn is_empty(&self) -> bool {
        self.iter().all(Bytes::is_empty)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// All in one piece; copied only if there are several.
    pub fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.len());
        self.iter().for_each(|slice| whole.put_slice(slice));
        whole.freeze()
    }
}

impl From<Bytes> for Slices {
    fn from(first: Bytes) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl FromIterator<Bytes> for Slices {
    fn from_iter<I: IntoIterator<Item = Bytes>>(slices: I) -> Self {
        let mut slices = slices.into_iter();
        Self { first: slices.next().unwrap_or_default(), rest: slices.collect() }
    }
}

impl PartialEq for Slices {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().flatten().zip(other.iter().flatten()).all(|(one, two)| one == two)
    }
}

impl Eq for Slices {}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &'static str, at: &[usize]) -> Slices {
        let mut rest = Bytes::from_static(text.as_bytes());
        let mut slices: Vec<Bytes> = at.iter().map(|&len| rest.split_to(len)).collect();
        slices.push(rest);
        slices.into_iter().collect()
    }

    #[test]
    fn the_same_bytes_are_equal_however_they_are_cut() {
        let whole = cut("records", &[]);
        for slices in [cut("records", &[3]), cut("records", &[0, 2, 2]), cut("records", &[7])] {
            assert_eq!(slices, whole);
            assert_eq!(slices.len(), 7);
            assert_eq!(slices.into_bytes(), b"records"[..]);
        }
        assert_ne!(cut("recordz", &[3]), whole);
        assert_ne!(cut("record", &[3]), whole);
        assert_eq!(cut("", &[0, 0]), Slices::default());
        assert!(cut("", &[0]).is_empty() && !whole.is_empty());
    }

    #[test]
    fn one_slice_is_handed_on_without_a_copy() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        assert_eq!(Slices::from(bytes.clone()).into_bytes().as_ptr(), bytes.as_ptr());
    }
}
