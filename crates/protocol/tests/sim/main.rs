//! The two session machines: each by itself, rule by rule, and the two joined by a simulated link
//! that delays, stalls and cuts under simulated time. A failure prints the seed that replays it.

mod client;
mod old;
mod pair;
mod random;
mod seed;
mod session;
mod together;
mod upgrade;
