//! What the repository writes about itself: the deployment templates and tables of the functions,
//! generated from the function table, and new functions. A test compares them with what is committed.

pub mod new_function;
pub mod template;
