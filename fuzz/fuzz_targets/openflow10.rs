#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vxswitch_fuzz::openflow10(data));
