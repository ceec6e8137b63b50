//! The bar of long work, and ^C during it.
//!
//! What must stay true: the bar is on standard error, and only where that is a terminal; work that is stopped says how to go
//! on, and a second ^C ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// How far long work is, with an estimate of what is left. It disappears when it is dropped.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for `total` things; where nobody knows how many there are, it only counts.
    pub fn new(what: &str, total: Option<u64>) -> Self {
        let bar = Self(ProgressBar::new(0));
        bar.0.set_message(what.to_owned());
        bar.expect(total);
        // Last: the first tick draws.
        bar.0.enable_steady_tick(Duration::from_millis(250));
        bar
    }

    /// There are `total` of them.
    pub fn expect(&self, total: Option<u64>) {
        let template = match total {
            Some(_) => "{msg} {bar:24} {human_pos} of {human_len}, {eta} left",
            None => "{msg} {spinner} {human_pos}, {elapsed}",
        };
        // The two templates are part of the program; without one the bar is indicatif's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_length(total.unwrap_or(0));
    }

    /// Whether anybody sees it.
    pub fn is_seen(&self) -> bool {
        !self.0.is_hidden()
    }

    /// So many are done.
    pub fn done(&self, count: u64) {
        if self.0.length().is_some_and(|total| total > 0 && total < count) {
            self.0.set_length(count);
        }
        self.0.set_position(count);
    }

    /// Does what writes to the terminal, without the bar in its way.
    pub fn aside(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What the two signals have said, for this process.
#[derive(Debug, Default)]
struct Wishes {
    /// One of them came.
    is_stop_wanted: Arc<AtomicBool>,
    /// The next one ends the process.
    ends_at_once: Arc<AtomicBool>,
}

/// Handlers are made once, and stay.
static WISHES: OnceLock<Wishes> = OnceLock::new();

/// Whether somebody wants the work to stop: by ^C or SIGTERM. While no work has one of these, both end the process as always.
#[derive(Debug)]
pub struct Interrupt(&'static Wishes);

impl Interrupt {
    /// From now on ^C is a wish; the second one ends the process.
    pub fn watch() -> Result<Self, Failure> {
        let wishes = match WISHES.get() {
            Some(wishes) => wishes,
            None => {
                let wishes = Wishes::default();
                for signal in [SIGINT, SIGTERM] {
                    // In this order: the first signal does not end the process yet, and sees to it that the next one does.
                    let made = flag::register_conditional_default(signal, Arc::clone(&wishes.ends_at_once))
                        .and_then(|_| flag::register(signal, Arc::clone(&wishes.ends_at_once)))
                        .and_then(|_| flag::register(signal, Arc::clone(&wishes.is_stop_wanted)));
                    made.map_err(Failure::io("signals"))?;
                }
                WISHES.get_or_init(|| wishes)
            }
        };
        wishes.is_stop_wanted.store(false, Ordering::SeqCst);
        wishes.ends_at_once.store(false, Ordering::SeqCst);
        Ok(Self(wishes))
    }

    /// Whether the work is to stop.
    pub fn is_wanted(&self) -> bool {
        self.0.is_stop_wanted.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // Nobody looks at wishes any more.
        self.0.ends_at_once.store(true, Ordering::SeqCst);
    }
}
