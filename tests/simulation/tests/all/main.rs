//! The simulation at work: no seed breaks a rule, and every protection is missed when it is switched off.

mod bites;
mod bites_labs;
mod seeds;
