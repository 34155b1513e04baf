#!/usr/bin/env python3
"""no-xstate.py COMMAND...: runs it where ptrace refuses PTRACE_GETREGSET and PTRACE_SETREGSET.

User-mode Linux 6.1 keeps 2696 bytes for its processes' extended registers. On a processor with AMX the
kernel wants more than 8 KB at a time, and the guest dies at its first program. Refused, it falls back to
the registers of FXSAVE; the guest then must not use AVX (guest-init tells the C library so).
The filter is seccomp's, for this process and its children only."""
import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2  # linux/prctl.h, linux/seccomp.h
SYS_PTRACE, PTRACE_GETREGSET, PTRACE_SETREGSET = 101, 0x4204, 0x4205  # x86-64; linux/ptrace.h
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
ALLOW, ERRNO_EIO = 0x7FFF0000, 0x00050005  # linux/seccomp.h

if platform.machine() == "x86_64":
    program = b"".join(struct.pack("=HBBI", *i) for i in [
        (LOAD, 0, 0, 0),  # the system call's number
        (JUMP_EQUAL, 0, 4, SYS_PTRACE),
        (LOAD, 0, 0, 16),  # its first argument, low half
        (JUMP_EQUAL, 1, 0, PTRACE_GETREGSET),
        (JUMP_EQUAL, 0, 1, PTRACE_SETREGSET),
        (RETURN, 0, 0, ERRNO_EIO),
        (RETURN, 0, 0, ALLOW),
    ])
    code = ctypes.create_string_buffer(program)
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0):
        sys.exit(f"no-xstate: seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
