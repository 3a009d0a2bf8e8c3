// System calls that touch nothing of the C library, not even errno: what a child that shares its parent's
// memory may use. Each returns what the kernel returns: a result, or -errno.
#pragma once

#define RAW_INLINE static inline __attribute__((always_inline, unused))

#if defined(__x86_64__)

RAW_INLINE long raw4(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

RAW_INLINE long raw5(long number, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

// clone3, whose child starts at the top of the stack in `arguments` and calls `entry(argument)`, which must
// not return. The parent gets the PID or -errno.
RAW_INLINE long raw_clone3_calling(void *arguments, unsigned long size, void (*entry)(void *), void *argument) {
    long result;
    register void *r12 __asm__("r12") = argument;
    register void (*r13)(void *) __asm__("r13") = entry;
    __asm__ volatile(
        "syscall\n\t"
        "testq %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        // The child. A zero frame pointer ends a back-trace; the new stack is 16-byte aligned for the call.
        "xorl %%ebp, %%ebp\n\t"
        "movq %%r12, %%rdi\n\t"
        "callq *%%r13\n\t"
        "ud2\n"
        "1:"
        : "=a"(result)
        : "a"(SYS_clone3), "D"(arguments), "S"(size), "r"(r12), "r"(r13)
        : "rcx", "r11", "cc", "memory");
    return result;
}

#elif defined(__aarch64__)

RAW_INLINE long raw5(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "cc", "memory");
    return x0;
}

RAW_INLINE long raw4(long number, long a, long b, long c, long d) { return raw5(number, a, b, c, d, 0); }

RAW_INLINE long raw_clone3_calling(void *arguments, unsigned long size, void (*entry)(void *), void *argument) {
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)arguments;
    register long x1 __asm__("x1") = (long)size;
    register void *x9 __asm__("x9") = argument;
    register void (*x10)(void *) __asm__("x10") = entry;
    __asm__ volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, xzr\n\t"
        "mov x30, xzr\n\t"
        "mov x0, x9\n\t"
        "blr x10\n\t"
        "brk #1\n"
        "1:"
        : "+r"(x0)
        : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
        : "cc", "memory");
    return x0;
}

#else
#error "CLinux has its own clone3 for x86-64 and arm64 only"
#endif
