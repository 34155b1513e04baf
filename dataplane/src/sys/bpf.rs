//! Loading one BPF program with bpf(2): the one that drops everything, for the host-stack guard.

use super::check;
use std::io;
use std::mem::size_of;
use std::os::fd::{FromRawFd, OwnedFd};

/// `BPF_PROG_LOAD` (linux/bpf.h, enum bpf_cmd).
const BPF_PROG_LOAD: libc::c_long = 5;
/// `BPF_PROG_TYPE_SCHED_CLS` (linux/bpf.h, enum bpf_prog_type).
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
/// `r0 = 2` (`TC_ACT_SHOT`, linux/pkt_cls.h), then `exit`: two struct bpf_insn.
const DROP_ALL: [u64; 2] = [insn(0xb7, 2), insn(0x95, 0)];

/// struct bpf_insn with registers 0 and offset 0: opcode in the first byte, immediate in the last four.
const fn insn(code: u8, imm: u32) -> u64 {
    u64::from_ne_bytes({
        let i = imm.to_ne_bytes();
        [code, 0, 0, 0, i[0], i[1], i[2], i[3]]
    })
}

/// The part of `union bpf_attr` that BPF_PROG_LOAD needs (linux/bpf.h).
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// Loads a tc classifier that drops every packet (`TC_ACT_SHOT`). Needs CAP_BPF and CAP_NET_ADMIN,
/// or CAP_SYS_ADMIN.
///
/// # Minimum kernel version
/// 4.4 (direct-action classifiers).
pub fn load_drop_all() -> io::Result<OwnedFd> {
    let attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_SCHED_CLS,
        insn_cnt: DROP_ALL.len() as u32,
        insns: DROP_ALL.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    // SAFETY: `attr` lives during the call and is as long as announced; the instructions and the
    // licence that it points to are static.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attr, size_of::<LoadAttr>())
    };
    let fd = check(fd as libc::c_int)?;
    // SAFETY: `fd` was just opened and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
