//! Names of items, operators, conditions and variables: which row of a table has this name?
//!
//! Every string that is parsed asks it several times, so it costs one look at the table and one comparison, as a rule. The
//! tables are the program's own: nobody outside chooses the names in them.

/// The rows of a table by name. Made once for the process.
pub struct Names<T: 'static> {
    /// The row for each value of the hash, or for one of those before it; a power of two of places, at most a quarter of them taken.
    places: Box<[Option<(&'static str, &'static T)>]>,
}

impl<T> Names<T> {
    /// The index of a table.
    pub fn new(rows: impl Iterator<Item = &'static T>, of: impl Fn(&'static T) -> &'static str) -> Self {
        let rows: Vec<_> = rows.map(|row| (of(row), row)).collect();
        let mut places: Box<[Option<_>]> = vec![None; (4 * rows.len()).next_power_of_two()].into();
        for (name, row) in rows {
            let mut at = hash(name.as_bytes());
            while let Some(place) = slot(&mut places, at) {
                if place.is_none() {
                    *place = Some((name, row));
                    break;
                }
                at += 1;
            }
        }
        Names { places }
    }

    /// The row of that name.
    pub fn find(&self, name: &[u8]) -> Option<&'static T> {
        let mut at = hash(name);
        loop {
            let (known, row) = (*self.places.get(at & (self.places.len() - 1))?)?;
            if known.as_bytes() == name {
                return Some(row);
            }
            at += 1;
        }
    }
}

fn slot<P>(places: &mut [P], at: usize) -> Option<&mut P> {
    let last = places.len() - 1;
    places.get_mut(at & last)
}

/// Made for short words: their length, their ends and their middle tell most of them apart.
fn hash(name: &[u8]) -> usize {
    let at = |n: usize| name.get(n).copied().map_or(0, usize::from);
    let len = name.len();
    let mixed =
        at(0) + at(len / 2) * 37 + at(len.wrapping_sub(1)) * 409 + at(len / 4) * 5 + at(len.wrapping_sub(3)) * 113 + len * 1009;
    mixed ^ (mixed >> 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_and_only_those() {
        static ROWS: &[&str] = &["a", "ab", "ba", "if", "eq", "eqi", "lookup", ""];
        let names = Names::new(ROWS.iter(), |r| r);
        for row in ROWS {
            assert_eq!(names.find(row.as_bytes()), Some(row));
        }
        for none in [&b"b"[..], b"aa", b"eqq", b"x", &[0xff; 300]] {
            assert_eq!(names.find(none), None);
        }
    }
}
