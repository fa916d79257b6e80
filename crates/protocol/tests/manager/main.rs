//! The client's manager: rule by rule, and under random schedules of cuts, delays and restarts in
//! simulated time. A failure prints the seed that replays it.

#[path = "../sim/seed.rs"]
mod seed;

mod acks;
mod connect;
mod emit;
mod namespaces;
mod old;
mod random;
mod reconnect;
mod recovery;
mod retries;
mod rig;
mod server;
