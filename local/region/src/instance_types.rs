//! What is known of instance types by their names alone.

/// The virtual CPUs of a type; none when there is no such size.
/// Source: EC2 instance types guide; bare metal by family, everything else by its size word.
pub(crate) fn vcpus(instance_type: &str) -> Option<u32> {
    let (family, size) = instance_type.split_once('.')?;
    match size {
        "nano" | "micro" | "small" | "medium" | "large" => Some(2),
        "xlarge" => Some(4),
        "metal" => Some(metal_vcpus(family)),
        // `metal-24xl` has the CPUs of `24xlarge`.
        _ => size
            .strip_prefix("metal-")
            .and_then(|rest| rest.strip_suffix("xl"))
            .or_else(|| size.strip_suffix("xlarge"))?
            .parse::<u32>()
            .ok()
            .filter(|times| (1..=112).contains(times))
            .map(|times| times * 4),
    }
}

fn metal_vcpus(family: &str) -> u32 {
    match family {
        "m5zn" | "z1d" => 48,
        "a1" => 16,
        "i3" => 72,
        "c6g" | "c7g" | "m6g" | "m7g" | "r6g" | "r7g" => 64,
        "c6i" | "m6i" | "r6i" | "i4i" => 128,
        _ => 96,
    }
}

/// Whether it is a whole machine, which takes minutes to come and go.
pub(crate) fn is_metal(instance_type: &str) -> bool {
    instance_type.split_once('.').is_some_and(|(_, size)| size.starts_with("metal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_word_tells_the_virtual_cpus() {
        for (name, cpus) in
            [("m5zn.metal", 48), ("c5.2xlarge", 8), ("c8i.large", 2), ("m7i.metal-24xl", 96), ("c5.metal", 96)]
        {
            assert_eq!(vcpus(name), Some(cpus), "{name}");
        }
        for unknown in ["m5", "m5.huge", "m5.0xlarge", "m5.99999xlarge", "m5.metal-xl"] {
            assert_eq!(vcpus(unknown), None, "{unknown}");
        }
        assert!(is_metal("m7i.metal-24xl") && is_metal("m5zn.metal") && !is_metal("m5zn.large"));
    }
}
