#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::srs_address(data));
