//! What the benches share: cases that take turns, one line for each with its time, its ratio to the
//! first case, and its allocations. Machines are noisy and differ; the ratio is what may be quoted.
//! Times include the counting of allocations, a few nanoseconds each, in all cases alike.

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::AllocationInfo;
use tokio::time::Instant;

/// How often each case has its turn.
const ROUNDS: usize = 41;

/// How long one turn is. Short ones fit between what else the machine does.
const TURN: Duration = Duration::from_millis(5);

/// Something to be measured.
pub(crate) struct Case<'a> {
    name: &'a str,
    work: Box<dyn FnMut() + 'a>,
    iterations: u32,
    nanos: Vec<f64>,
}

/// A case that calls `work` again and again.
pub(crate) fn case<'a, R>(name: &'a str, mut work: impl FnMut() -> R + 'a) -> Case<'a> {
    let work = Box::new(move || drop(black_box(work())));
    Case { name, work, iterations: 1, nanos: Vec::with_capacity(ROUNDS) }
}

impl Case<'_> {
    /// Nanoseconds of one call, over `iterations` calls.
    fn turn(&mut self) -> f64 {
        let begun = Instant::now();
        for _ in 0..self.iterations {
            (self.work)();
        }
        begun.elapsed().as_nanos() as f64 / f64::from(self.iterations)
    }

    fn calibrate(&mut self) {
        while self.iterations < u32::MAX / 2 {
            if self.turn() * f64::from(self.iterations) >= TURN.as_nanos() as f64 {
                return;
            }
            self.iterations *= 2;
        }
    }

    /// Allocations and allocated bytes of one call, on this thread.
    fn allocations(&mut self) -> (f64, f64) {
        let AllocationInfo { count_total, bytes_total, .. } = allocation_counter::measure(|| {
            for _ in 0..self.iterations {
                (self.work)();
            }
        });
        let iterations = f64::from(self.iterations);
        (count_total as f64 / iterations, bytes_total as f64 / iterations)
    }
}

/// Measures the cases in turn and prints them. The first is what the others are compared with.
pub(crate) fn table(title: &str, mut cases: Vec<Case<'_>>) {
    for case in &mut cases {
        case.calibrate();
    }
    let count = cases.len();
    for round in 0..ROUNDS {
        for turn in 0..count {
            let case = &mut cases[(round + turn) % count];
            let nanos = case.turn();
            case.nanos.push(nanos);
        }
    }
    println!("\n{title:42}{:>10}{:>8}{:>14}{:>10}", "ns", "ratio", "allocations", "bytes");
    let base = cases[0].nanos.clone();
    for case in &mut cases {
        let (count, bytes) = case.allocations();
        let ratios = case.nanos.iter().zip(&base).map(|(nanos, base)| nanos / base).collect();
        let (nanos, ratio) = (median(case.nanos.clone()), median(ratios));
        println!("  {:40}{nanos:10.0}{ratio:8.2}{count:14.1}{bytes:10.0}", case.name);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
