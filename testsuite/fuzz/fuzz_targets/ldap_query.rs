#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::ldap_query(data));
