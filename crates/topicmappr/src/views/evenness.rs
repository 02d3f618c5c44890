//! How even a plan leaves what it was asked to even, and the best that any plan could reach.

use local::words::counted;
use mapper::{
    Assumption, BalanceFloor, BalanceGoal, Bytes, DiskFigures, Figures, Plan, Ratio, ZoneFigures,
};
use std::fmt;

/// One line for each goal of the plan, in their order.
#[derive(Debug)]
pub(super) struct Evenness<'a> {
    goals: &'a [BalanceGoal],
    before: &'a Figures,
    after: &'a Figures,
    floor: BalanceFloor,
    /// The zone where leaders are wanted.
    zone: Option<&'a str>,
    /// The price of a GB between zones.
    zone_price: Option<Ratio>,
    /// What it assumes about traffic and CPU.
    assumed: &'a [Assumption],
}

impl<'a> Evenness<'a> {
    /// Nothing for plans that even nothing.
    pub(super) fn of(plan: &'a Plan) -> Option<Self> {
        let balance = plan.request.balance()?;
        let goals = &balance.goals;
        let rests_on_them = |goal| matches!(goal, &BalanceGoal::Network | &BalanceGoal::Cpu);
        let assumed: &[Assumption] =
            if goals.iter().any(rests_on_them) { &plan.assumed } else { &[] };
        Some(Self {
            goals,
            before: &plan.before,
            after: &plan.after,
            floor: plan.floor?,
            zone: balance.leaders_zone.as_deref(),
            zone_price: balance.zone_price,
            assumed,
        })
    }
}

impl Evenness<'_> {
    fn topics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, floor, .. } = self;
        let before = uneven_topics(before.uneven_topics, before.misplaced_replicas);
        let after = uneven_topics(after.uneven_topics, after.misplaced_replicas);
        let best = uneven_topics(floor.uneven_topics, floor.misplaced_replicas);
        writeln!(f, "  {:13} {before} -> {after}; at best {best}", "topics")
    }

    fn disks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, floor, .. } = self;
        let Some((before, after)) = before.disks.zip(after.disks) else {
            return writeln!(f, "  {:13} no broker has several volumes", "disks");
        };
        let best = |best: DiskFigures| {
            format!("; at best {}, {:.2} x", percent(best.max_used_ratio), best.max_times_broker)
        };
        writeln!(
            f,
            "  {:13} fullest {} -> {}, {:.2} -> {:.2} x its broker{}",
            "disks",
            percent(before.max_used_ratio),
            percent(after.max_used_ratio),
            before.max_times_broker,
            after.max_times_broker,
            floor.disks.map_or_else(String::new, best)
        )
    }

    fn zone(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((name, (before, after))) = self.zone.zip(self.before.zone.zip(self.after.zone))
        else {
            return Ok(());
        };
        let all = after.leaders_inside + after.leaders_outside;
        let (inside, reached) = (before.leaders_inside, after.leaders_inside);
        writeln!(
            f,
            "  {:13} {inside} -> {reached} of {} in {name}; at best {}",
            "leaders-zone",
            counted(all, "leader"),
            all.saturating_sub(after.without_replica)
        )?;
        self.across_zones(before, after, f)
    }

    fn across_zones(
        &self,
        before: ZoneFigures,
        after: ZoneFigures,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let consumers = if after.consumers { "" } else { ", without consumers: no rates" };
        let rates = before.crossing_bytes_per_second.zip(after.crossing_bytes_per_second);
        let Some((before, after)) = rates else {
            return writeln!(f, "  {:13} unknown: rates are missing (--rates 60s)", "across zones");
        };
        write!(f, "  {:13} {} -> {}{consumers}", "across zones", rate(before), rate(after))?;
        if let Some(price) = self.zone_price {
            let (before, after) = (month(before, price), month(after, price));
            write!(f, "; in 30 days {before} -> {after} at {} a GB", amount(price.ppm().into()))?;
        }
        writeln!(f)
    }

    fn goal(&self, goal: BalanceGoal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, floor, .. } = self;
        let best = |least: Option<String>, most: Option<String>| match (least, most) {
            (Some(least), Some(most)) => format!("; at best {least} to {most}"),
            (None, Some(most)) => format!("; at best {most}"),
            (_, None) => String::new(),
        };
        let (name, before, after, best) = match goal {
            BalanceGoal::Storage => (
                "storage",
                range(before.min_used_ratio, before.max_used_ratio, percent),
                range(after.min_used_ratio, after.max_used_ratio, percent),
                best(floor.min_used_ratio.map(percent), Some(percent(floor.max_used_ratio))),
            ),
            BalanceGoal::Replicas => (
                "replicas",
                range(before.min_replicas, before.max_replicas, text),
                range(after.min_replicas, after.max_replicas, text),
                best(floor.min_replicas.map(text), floor.max_replicas.map(text)),
            ),
            BalanceGoal::Topics => return self.topics(f),
            BalanceGoal::LeadersZone => return self.zone(f),
            BalanceGoal::Disks => return self.disks(f),
            BalanceGoal::Leaders => (
                "leaders",
                range(before.min_leaders, before.max_leaders, text),
                range(after.min_leaders, after.max_leaders, text),
                best(None, floor.max_leaders.map(text)),
            ),
            BalanceGoal::Network if self.assumed.contains(&Assumption::EqualNetworks) => (
                "traffic",
                range(
                    before.min_traffic_bytes_per_second,
                    before.max_traffic_bytes_per_second,
                    rate,
                ),
                range(after.min_traffic_bytes_per_second, after.max_traffic_bytes_per_second, rate),
                best(None, floor.max_traffic_bytes_per_second.map(rate)),
            ),
            BalanceGoal::Cpu if self.assumed.contains(&Assumption::EqualCpus) => (
                "cpu",
                range(before.min_cpu_nanocores, before.max_cpu_nanocores, cores),
                range(after.min_cpu_nanocores, after.max_cpu_nanocores, cores) + " cores",
                best(None, floor.max_cpu_nanocores.map(cores)),
            ),
            BalanceGoal::Cpu => (
                "cpu",
                range(before.min_cpu_ratio, before.max_cpu_ratio, percent),
                range(after.min_cpu_ratio, after.max_cpu_ratio, percent),
                best(floor.min_cpu_ratio.map(percent), floor.max_cpu_ratio.map(percent)),
            ),
            BalanceGoal::Network => (
                "network",
                range(before.min_network_ratio, before.max_network_ratio, percent),
                range(after.min_network_ratio, after.max_network_ratio, percent),
                best(floor.min_network_ratio.map(percent), floor.max_network_ratio.map(percent)),
            ),
        };
        writeln!(f, "  {name:13} {before} -> {after} a broker{best}")
    }
}

