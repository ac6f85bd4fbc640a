#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oxim::fuzzing::dovecot_reply(data));
