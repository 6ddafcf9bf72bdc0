//! A stretch of a segment in memory. It lies in the slices in which the cache holds it, because
//! joining them would copy all that is read.

use bytes::{Bytes, BytesMut};

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Without a gap between them, and none is empty.
    pieces: Vec<Piece>,
}

/// Some bytes of a segment.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Where in the segment they stand.
    pub(super) position: u64,
    pub(super) bytes: Bytes,
    /// How much memory lives as long as they do.
    pub(super) held_bytes: usize,
}

impl Piece {
    fn end(&self) -> u64 {
        self.position.strict_add(self.bytes.len() as u64)
    }

    /// What of it stands in `from..until`.
    fn part(&self, from: u64, until: u64) -> Self {
        let place = |at: u64| usize::try_from(at - self.position).unwrap_or(usize::MAX);
        let (from, until) = (from.max(self.position), until.min(self.end()));
        let bytes = self.bytes.slice(place(from)..place(until.max(from)));
        Self { position: from, bytes, held_bytes: self.held_bytes }
    }

    /// As something that may be held for long: no more than twice its bytes stay in memory.
    fn into_lasting(self) -> Bytes {
        if self.bytes.len().saturating_mul(2) < self.held_bytes {
            Bytes::copy_from_slice(&self.bytes)
        } else {
            self.bytes
        }
    }
}

impl Window {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let mut pairs = pieces.windows(2);
        let has_gap = pairs.any(|pair| matches!(pair, [one, two] if one.end() != two.position));
        assert!(!has_gap, "the pieces of a window follow each other");
        Self { pieces }
    }

    /// Bytes from `position` on.
    pub(super) fn available(&self, position: u64) -> usize {
        let is_inside = self.pieces.first().is_some_and(|first| first.position <= position);
        let end = self.pieces.last().map_or(0, Piece::end);
        if is_inside { usize::try_from(end.saturating_sub(position)).unwrap_or(0) } else { 0 }
    }

    fn from(&self, position: u64) -> &[Piece] {
        let first = self.pieces.partition_point(|piece| piece.end() <= position);
        let rest = self.pieces.get(first..).unwrap_or_default();
        if rest.first().is_some_and(|piece| piece.position <= position) { rest } else { &[] }
    }

    /// `len` bytes from `position` on, or as many as there are, in one piece; copied only if they
    /// lie in several.
    pub(super) fn join(&self, position: u64, len: usize) -> Bytes {
        let parts = self.parts(position, len);
        if let [only] = &*parts {
            return only.bytes.clone();
        }
        let mut joined = BytesMut::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
        parts.iter().for_each(|part| joined.extend_from_slice(&part.bytes));
        joined.freeze()
    }

    /// The same as slices that may be held for long.
    pub(super) fn cut(&self, position: u64, len: usize) -> Vec<Bytes> {
        self.parts(position, len).into_iter().map(Piece::into_lasting).collect()
    }

    /// The same, to be looked at.
    pub(super) fn parts(&self, position: u64, len: usize) -> Vec<Piece> {
        if len == 0 {
            return Vec::new();
        }
        let end = position.saturating_add(len as u64);
        let inside = self.from(position).iter().take_while(|piece| piece.position < end);
        inside.map(|piece| piece.part(position, end)).collect()
    }

    /// Hands `look` at least `len` bytes from `position` on in one piece, or all that there are.
    pub(super) fn look<const LEN: usize, T>(
        &self,
        position: u64,
        look: impl FnOnce(&[u8]) -> T,
    ) -> T {
        let rest = self.from(position);
        let place = rest.first().and_then(|first| usize::try_from(position - first.position).ok());
        let front = rest.first().zip(place).and_then(|(first, place)| first.bytes.get(place..));
        match front {
            Some(front) if LEN <= front.len() => look(front),
            Some(_) | None => look(&self.join(position, LEN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 10 to 40 of a segment, each with its position as value, cut at 17 and 30.
    fn window() -> Window {
        let bytes = |range: std::ops::Range<u8>| Bytes::from_iter(range);
        let piece = |start: u8, end: u8, held_bytes| Piece {
            position: start.into(),
            bytes: bytes(start..end),
            held_bytes,
        };
        Window::new(vec![piece(10, 17, 14), piece(17, 30, 13), piece(30, 40, 64)])
    }

    #[test]
    fn any_range_is_found_whatever_pieces_it_lies_in() {
        let window = window();
        for from in 0..50_u8 {
            for len in 0..50_usize {
                let all = 10..40;
                let wanted: Vec<u8> =
                    if all.contains(&from) { (from..40).take(len).collect() } else { Vec::new() };
                assert_eq!(window.join(from.into(), len), wanted, "{from} {len}");
                let cut = window.cut(from.into(), len);
                assert!(cut.iter().all(|slice| !slice.is_empty()));
                assert_eq!(cut.concat(), wanted);
                let looked = window.look::<5, _>(from.into(), <[u8]>::to_vec);
                let least: Vec<u8> =
                    if all.contains(&from) { (from..40).take(5).collect() } else { Vec::new() };
                assert!(looked.starts_with(&least));
            }
            let available = if from < 10 { 0 } else { 40_usize.saturating_sub(from.into()) };
            assert_eq!(window.available(from.into()), available);
        }
    }

    #[test]
    fn what_lasts_holds_no_more_than_twice_its_bytes() {
        let window = window();
        let is_shared = |slices: &[Bytes], at: usize, piece: usize| {
            let piece = window.pieces[piece].bytes.as_ptr_range();
            piece.contains(&slices[at].as_ptr())
        };
        let whole = window.cut(10, 30);
        assert!(is_shared(&whole, 0, 0) && is_shared(&whole, 1, 1));
        assert!(!is_shared(&whole, 2, 2), "ten bytes would hold sixty-four");
        let small = window.cut(11, 6);
        assert!(!is_shared(&small, 0, 0));
    }
}