impl fmt::Display for Evenness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.goals.iter().try_for_each(|goal| self.goal(*goal, f))?;
        for assumption in self.assumed {
            writeln!(f, "  assumed       {assumption}")?;
        }
        if let Some(model) =
            self.before.cpu_model.filter(|_| self.goals.contains(&BalanceGoal::Cpu))
        {
            writeln!(f, "  cpu model     {model}\n                {}", model.fit_in_words())?;
        }
        Ok(())
    }
}

/// Topics, and the replicas that would have to move to even them.
fn uneven_topics(topics: Option<u64>, replicas: Option<u64>) -> String {
    match topics.zip(replicas) {
        None => "unknown".to_owned(),
        Some((0, _)) => "all even".to_owned(),
        Some((topics, replicas)) => format!("{topics} uneven by {}", counted(replicas, "replica")),
    }
}

fn range<T>(least: Option<T>, most: Option<T>, text: impl Fn(T) -> String) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{} to {}", text(least), text(most)),
        _ => "unknown".to_owned(),
    }
}

fn text(number: u64) -> String {
    number.to_string()
}

/// What 30 days of this rate cost.
fn month(bytes_per_second: u64, price: Ratio) -> String {
    const SECONDS: u128 = 30 * 24 * 3_600;
    let bytes = u128::from(bytes_per_second) * SECONDS;
    amount(bytes * u128::from(price.ppm()) / 1_000_000_000)
}

/// Money, from millionths: to the hundredth, or as exactly as it is given below that.
fn amount(millionths: u128) -> String {
    let (whole, part) = (millionths / 1_000_000, millionths % 1_000_000);
    let digits = format!("{part:06}");
    let short = digits.trim_end_matches('0');
    let hundredths = if whole > 0 || part >= 100_000 { &digits[..2] } else { short };
    format!("{whole}.{hundredths:0<2}")
}

fn rate(bytes: u64) -> String {
    format!("{}/s", Bytes(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn cores(nanocores: u64) -> String {
    format!("{:.2}", nanocores as f64 / 1e9)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_two_digits_unless_it_is_less_than_a_tenth() {
        for (millionths, said) in [
            (0, "0.00"),
            (10_000, "0.01"),
            (2_500, "0.0025"),
            (123_456, "0.12"),
            (1_000_000, "1.00"),
            (777_601_234_567, "777601.23"),
        ] {
            assert_eq!(amount(millionths), said);
        }
    }

    #[test]
    fn a_month_of_a_rate_costs_its_gigabytes() {
        // 1 MB/s are 2,592 GB in 30 days.
        assert_eq!(month(1_000_000, Ratio::from_percent(1)), "25.92");
        assert_eq!(month(0, Ratio::from_percent(1)), "0.00");
    }
}
