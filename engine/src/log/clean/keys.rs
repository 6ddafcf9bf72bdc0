//! Where the last record of each key stands, in a bounded number of bytes whatever the keys are: a
//! key is known by 128 bits that nobody outside can foresee, since two keys that were taken for one
//! would cost a record.

use std::hash::{DefaultHasher, Hasher};

use crate::types::Offset;

/// Bytes of one place in the table.
pub(super) const SLOT_BYTES: u64 = 24;

/// There is no room for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Open addressing with linear probing; nothing is ever removed.
#[derive(Debug)]
pub(super) struct KeyOffsets {
    seed: [u64; 2],
    slots: Vec<Slot>,
    len: usize,
    len_max: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    key: [u64; 2],
    /// One more than the offset; zero in a free place.
    mark: u64,
}

impl KeyOffsets {
    /// Room for `keys_max` keys, which take `1 / load` as many places.
    pub(super) fn new(seed: [u64; 2], keys_max: usize, load: Load) -> Self {
        let len_max = keys_max.max(1);
        let slots = load.slots(len_max).max(len_max.strict_add(1));
        Self { seed, slots: vec![Slot::default(); slots], len: 0, len_max }
    }

    /// Notes the record of `key` at `offset`, which is beyond all before.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> Result<(), Full> {
        let key = self.digest(key);
        let place = self.place(key);
        let Some(slot) = self.slots.get_mut(place) else { return Err(Full) };
        if slot.mark == 0 {
            if self.len == self.len_max {
                return Err(Full);
            }
            self.len = self.len.strict_add(1);
        }
        *slot = Slot { key, mark: offset.get().strict_add(1) };
        Ok(())
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots.get(self.place(self.digest(key)))?;
        slot.mark.checked_sub(1).and_then(Offset::new)
    }

    /// Where the key is, or would be. A table always has a free place.
    fn place(&self, key: [u64; 2]) -> usize {
        let count = self.slots.len();
        let [first, _] = key;
        let mut place = usize::try_from(first % count as u64).unwrap_or(0);
        while self.slots.get(place).is_some_and(|slot| slot.mark != 0 && slot.key != key) {
            place = place.strict_add(1) % count;
        }
        place
    }

    fn digest(&self, key: &[u8]) -> [u64; 2] {
        self.seed.map(|seed| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(seed);
            hasher.write(key);
            hasher.finish()
        })
    }
}

/// How full the table may be, of a thousand: a fuller one takes less memory and longer searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load(u16);

impl Load {
    /// `log.cleaner.io.buffer.load.factor`.
    pub fn new(factor: f64) -> Self {
        let factor = if factor.is_nan() { 0.0 } else { factor };
        let thousandths = (factor * 1000.0).clamp(1.0, 999.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 999")]
        let thousandths = thousandths as u16;
        Self(thousandths)
    }

    /// The keys that may stand in a table of `bytes`.
    pub(super) fn keys(self, bytes: u64) -> usize {
        let keys = u128::from(bytes / SLOT_BYTES) * u128::from(self.0) / 1000;
        usize::try_from(keys).unwrap_or(usize::MAX)
    }

    fn slots(self, keys: usize) -> usize {
        let slots = (keys as u128 * 1000).div_ceil(u128::from(self.0));
        usize::try_from(slots).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    #[test]
    fn a_full_table_refuses_a_new_key_and_takes_a_known_one() {
        let mut keys = KeyOffsets::new([1, 2], 3, Load::new(0.9));
        for (key, at) in [(b"a", 0), (b"b", 1), (b"c", 2)] {
            keys.put(key, offset(at)).unwrap();
        }
        assert_eq!(keys.put(b"d", offset(3)), Err(Full));
        assert_eq!(keys.put(b"a", offset(4)), Ok(()));
        assert_eq!((keys.get(b"a"), keys.get(b"d")), (Some(offset(4)), None));
    }

    #[test]
    fn the_buffer_bounds_the_keys() {
        assert_eq!(Load::new(0.9).keys(24_000), 900);
        assert_eq!(Load::new(f64::NAN).slots(1), 1000);
        assert_eq!(Load::new(2.0).keys(24_000), 999);
    }

    proptest! {
        #[test]
        fn a_table_says_what_a_map_says(puts in prop::collection::vec(0_u16..300, 0..2000)) {
            let mut keys = KeyOffsets::new([3, 4], 300, Load::new(0.95));
            let mut model = BTreeMap::new();
            for (at, key) in (0..).zip(puts) {
                keys.put(&key.to_be_bytes(), offset(at)).unwrap();
                model.insert(key, offset(at));
            }
            for key in 0..320_u16 {
                prop_assert_eq!(keys.get(&key.to_be_bytes()), model.get(&key).copied());
            }
        }
    }
}
