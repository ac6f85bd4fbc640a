//! Regular queue runs of the daemon: `-q15m`, `-qGname/5m`.

use std::time::{Duration, Instant};

use super::children;
use super::counters::Counters;
use crate::config::values::show_time;
use crate::context::Context;
use crate::log::{self, Which};
use crate::queue::run::{RunOptions, run};

/// One schedule.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Seconds between starts; 0 is one run at start-up only.
    pub interval: i64,
    /// What to run.
    pub options: RunOptions,
}

/// For the log line of the start.
pub fn describe(schedules: &[Schedule]) -> String {
    if schedules.is_empty() {
        return "no queue runs".into();
    }
    let one = |s: &Schedule| {
        let mut flags = String::from("-q");
        for (on, text) in [
            (s.options.two_stage, "q"),
            (s.options.first_only, "i"),
            (s.options.force || s.options.force_frozen, "f"),
            (s.options.force_frozen, "f"),
            (s.options.local_only, "l"),
        ] {
            if on {
                flags.push_str(text);
            }
        }
        if !s.options.queue_name.is_empty() {
            flags.push_str(&format!("G{}/", s.options.queue_name));
        }
        flags + &show_time(s.interval)
    };
    schedules.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The schedules, and the runners that are at work.
pub struct Ticker {
    schedules: Vec<(Schedule, Option<Instant>)>,
    runners: Vec<i32>,
}

impl Ticker {
    /// All are due at once.
    pub fn new(schedules: Vec<Schedule>) -> Self {
        let now = Instant::now();
        Ticker { schedules: schedules.into_iter().map(|s| (s, Some(now))).collect(), runners: Vec::new() }
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        self.schedules.iter().filter_map(|(_, due)| *due).min()
    }

    /// Starts what is due, unless `queue_run_max` runners are at work. `let_go` is called in each of them.
    pub fn start_due(&mut self, ctx: &mut Context, counters: &Counters, let_go: &mut dyn FnMut()) {
        let max = match ctx.config.main.queue_run_max.get().cloned() {
            None => 5,
            Some(t) => match crate::expand::expand_int(ctx, &t, true) {
                Ok(n) => n,
                Err(e) => {
                    log::write(
                        ctx,
                        None,
                        Which::MAIN.and(Which::PANIC),
                        format!("failed to expand queue_run_max: {e}").as_bytes(),
                    );
                    5
                }
            },
        };
        let now = Instant::now();
        for (schedule, due) in &mut self.schedules {
            if due.is_none_or(|d| d > now) {
                continue;
            }
            *due = u64::try_from(schedule.interval).ok().filter(|i| *i > 0).map(|i| now + Duration::from_secs(i));
            if max > 0 && self.runners.len() as i64 >= max {
                continue;
            }
            let options = schedule.options.clone();
            let runner = children::start(ctx, "queue runner", |ctx| {
                let_go();
                children::as_deliverer(ctx, |ctx| run(ctx, &options))
            });
            if let Some(pid) = runner {
                self.runners.push(pid);
                counters.runners(self.runners.len());
            }
        }
    }

    /// A child has ended; true if it was a runner.
    pub fn ended(&mut self, pid: i32, counters: &Counters) -> bool {
        let Some(i) = self.runners.iter().position(|r| *r == pid) else { return false };
        self.runners.remove(i);
        counters.runners(self.runners.len());
        true
    }
}
