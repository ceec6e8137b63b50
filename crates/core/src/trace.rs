//! Work with keys leaves nothing of them on the stack, nor in registers, which a signal writes on the stack.
//!
//! Ciphers are built and moved on the stack, and the first bytes of an expanded AES key are the key. The ciphers' own wiping
//! (`zeroize`) is off: it clears two schedules byte by byte, and no copy that a move left behind.
//!
//! What must stay true: a cipher lives nowhere but inside [`without_trace`], and reaches no deeper than [`DEPTH`], or [`DEPTH_OF_NARROW`].

use std::sync::OnceLock;

/// The part of the stack that is overwritten: nearly twice as much as the ciphers reach in a release build. Calls that are not inlined
/// reach deeper.
const DEPTH: usize = if cfg!(debug_assertions) { 64 * 1024 } else { 16 * 1024 };
/// The same where AES has registers of 256 bits or less: a cipher takes as many blocks at a time as they hold, and reaches half as deep.
const DEPTH_OF_NARROW: usize = DEPTH / 2;

/// The function that clears the registers.
static REGISTERS: OnceLock<fn()> = OnceLock::new();

/// Has a function clear the registers after all work with a key; when the library is loaded. It takes `unsafe`, which is not for
/// this crate.
pub fn clear_registers_by(clear: fn()) {
    // Should one be there by now, it is the same.
    let _ = REGISTERS.set(clear);
}

/// Whether AES is done by instructions of the processor on registers of 256 bits or less.
fn is_narrow() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && !std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Runs what works with a key, and then clears the registers and overwrites the part of the stack that it used, also when it
/// unwinds.
#[inline(never)]
pub(crate) fn without_trace<R>(work: impl FnOnce() -> R) -> R {
    #[inline(never)]
    fn apart<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    let _clearing = Clearing;
    apart(work)
}

/// Clears the registers and overwrites the stack below the frame that it is dropped in.
struct Clearing;

impl Drop for Clearing {
    #[inline(always)]
    fn drop(&mut self) {
        #[inline(never)]
        fn overwrite<const DEPTH: usize>() {
            std::hint::black_box(&mut [0_u8; DEPTH]);
        }
        // First of all: a signal that comes before writes them where the stack is overwritten.
        if let Some(clear) = REGISTERS.get() {
            clear();
        }
        if is_narrow() { overwrite::<DEPTH_OF_NARROW>() } else { overwrite::<DEPTH>() }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use std::fs::{File, read_to_string};
    use std::os::unix::fs::FileExt;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::thread;

    use xaes_256_gcm::Xaes256Gcm;
    use xaes_256_gcm::aead::KeyInit;

    use super::{DEPTH, DEPTH_OF_NARROW, is_narrow, without_trace};
    use crate::binding::{Binding, Context, Kind, Scope};
    use crate::data_key::{DataKey, DataKeyId, Purpose};
    use crate::envelope::{self, Envelope};
    use crate::plaintext::PlaintextRef;

    /// Whether a part of an expanded AES-256 key lies here: in a schedule most words are the word before, and the one eight
    /// before, added up. No key need be known for that.
    fn has_schedule(bytes: &[u8]) -> bool {
        let words: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")))
            .collect();
        words.windows(16).any(|w| {
            [9, 10, 11, 13, 14, 15].iter().all(|at| w[*at] == w[at - 8] ^ w[at - 1])
                && w.iter().all(|word| *word != 0)
                && w[1..].iter().all(|word| *word != w[0])
        })
    }

    /// What was left behind.
    #[derive(Debug)]
    struct Left {
        /// Some part of an expanded key, anywhere in the process.
        has_schedule: bool,
        /// The bytes of the stack that were used.
        depth: usize,
    }

    /// The part of the stack that is overwritten here.
    fn depth() -> usize {
        if is_narrow() { DEPTH_OF_NARROW } else { DEPTH }
    }

    /// The size of the stack that work is done on.
    const STACK: usize = 64 << 20;

    /// Has work done by a thread whose stack nobody used before, and looks at the memory of the process before the thread goes on.
    fn left_by(work: impl FnOnce() + Send) -> Left {
        let (from, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let (from, is_over) = (&from, &is_over);
            // Larger than what the system keeps for later threads, so it is fresh and goes with its thread.
            let thread = thread::Builder::new().stack_size(STACK);
            let working = thread.spawn_scoped(scope, move || {
                let here = 0_u8;
                work();
                from.store((&raw const here).addr(), SeqCst);
                while !is_over.load(SeqCst) {
                    std::hint::spin_loop();
                }
            });
            while from.load(SeqCst) == 0 {
                thread::yield_now();
            }
            let left = look(from.load(SeqCst));
            is_over.store(true, SeqCst);
            working.expect("a thread").join().expect("no panic");
            left
        })
    }

