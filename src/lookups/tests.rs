//! Tests of types' names and partial matching.

use super::*;

#[test]
fn types() {
    let s = parse_type(b"partial3(#.)lsearch*@,ret=full,cache=no_rd").unwrap();
    assert_eq!((s.driver().name(), s.partial, &s.affix[..], s.star), ("lsearch", Some(3), &b"#."[..], Star::StarAt));
    assert_eq!(s.options, [b"ret=full".to_vec(), b"cache=no_rd".to_vec()]);
    let s = parse_type(b"partial-dbm*").unwrap();
    assert_eq!((s.partial, &s.affix[..], s.star), (Some(2), &b"*."[..], Star::Star));
    assert_eq!(parse_type(b"partial-(x)lsearch").err().unwrap(), "unknown lookup type \"(x)lsearch\"");
    assert_eq!(parse_type(b"partial(xlsearch").err().unwrap(), "format error in lookup type \"partial(xlsearch\"");
    assert_eq!(parse_type(b"xxx").err().unwrap(), "unknown lookup type \"xxx\"");
    assert_eq!(parse_type(b"partial-passwd").err().unwrap(), "\"partial\" is not permitted for lookup type \"passwd\"");
    assert_eq!(
        parse_type(b"sqlite*").err().unwrap(),
        "defaults using \"*\" or \"*@\" are not permitted for lookup type \"sqlite*\""
    );
    for (i, t) in TYPES.iter().enumerate() {
        assert_eq!(type_index(t.name().as_bytes()), Some(i as u8));
    }
}
