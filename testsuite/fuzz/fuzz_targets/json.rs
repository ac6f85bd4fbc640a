#![no_main]
// CVE-2026-40685
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::json(data));