    /// Looks through everything that the process can write.
    fn look(stack: usize) -> Left {
        let memory = File::open("/proc/self/mem").expect("memory");
        let mut left = Left { has_schedule: false, depth: 0 };
        let (mut part, zeroes) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        for line in read_to_string("/proc/self/maps").expect("maps").lines() {
            let (range, rights) = line.split_once(' ').expect("a range and rights");
            let (start, end) = range.split_once('-').expect("a range");
            let [start, end] = [start, end].map(|at| usize::from_str_radix(at, 16).expect("an address"));
            // Parts overlap by a schedule.
            for at in (start..end).step_by(part.len() - 256).filter(|_| rights.starts_with("rw")) {
                let length = part.len().min(end - at);
                // The guard of a stack may lie in the stack's own range (glibc 2.42), and cannot be read.
                if memory.read_exact_at(&mut part[..length], at as u64).is_err() {
                    continue;
                }
                if part == zeroes {
                    continue;
                }
                left.has_schedule |= has_schedule(&part[..length]);
                // A stack grows downwards. Below it, another thread's may lie in the same range.
                let is_its_own = at >= stack.saturating_sub(STACK / 2);
                if (start..end).contains(&stack) && is_its_own && left.depth == 0 {
                    let deepest = part[..length].iter().position(|byte| *byte != 0).unwrap_or(length);
                    left.depth = stack.saturating_sub(at + deepest);
                }
                // Nothing of it is found a second time, here.
                part.fill(0);
            }
        }
        left
    }

    /// Whether the processor expands keys in the form that is looked for. Where it does not, only the depth is told.
    fn has_aes() -> bool {
        #[cfg(target_arch = "x86_64")]
        return std::arch::is_x86_feature_detected!("aes");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Does work further down the stack. Unwinding begins further up, and on no processor overwrites what was left there.
    #[inline(never)]
    fn deeper(work: impl FnOnce()) {
        let mut room = [0_u8; DEPTH_OF_NARROW / 2];
        std::hint::black_box(&mut room);
        work();
        std::hint::black_box(&mut room);
    }

    /// In one test, so that no cipher of another one is met.
    #[test]
    fn sealing_and_opening_leave_no_schedule() {
        let key = DataKey::random(DataKeyId::random().expect("an id"), Purpose::Values).expect("a key");
        let cipher = || Xaes256Gcm::new((&key.bytes).into());
        let left = left_by(|| drop(std::hint::black_box(cipher())));
        assert!(left.has_schedule || !has_aes(), "if none is found here, finding none proves nothing");
        let empty = left_by(|| without_trace(|| ()));
        assert!(empty.depth >= depth() && !empty.has_schedule, "{empty:?}");
        let fails = || {
            deeper(|| drop(std::hint::black_box(cipher())));
            resume_unwind(Box::new(()))
        };
        let without = || catch_unwind(AssertUnwindSafe(fails)).expect_err("it unwinds");
        let left = left_by(|| drop(without()));
        assert!(left.has_schedule || !has_aes(), "if none is found here, finding none proves nothing");
        let within = || catch_unwind(AssertUnwindSafe(|| without_trace(fails))).expect_err("it unwinds");
        let left = left_by(|| drop(within()));
        assert!(!left.has_schedule, "work that unwinds");

        let binding = Binding {
            scope: Scope::User,
            scope_id: "alice",
            provider: "huggingface",
            model: "",
            name: "",
            slot: "",
        };
        let context = Context {
            secret_id: [7; 16],
            version: 1,
            binding,
            kind: Kind::Static,
            allowed_hosts: None,
            expires_at: None,
        };
        let values = key.for_values().expect("a key for values");
        for length in [0, 37, 5000] {
            let value = vec![b'v'; length];
            let value = PlaintextRef::from_bytes(&value);
            // First by itself, which says how deep it reaches, in whatever form the cipher has here.
            let (mut sealed, mut opened) = (Vec::new(), None);
            let associated = b"associated";
            let seal = left_by(|| sealed = envelope::seal(&cipher(), 1, &value, associated).expect("sealed"));
            assert!(seal.depth < depth() * 3 / 4, "{seal:?}");
            let envelope = Envelope::parse(&sealed).expect("an envelope");
            let open = left_by(|| opened = envelope.open(&cipher(), associated).ok());
            assert!(open.depth < depth() * 3 / 4 && opened.is_some(), "{open:?}");

            let left = left_by(|| sealed = values.seal(&value, &context).expect("sealed"));
            assert!(!left.has_schedule, "sealing {length} bytes");
            let envelope = Envelope::parse(&sealed).expect("an envelope");
            let left = left_by(|| drop(values.open(&envelope, &context).expect("opened")));
            assert!(!left.has_schedule, "opening {length} bytes");
        }
    }

    /// A signature reaches no deeper either, and neither does making the public key.
    #[test]
    fn signing_reaches_no_deeper() {
        use ed25519_dalek::{Signer, SigningKey};
        let seed = [7; 32];
        let sign = left_by(|| {
            let _ = std::hint::black_box(SigningKey::from_bytes(&seed).sign(&[1; 200]));
        });
        assert!(sign.depth < depth() * 3 / 4, "{sign:?}");
        let public = left_by(|| {
            let _ = std::hint::black_box(SigningKey::from_bytes(&seed).verifying_key());
        });
        assert!(public.depth < depth() * 3 / 4, "{public:?}");
    }
}
