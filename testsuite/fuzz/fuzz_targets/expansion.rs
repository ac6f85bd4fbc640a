#![no_main]
// CVE-2026-40686
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::expansion(data));
