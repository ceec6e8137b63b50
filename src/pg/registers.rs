//! The registers that ciphers work in.
//!
//! Nothing empties them: a value that is left there stays until something else needs the register, and the next signal writes all
//! of them on the stack.

use std::arch::asm;

/// Overwrites them with zeroes.
#[cfg(target_arch = "x86_64")]
pub fn clear() {
    if is_x86_feature_detected!("avx") {
        // SAFETY: the processor knows the instruction. It changes no memory, and of the registers only those that a C function may
        // change, which the compiler is told.
        unsafe { asm!("vzeroall", clobber_abi("C"), options(nomem, nostack, preserves_flags)) };
    } else {
        // SAFETY: every x86_64 knows the instruction. It changes no memory, and of the registers only xmm0 to xmm15, which a C function
        // may change, as the compiler is told.
        unsafe {
            asm!(
                ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                r"xorps xmm\number, xmm\number",
                ".endr",
                clobber_abi("C"),
                options(nomem, nostack, preserves_flags)
            );
        };
    }
    if is_x86_feature_detected!("avx512f") {
        // There are twice as many, and the second half is not in reach of the first instruction.
        // SAFETY: the processor knows the instruction, which is part of avx512f. It changes no memory, and of the registers only zmm16 to
        // zmm31, which a C function may change, as the compiler is told.
        unsafe {
            asm!(
                ".irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
                r"vpxord zmm\number, zmm\number, zmm\number",
                ".endr",
                clobber_abi("C"),
                options(nomem, nostack, preserves_flags)
            );
        };
    }
}

/// Overwrites them with zeroes.
#[cfg(target_arch = "aarch64")]
pub fn clear() {
    // SAFETY: every aarch64 knows the instruction. It changes no memory; of the registers those that a C function may change, and
    // those that it must keep, which are named. The compiler is told of both.
    unsafe {
        asm!(
            ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
            r"movi v\number\().2d, #0",
            ".endr",
            ".irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            r"movi v\number\().2d, #0",
            ".endr",
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            clobber_abi("C"),
            options(nomem, nostack, preserves_flags)
        );
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "src/pg/registers.rs has to know which registers ciphers use here, and which of them a C function must keep"
);
