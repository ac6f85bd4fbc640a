//! What `Local/Makefile` said when this was built: directories, users, modes, limits, which parts are there.
//!
//! `build.rs` makes the constants, one for each setting in `build/options.tsv` (see `Local/EDITME` for their meaning).
//! Everybody may read them; nothing changes them.
#![allow(missing_docs)]

include!(concat!(env!("OUT_DIR"), "/build_options.rs"));

pub use crate::version::version;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// `Local/EDITME` shows each setting with the default, and says of those that only their default is implemented.
    #[test]
    fn editme_tells_the_truth() {
        let settings = include_str!("../build/options.tsv").lines().filter(|l| !l.starts_with('#'));
        let known: BTreeMap<&str, (bool, &str)> = settings
            .filter_map(|l| {
                let f: Vec<&str> = l.split('\t').collect();
                let [name, kind, default, ..] = f.as_slice() else { return None };
                (!["no", "tool"].contains(kind)).then(|| (*name, (kind.starts_with("fixed "), *default)))
            })
            .collect();
        let lines: Vec<&str> = include_str!("../Local/EDITME").lines().collect();
        let shown: BTreeMap<&str, (bool, &str)> = lines
            .windows(2)
            .filter_map(|pair| {
                let (name, value) = pair[1].strip_prefix("# ")?.split_once('=')?;
                (!name.contains(' ')).then(|| (name, (pair[0].ends_with("(fixed)"), value)))
            })
            .collect();
        assert_eq!(known, shown);
    }
}
