//! What small EC2 machines can send all day, though they are sold as "up to 10 Gigabit".
//!
//! Machines of up to 16 vCPUs have a baseline and burst beyond it for minutes, out of credits (AWS: "Amazon EC2 instance
//! network bandwidth", <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html>). A move of
//! hours at the burst's rate would leave clients with less than the baseline when the credits are gone.
//!
//! The figures are those of AWS's tables of network specifications, as the Karpenter project generates them from there:
//! github.com/aws/karpenter-provider-aws, pkg/providers/instancetype/zz_generated.bandwidth.go, commit 01a436f0bbbc.

use mapper::Rate;

/// Families that have one scale, and the baselines of large, xlarge, 2xlarge and 4xlarge, in Mbit/s.
const SCALES: [(&[&str], [u64; 4]); 6] = [
    (
        &[
            "i3", "m5", "m5a", "m5ad", "m5d", "m6g", "m6gd", "r4", "r5", "r5a", "r5ad", "r5b",
            "r5d", "r6g", "r6gd",
        ],
        [750, 1250, 2500, 5000],
    ),
    (
        &["m6a", "m6i", "m6id", "m7a", "m7i", "r6a", "r6i", "r6id", "r7a", "r7i"],
        [781, 1562, 3125, 6250],
    ),
    (&["i4g", "i4i"], [781, 1875, 4687, 9375]),
    (&["m7g", "m7gd", "r7g", "r7gd"], [937, 1876, 3750, 7500]),
    (&["m8g", "m8gd", "m8i", "m8id", "r8g", "r8gd", "r8i", "r8id"], [937, 1875, 3750, 7500]),
    (&["m5dn", "m5n", "r5dn", "r5n"], [2100, 4100, 8125, 16250]),
];
const SIZES: [&str; 4] = ["large", "xlarge", "2xlarge", "4xlarge"];
/// A family with its own sizes.
const I3EN: [(&str, u64); 4] =
    [("large", 2100), ("xlarge", 4200), ("2xlarge", 8400), ("3xlarge", 12500)];

const BYTES_IN_A_MEGABIT: u64 = 125_000;

/// What a machine of this type can send, and receive, all day; `None`: it has no burst, or is not in the table.
pub(crate) fn baseline(instance_type: &str) -> Option<Rate> {
    let (family, size) = instance_type.split_once('.')?;
    let megabits = match family {
        "i3en" => I3EN.iter().find(|(name, _)| *name == size)?.1,
        _ => {
            let (_, scale) = SCALES.iter().find(|(families, _)| families.contains(&family))?;
            scale[SIZES.iter().position(|name| *name == size)?]
        }
    };
    Some(Rate(megabits * BYTES_IN_A_MEGABIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_burst_have_a_baseline_and_others_none() {
        let of = |name: &str| baseline(name).map(|rate| rate.0 / BYTES_IN_A_MEGABIT);
        assert_eq!(
            [of("m5.large"), of("r5.4xlarge"), of("i3.2xlarge")],
            [750, 5000, 2500].map(Some)
        );
        assert_eq!(
            [of("m6i.xlarge"), of("i4i.4xlarge"), of("i3en.3xlarge")],
            [1562, 9375, 12500].map(Some)
        );
        assert_eq!(baseline("m5.large"), Some(Rate(93_750_000)));
        for other in ["m5.8xlarge", "i3en.4xlarge", "i3.16xlarge", "t3.large", "n2-standard-8", ""]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
