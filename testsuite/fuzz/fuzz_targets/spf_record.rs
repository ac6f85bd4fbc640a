#![no_main]
// CVE-2023-42118
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::spf_record(data));
