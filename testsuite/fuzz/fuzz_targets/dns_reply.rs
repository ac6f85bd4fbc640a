#![no_main]
// CVE-2023-42119
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::dns_reply(data));
