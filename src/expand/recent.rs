//! The trees of strings that come again but that nobody keeps: the words of a command, the items of `headers_add`, the prompts of
//! an authenticator, the lines of `-be`. They are cut out of the configuration for each message, and would be parsed each time.
//!
//! Only `expand` calls it. A string is kept when it is seen for the second time, so that one that never comes again costs little.
//! No tainted string gets here, and what is kept is bounded.

use std::sync::Mutex;

use super::Template;

/// Longer strings are parsed each time.
const MAX_LENGTH: usize = 512;
/// Places, a power of two.
const PLACES: usize = 1024;

/// What is known of the strings that have this place.
enum Place {
    /// Nothing, or the hash of the last one.
    Seen(u64),
    /// The last one that came twice.
    Kept(Template),
}

static PLACE: Mutex<[Place; PLACES]> = Mutex::new([const { Place::Seen(0) }; PLACES]);

/// The string with its tree, perhaps one of before. Never waits: a thread that another one is in the way of parses for itself.
pub fn template(string: &[u8]) -> Template {
    if string.len() > MAX_LENGTH {
        return Template::new(string);
    }
    let hash = hash(string);
    let Ok(mut places) = PLACE.try_lock() else { return Template::new(string) };
    let Some(place) = places.get_mut(hash as usize % PLACES) else { return Template::new(string) };
    match place {
        Place::Kept(known) if known.raw() == string => return known.clone(),
        Place::Seen(last) if *last == hash => {}
        _ => {
            *place = Place::Seen(hash);
            return Template::new(string);
        }
    }
    let new = Template::new(string);
    *place = Place::Kept(new.clone());
    new
}

/// Two strings with one hash only push each other out.
fn hash(string: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, part: u64| (sum ^ part).wrapping_mul(ODD).rotate_left(29);
    let (words, rest) = string.as_chunks::<8>();
    let sum = words.iter().fold(string.len() as u64, |sum, w| mix(sum, u64::from_le_bytes(*w)));
    let sum = rest.iter().fold(sum, |sum, b| mix(sum, u64::from(*b)));
    mix(sum, sum >> 32)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn kept_the_second_time() {
        let first = template(b"${lc:only this test}");
        let second = template(b"${lc:only this test}");
        assert!(!Arc::ptr_eq(&first.0, &second.0));
        // Other tests run at the same time, and may be in the way or have the place: then it is not kept, which is no fault.
        let third = template(b"${lc:only this test}");
        assert_eq!(third.raw(), second.raw());
        let long = vec![b'x'; MAX_LENGTH + 1];
        assert_eq!(template(&long).raw(), long);
    }
}
