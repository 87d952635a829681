//! EC2 and CloudWatch behind the ports of `app`.
