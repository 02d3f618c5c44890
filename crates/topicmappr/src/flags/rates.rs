//! `--rates`: what producers write, measured before the cluster is captured.

use console::units::duration;
use std::time::Duration;

/// Over a shorter time, the batches of producers decide the result.
const SHORTEST: Duration = Duration::from_secs(10);

/// The flag of commands that can use the rates of producers.
#[derive(Debug, clap::Args)]
pub(crate) struct RatesArgs {
    /// Measure what producers write to each partition during this time
    ///
    /// 60s is usual, 10s the least. The sizes of the leaders' logs are read three to seven times. No agent and no metrics
    /// system is needed.
    #[arg(long, value_name = "TIME", value_parser = measurement)]
    pub(crate) rates: Option<Duration>,
}

fn measurement(text: &str) -> Result<Duration, String> {
    let during = duration(text)?;
    if during < SHORTEST {
        let why = "over less than 10s, the batches of producers decide the result: write 60s";
        return Err(why.to_owned());
    }
    Ok(during)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_measurement_is_refused_with_the_reason() {
        assert_eq!(measurement("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(measurement("10s"), Ok(SHORTEST));
        assert!(measurement("9s").unwrap_err().contains("batches of producers"));
        assert!(measurement("60").unwrap_err().contains("no duration"));
    }
}
