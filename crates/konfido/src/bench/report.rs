//! The report: medians of all rounds as Markdown, ready for docs/benchmarks.md.

use super::Measured;
use super::nginx::NAME as NGINX;
use super::stand::{DIRECT, HOP_IN_VAULTS, IN_NODES, KONFIDO};

/// Everything that was measured.
#[derive(Default)]
pub struct Report(Vec<Measured>);

impl Measured {
    /// For people who wait.
    pub fn line(&self) -> String {
        let part = &self.part;
        format!(
            "{:<14} {} {:>6.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  CPU {:.2} ms  failed {}",
            self.road,
            if self.paced { "half" } else { "full" },
            part.per_second(),
            part.quantile(0.5),
            part.quantile(0.99),
            self.cpu(),
            part.failed
        )
    }

    /// CPU of all gateways together, in milliseconds an exchange.
    fn cpu(&self) -> f64 {
        self.per_exchange(self.gateways.iter().map(|usage| usage.cpu).sum())
    }

    fn per_exchange(&self, seconds: f64) -> f64 {
        seconds * 1000.0 / self.part.done.max(1) as f64
    }

    fn megabytes(&self, gateway: usize, of: impl Fn(&super::Usage) -> u64) -> f64 {
        self.gateways.get(gateway).map_or(0.0, |usage| of(usage) as f64 / 1024.0)
    }
}

impl Report {
    /// Adds a part of a round.
    pub fn add(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    /// Prints tables and ratios.
    pub fn print(&self, missing: Option<&str>) {
        println!(
            "| part | exchanges/s | p50 ms | p99 ms | CPU ms an exchange, B + A | of the stub | MB of B / A | most MB of B / A | failed |\n\
             |---|---|---|---|---|---|---|---|---|"
        );
        for paced in [false, true] {
            for road in [KONFIDO, IN_NODES, HOP_IN_VAULTS, NGINX, DIRECT] {
                if self.of(road, paced).next().is_some() {
                    println!("{}", self.row(road, paced));
                }
            }
        }
        println!();
        if let Some(missing) = missing {
            println!("{NGINX}: {missing}\n");
        }
        self.print_wanted();
    }

    /// Fails when exchanges failed: fast wrong answers are no result.
    pub fn check(&self) -> anyhow::Result<()> {
        let failed: u64 = self.0.iter().map(|m| m.part.failed).sum();
        let first = self.0.iter().find_map(|m| m.part.first_failure.as_deref()).unwrap_or("");
        anyhow::ensure!(failed == 0, "{failed} exchanges failed, the first with: {first}");
        Ok(())
    }

    fn row(&self, road: &str, paced: bool) -> String {
        let median = |value: &dyn Fn(&Measured) -> f64| self.median(road, paced, value);
        let memory = |of: fn(&super::Usage) -> u64| {
            let (b, a) = (median(&|m| m.megabytes(0, of)), median(&|m| m.megabytes(1, of)));
            if road == DIRECT { "-".to_owned() } else { format!("{b:.0} / {a:.0}") }
        };
        let cpu = format!("{:.2}", median(&Measured::cpu));
        format!(
            "| {road}, {} | {:.0} | {:.2} | {:.2} | {} | {:.2} | {} | {} | {} |",
            if paced { "half load" } else { "as fast as it goes" },
            median(&|m| m.part.per_second()),
            median(&|m| m.part.quantile(0.5)),
            median(&|m| m.part.quantile(0.99)),
            if road == DIRECT { "-" } else { &cpu },
            median(&|m| m.per_exchange(m.stub.cpu)),
            memory(|usage| usage.resident),
            memory(|usage| usage.peak),
            self.of(road, paced).map(|m| m.part.failed).sum::<u64>(),
        )
    }

    /// The numbers that were promised, and the ratios to nginx.
    fn print_wanted(&self) {
        println!("| number | wanted | found | |\n|---|---|---|---|");
        for road in [KONFIDO, IN_NODES, HOP_IN_VAULTS] {
            if self.of(road, false).next().is_some() {
                self.print_promised(road);
            }
        }
        if self.of(IN_NODES, false).next().is_some() {
            let rate = |road| self.median(road, false, &|m| m.part.per_second());
            let ratio = rate(KONFIDO) / rate(IN_NODES);
            let held = if ratio >= 0.85 { "held" } else { "**missed**" };
            println!(
                "| exchanges/s, vault processes / keys in the nodes | >= 0.85 | {ratio:.2} | {held} |"
            );
        }
        if self.of(NGINX, false).next().is_none() {
            return;
        }
        println!("\n| {KONFIDO} / {NGINX} | as fast as it goes | half load |\n|---|---|---|");
        self.print_ratio("exchanges/s", &|m| m.part.per_second());
        self.print_ratio("p50", &|m| m.part.quantile(0.5));
        self.print_ratio("p99", &|m| m.part.quantile(0.99));
        self.print_ratio("CPU of B and A", &Measured::cpu);
        println!("\np99 that the {NGINX} adds at half load: {:.1} ms", self.added(NGINX, 0.99));
    }

    fn print_promised(&self, road: &str) {
        let full = |value: &dyn Fn(&Measured) -> f64| self.median(road, false, value);
        let added = self.added(road, 0.99);
        let most = |gateway| full(&|m| m.megabytes(gateway, |usage| usage.peak));
        let memory = most(0).max(most(1));
        let (speed, cpu) = (full(&|m| m.part.per_second()), full(&Measured::cpu));
        for (name, wanted, found, held) in [
            ("exchanges/s", ">= 1,100", format!("{speed:.0}"), speed >= 1100.0),
            ("p99 added at half load", "<= 10 ms", format!("{added:.1} ms"), added <= 10.0),
            ("CPU of both nodes an exchange", "<= 2 ms", format!("{cpu:.2} ms"), cpu <= 2.0),
            ("most memory of a node", "<= 150 MB", format!("{memory:.0} MB"), memory <= 150.0),
        ] {
            let verdict = if held { "held" } else { "**missed**" };
            println!("| {road}: {name} | {wanted} | {found} | {verdict} |");
        }
    }

    fn print_ratio(&self, name: &str, value: &dyn Fn(&Measured) -> f64) {
        let ratio = |paced| self.median(KONFIDO, paced, value) / self.median(NGINX, paced, value);
        println!("| {name} | {:.2} | {:.2} |", ratio(false), ratio(true));
    }

    /// What a road adds to calling the stub directly at half load.
    fn added(&self, road: &str, q: f64) -> f64 {
        let quantile = |m: &Measured| m.part.quantile(q);
        self.median(road, true, &quantile) - self.median(DIRECT, true, &quantile)
    }

    fn of(&self, road: &str, paced: bool) -> impl Iterator<Item = &Measured> {
        self.0.iter().filter(move |m| m.road == road && m.paced == paced)
    }

    fn median(&self, road: &str, paced: bool, value: &dyn Fn(&Measured) -> f64) -> f64 {
        median(self.of(road, paced).map(value).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let table: [(&[f64], f64); 4] =
            [(&[], 0.0), (&[3.0], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[1.0, 2.0, 3.0, 10.0], 2.5)];
        for (values, middle) in table {
            assert!((median(values.to_vec()) - middle).abs() < 1e-9, "{values:?}");
        }
    }
}
