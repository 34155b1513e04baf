/* LD_PRELOAD for User-mode Linux on a processor whose registers it has no room for.
 *
 * The kernel of Debian's user-mode-linux package keeps 2696 bytes for the extended registers of its
 * processes (struct _xstate up to AVX-512 and PKRU). With AMX the host's register set NT_X86_XSTATE has
 * 11008, PTRACE_SETREGSET takes it whole or not at all, and the guest dies in put_fp_registers() at its
 * first program. This ptrace() speaks the host's size to the host, and the guest's size to the guest;
 * the registers between the two, which need a permission nobody asks for, stay in their initial state.
 *
 * cc -shared -fPIC -O2 -o xstate.so xstate.c
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define GETREGSET 0x4204 /* PTRACE_GETREGSET, linux/ptrace.h */
#define SETREGSET 0x4205 /* PTRACE_SETREGSET */
#define XSTATE_BV 512    /* Intel SDM volume 1, 13.4.2: the XSAVE header's first field */
#define TO_PKRU 0x2ff    /* components 0 to 9, all below 2696 bytes */

/* Static: the stack of a UML thread is small. Only UML's one kernel thread calls ptrace(). */
static char whole[65536];
static size_t whole_len;

static long get(long pid)
{
	struct iovec all = { whole, sizeof(whole) };
	long ret = syscall(SYS_ptrace, GETREGSET, pid, NT_X86_XSTATE, &all);

	if (ret == 0)
		whole_len = all.iov_len;
	return ret;
}

long ptrace(int request, ...)
{
	va_list args;
	long pid, addr, data, ret;
	struct iovec *iov;
	uint64_t components;

	va_start(args, request);
	pid = va_arg(args, int);
	addr = va_arg(args, long);
	data = va_arg(args, long);
	va_end(args);

	/* glibc's own wrapper: what a PEEK reads is the result */
	if (request > 0 && request < 4) {
		ret = syscall(SYS_ptrace, request, pid, addr, &data);
		if (ret >= 0) {
			errno = 0;
			return data;
		}
		return ret;
	}
	if ((request != GETREGSET && request != SETREGSET) || addr != NT_X86_XSTATE)
		return syscall(SYS_ptrace, request, pid, addr, data);

	iov = (struct iovec *)data;
	if (request == GETREGSET || whole_len == 0) {
		ret = get(pid);
		if (ret != 0)
			return ret;
	}
	if (iov->iov_len >= whole_len)
		return syscall(SYS_ptrace, request, pid, addr, data);
	if (request == GETREGSET) {
		memcpy(iov->iov_base, whole, iov->iov_len);
		return 0;
	}
	memcpy(whole, iov->iov_base, iov->iov_len);
	memset(whole + iov->iov_len, 0, whole_len - iov->iov_len);
	memcpy(&components, whole + XSTATE_BV, sizeof(components));
	components &= TO_PKRU;
	memcpy(whole + XSTATE_BV, &components, sizeof(components));
	return syscall(SYS_ptrace, SETREGSET, pid, addr, &(struct iovec){ whole, whole_len });
}
