#![no_main]
// CVE-2020-12783, CVE-2023-42114, CVE-2023-42116, CVE-2026-40687
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::auth_exchange(data));
