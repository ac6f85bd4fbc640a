#![no_main]
// CVE-2020-28013, CVE-2020-28016
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::address(data));
