//! What the examples of the client share with their tests.

pub mod link;
