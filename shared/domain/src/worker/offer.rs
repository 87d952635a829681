//! What a worker may be launched or started as.

/// What is asked of EC2: a type, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The EC2 type.
    pub instance_type: String,
    /// The subnet of a launch; null where EC2 chooses, and for a start.
    pub subnet_id: Option<String>,
}
