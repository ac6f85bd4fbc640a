#![no_main]
// CVE-2024-39929
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::rfc2231(data));
