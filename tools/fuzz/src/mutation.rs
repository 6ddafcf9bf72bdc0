//! Changes that break decoders: lengths and counts that lie, pieces that are missing, repeated or
//! of another input, single bits.

use crate::random::Random;

/// Numbers at the edges of their types, as fixed and as variable-length integers.
const EXTREMES: [&[u8]; 16] = [
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0; 4],
    &[0xff; 4],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0; 8],
    &[0xff; 8],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0, 0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80; 6],
];

/// `seed` after a few changes, or `other` in part. No longer than `bytes_max`.
#[must_use]
pub fn mutated(seed: &[u8], other: &[u8], bytes_max: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let changes = 1 << random.below(4);
    for _ in 0..changes {
        change(&mut bytes, other, random);
    }
    bytes.truncate(bytes_max);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let place = random.below(bytes.len());
    let span = 1 << random.below(7);
    let end = bytes.len().min(place.strict_add(1 + random.below(span)));
    let [byte, bit, ..] = random.number().to_le_bytes();
    match random.below(9) {
        0 => bytes.iter_mut().skip(place).take(1).for_each(|old| *old = byte),
        1 => bytes.iter_mut().skip(place).take(1).for_each(|old| *old ^= 1 << (bit & 7)),
        2 => bytes.iter_mut().skip(place).take(1).for_each(|old| *old = old.wrapping_add(1)),
        3 => {
            let extreme = EXTREMES.get(random.below(EXTREMES.len())).copied().unwrap_or_default();
            let end = bytes.len().min(place.strict_add(extreme.len()));
            bytes.splice(place..end, extreme.iter().copied());
        }
        4 => {
            bytes.drain(place..end);
        }
        5 => {
            let piece = bytes.get(place..end).unwrap_or_default().to_vec();
            bytes.splice(end..end, piece);
        }
        6 => {
            let start = random.below(other.len());
            let stop = other.len().min(start.strict_add(1 + random.below(span)));
            let piece = other.get(start..stop).unwrap_or_default();
            let end = if bit & 1 == 0 { place } else { end };
            bytes.splice(place..end, piece.iter().copied());
        }
        7 => {
            let piece: Vec<u8> = (place..end).map(|_| random.number().to_le_bytes()[0]).collect();
            bytes.splice(place..place, piece);
        }
        _ => bytes.truncate(place),
    }
}
